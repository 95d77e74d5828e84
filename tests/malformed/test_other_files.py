"""Files of settings, outlines, reports, scores and runs: damaged, each is one sentence."""

import json
import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrlab import labelmap, predictions, spec
from cxrlab.errors import CxrlabError
from cxrlab.intake import origin
from cxrlab.metrics import thresholds
from cxrlab.paths import Lab
from tests.malformed import kit, text_faults
from tests.malformed.text_faults import BROKEN, WHOLE
from tests.planted_predictions import predictions as planted

LAUGHS = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">' + "".join(
    f'<!ENTITY a{k} "{"&a;" if k == 0 else f"&a{k - 1};" * 10}">' if k else '<!ENTITY a0 "&a;&a;">' for k in range(12)
) + "]><a>&a11;</a>"  # fmt: skip
OUTSIDE = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><eCitation><uId>&b;</uId></eCitation>'


def damaged_json(data, rng):
    """Return name → bytes of a JSON file that was damaged."""
    value = json.loads(data)
    return {
        "empty": b"",
        "cut in its middle": data[: len(data) // 2],
        "cut at its end": data.rstrip()[:-1],
        "another type": b"5",
        "nothing": b"null",
        "a list": json.dumps([value]).encode(),
        "a word": b'"words"',
        "no field": b"{}",
        "nested deeper than any": b"[" * 100_000,
        "nested and closed": b"[" * 100_000 + b"]" * 100_000,
        "not a number": data.replace(b": ", b": NaN, ", 1),
        "UTF-16": data.decode().encode("utf-16"),
        "byte-order mark": b"\xef\xbb\xbf" + data,
        "latin-1": data.replace(b'"', b'"\xfc', 2),
        "half a letter": data.replace(b'"', b'"\\ud800', 2),
        "NUL bytes": data.replace(b"{", b"{\0", 1),
        "flipped bits": text_faults.flipped(data, rng),
        "random bytes": rng.bytes(500),
        "a web page": b"<!DOCTYPE html><html></html>",
        "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "a number beyond all": data.replace(b": ", b": 1e999, \"x\": ", 1),
        "a number of a megabyte": b'{"kind": ' + b"9" * 10**6 + b"}",
        **{f"{key} is a list": json.dumps({**value, key: [[1]]}).encode() for key in list(value)[:4]},
        **{f"{key} is nothing": json.dumps({**value, key: None}).encode() for key in list(value)[:4]},
        **{f"{key} is beyond all": json.dumps({**value, key: 10**400}).encode() for key in list(value)[:4]},
    }  # fmt: skip


PLACES = {"a folder": Path.mkdir, "a pipe": os.mkfifo, "nothing there": lambda path: None, "a link to itself": lambda path: path.symlink_to(path.name)}  # fmt: skip
SPEC = spec.dumps(spec.build({"kind": "train", "view": {"source": ["north"], "labels": ["Edema"]}})).encode()
PHANTOM = b'{"recipe": "north", "n": 3, "seed": 0}'
ORIGIN = b'{"dataset": "nih", "raw": "/nowhere", "options": {}}'
RNG = np.random.default_rng(0)
JSON_CASES = [
    (kind, name, data)
    for kind, sound in (("spec", SPEC), ("phantom", PHANTOM), ("origin", ORIGIN))
    for name, data in damaged_json(sound, RNG).items()
] + [(kind, place, None) for kind in ("spec", "phantom", "origin") for place in PLACES]


def only_sentences(read):
    """Call `read`; whatever it raises must be a sentence."""
    with kit.clock():
        try:
            return read()
        except CxrlabError as error:
            kit.check_reason(str(error))
            return None


def place(path, name, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data) if data is not None else PLACES[name](path)


@pytest.mark.parametrize(
    ("kind", "name", "data"), JSON_CASES, ids=[f"{kind}: {name}" for kind, name, _ in JSON_CASES]
)
def test_damaged_settings_are_a_sentence(lab, tmp_path, monkeypatch, kind, name, data):
    monkeypatch.setattr("cxrlab.intake.decoders.Crew", kit.Here)
    if kind == "origin":
        place(lab.origin("x"), name, data)
        return only_sentences(lambda: origin.read(lab, "x"))
    path = tmp_path / ("spec.json" if kind == "spec" else "raw/phantom.json")
    place(path, name, data)
    words = (
        ("run", path)
        if kind == "spec"
        else ("ingest", "phantom", path.parent, "--site", "x", "--size", kit.PX)
    )
    if kind == "spec" and data is not None and only_sentences(lambda: spec.read(path)) is not None:
        return None  # a sound spec after all; to carry it out is another test's
    done = kit.say(*words)
    assert done.status in (0, 2)
    if done.status:
        kit.check_sentence(done, path.name, "raw", "kind")


LABEL_MAP = labelmap.copy("nih").encode()
SCORES = text_faults.text(
    [["image", "patient", "age", "sex", "prob_Edema", "true_Edema", "prob_Pneumonia", "true_Pneumonia"]]
    + [[f"{i}.png", f"p{i // 2}", str(20 + i), "FM"[i % 2], f"0.{i % 10}", str(i % 2), f"0.{i % 7}", str(int(i % 3 == 0))] for i in range(40)]
)  # fmt: skip
TABLE_CASES = [(kind, name) for kind in ("label map", "scores") for name in (*WHOLE, *BROKEN, *PLACES)]


@pytest.fixture(scope="module")
def nih(tmp_path_factory):
    raw = tmp_path_factory.mktemp("nih") / "raw"
    raw.mkdir()
    kit.maker("nih").fake_raw_folder(raw)
    return raw


@pytest.mark.parametrize(("kind", "name"), TABLE_CASES, ids=[f"{kind}: {name}" for kind, name in TABLE_CASES])
def test_a_damaged_table_of_ones_own_is_a_sentence(lab, tmp_path, monkeypatch, nih, kind, name):
    monkeypatch.setattr("cxrlab.intake.decoders.Crew", kit.Here)
    path, sound = tmp_path / "own.csv", LABEL_MAP if kind == "label map" else SCORES
    fault = {**WHOLE, **BROKEN}.get(name)
    data = fault and fault(sound, np.random.default_rng(zlib.crc32(name.encode())))
    place(path, name, data)
    if kind == "scores":
        done = kit.say("import-scores", path, "--site", "x", "--dry-run")
    else:
        done = kit.say("ingest", "nih", nih, "--site", "x", "--size", kit.PX, "--option", f"map={path}")
    assert done.status in (0, 2)
    if done.status:
        return kit.check_sentence(done, path.name)
    if name in WHOLE and kind == "label map" and name not in ("every row twice", "one row doubled"):
        path.write_bytes(sound)
        kit.say("ingest", "nih", nih, "--site", "y", "--size", kit.PX, "--option", f"map={path}")
        mine, theirs = (kit.look(Lab.here(), site, "nih", nih).evidence for site in ("x", "y"))
        assert mine.equals(theirs)


@pytest.fixture(scope="module")
def run_files(tmp_path_factory):
    """kind → (a sound file, its reader)."""
    folder = tmp_path_factory.mktemp("run")
    table, cuts = folder / "p.parquet", folder / "t.json"
    predictions.write(table, planted())
    found = thresholds.ThresholdSet(
        "tuned", "r", "f1", "north", {"Edema": thresholds.Threshold(threshold=0.4)}
    )
    thresholds.write(cuts, found)
    return {"predictions": (table, predictions.read), "thresholds": (cuts, thresholds.read)}


PARQUET = {
    **{f"cut at {share:.0%}": lambda data, rng, share=share: data[: int(len(data) * share)] for share in (0.0, 0.01, 0.5, 0.99)},
    **{f"bits flipped, try {k}": lambda data, rng: text_faults.flipped(data, rng) for k in range(12)},
    **{f"one bit flipped, try {k}": lambda data, rng: one_bit(data, rng) for k in range(20)},
    "random bytes": lambda data, rng: rng.bytes(3000),
    "random bytes in its own": lambda data, rng: b"PAR1" + rng.bytes(3000) + b"PAR1",
    "a web page": lambda data, rng: b"<!DOCTYPE html>",
    "a table of something else": None,
}  # fmt: skip


def one_bit(data, rng):
    out = bytearray(data)
    out[int(rng.integers(len(out)))] ^= 1 << int(rng.integers(8))
    return bytes(out)


@pytest.mark.parametrize("name", [*PARQUET, *PLACES])
def test_damaged_predictions_are_a_sentence(tmp_path, run_files, name):
    sound, read = run_files["predictions"]
    path = tmp_path / "p.parquet"
    if name in PLACES:
        PLACES[name](path)
    elif PARQUET[name] is None:
        pd.DataFrame({"a": [1]}).to_parquet(path)
    else:
        path.write_bytes(PARQUET[name](sound.read_bytes(), np.random.default_rng(zlib.crc32(name.encode()))))
    only_sentences(lambda: read(path))
    if path.is_file():
        scores = shutil.copy(path, tmp_path / "scores.parquet")
        done = kit.say("import-scores", scores, "--site", "x", "--dry-run")
        assert done.status in (0, 2)
        if done.status:
            kit.check_sentence(done, "scores.parquet")


def test_damaged_thresholds_are_a_sentence(tmp_path, run_files):
    sound, read = run_files["thresholds"]
    for k, data in enumerate(damaged_json(sound.read_bytes(), np.random.default_rng(0)).values()):
        (tmp_path / f"{k}.json").write_bytes(data)
        only_sentences(lambda k=k: read(tmp_path / f"{k}.json"))
    for k, make in enumerate(PLACES.values()):
        make(tmp_path / f"place{k}.json")
        only_sentences(lambda k=k: read(tmp_path / f"place{k}.json"))


XML = {
    "a million laughs": LAUGHS.encode(),
    "a file from outside": OUTSIDE.encode(),
    "empty": b"",
    "cut": None,
    "no XML": b"this is no report",
    "half a letter": b"<?xml version='1.0' encoding='UTF-8'?><eCitation>\xff\xfe</eCitation>",
    "an unknown alphabet": b"<?xml version='1.0' encoding='klingon'?><eCitation/>",
    "tags a hundred thousand deep": b"<a>" * 100_000 + b"</a>" * 100_000,
    "a megabyte of text": b"<eCitation>" + b"x" * 2**21 + b"</eCitation>",
    "zeros": bytes(4000),
    "a web page": b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "another document": b"<?xml version='1.0'?><svg/>",
}


@pytest.mark.parametrize("name", [*XML, *PLACES])
def test_a_damaged_report_loses_no_image_in_silence(lab, tmp_path, monkeypatch, name):
    monkeypatch.setattr("cxrlab.intake.decoders.Crew", kit.Here)
    raw = tmp_path / "raw"
    raw.mkdir()
    kit.maker("openi").fake_raw_folder(raw)
    report = min(raw.rglob("*.xml"))
    data = report.read_bytes()
    report.unlink()
    place(
        report,
        name,
        None if name in PLACES else XML[name] if XML[name] is not None else data[: len(data) // 2],
    )
    done = kit.say("ingest", "openi", raw, "--site", "x", "--size", kit.PX)
    if done.status:
        return kit.check_sentence(done, "raw", "openi", report.name)
    made = kit.look(Lab.here(), "x", "openi", raw)
    assert not made.lost
    for _, reason in made.left_out:
        kit.check_reason(reason)


OUTLINES = b'{"patient64541_study1_view1_frontal": {"Cardiomegaly": {"size": [96, 120], "counts": "132"}}}'
OUTLINE_CASES = {
    **damaged_json(OUTLINES, RNG),
    "a size without end": OUTLINES.replace(b"[96, 120]", b"[999999, 999999]"),
    "a size below nothing": OUTLINES.replace(b"[96, 120]", b"[-96, 120]"),
    "a size of words": OUTLINES.replace(b"[96, 120]", b'["a", "b"]'),
    "counts of a megabyte": OUTLINES.replace(b"132", b"z" * 10**6),
    "counts of emoji": OUTLINES.replace(b"132", "🫁".encode()),
    "counts beyond all": OUTLINES.replace(b'"132"', b"[1e400]"),
    "counts of lists": OUTLINES.replace(b'"132"', b"[[1], [2, 3]]"),
}


@pytest.mark.parametrize("name", [*OUTLINE_CASES, *PLACES])
def test_damaged_outlines_lose_no_image_in_silence(lab, tmp_path, monkeypatch, name):
    monkeypatch.setattr("cxrlab.intake.decoders.Crew", kit.Here)
    raw = tmp_path / "raw"
    raw.mkdir()
    kit.maker("chexpert").fake_raw_folder(raw)
    path = raw / "CheXlocalize" / "gt_segmentations_val.json"
    path.unlink()
    place(path, name, OUTLINE_CASES.get(name))
    done = kit.say("ingest", "chexpert", raw, "--site", "x", "--size", kit.PX)
    if done.status:
        return kit.check_sentence(done, path.name, "raw")
    assert not kit.look(Lab.here(), "x", "chexpert", raw).lost


INPUTS = [
    *(f"{kind}: {name}" for kind, name, _ in JSON_CASES),
    *(f"{kind}: {name}" for kind, name in TABLE_CASES),
    *(f"predictions: {name}" for name in (*PARQUET, *PLACES)),
    *(f"report: {name}" for name in (*XML, *PLACES)),
    *(f"outlines: {name}" for name in (*OUTLINE_CASES, *PLACES)),
]
