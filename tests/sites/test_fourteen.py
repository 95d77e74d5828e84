"""Tables of the CheXpert kind, whole and damaged."""

import gzip
import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrlab.errors import BadInput, CxrlabError
from cxrlab.labels import Evidence
from cxrlab.sites import SITES, fourteen, survey

HERE = Path(__file__).parent
READERS = ("brax", "chexpert", "chexphoto", "mimic")


def fake(site, folder):
    spec = importlib.util.spec_from_file_location(f"make_{site}", HERE / site / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.fake_raw_folder(folder)
    return folder


def test_every_row_keeps_its_own_cells(tmp_path):
    """Against a plain loop, on random cells: no cell wanders to another row or label."""
    rng = np.random.default_rng(5)
    spelled = {"1.0": 1, "1": 1, "0.0": 0, "0": 0, "-1.0": -1, "-1": -1, "": -2, "nan": -2, " ": -2}
    natives = [fourteen.NATIVES[k] for k in rng.permutation(14)]
    cells = rng.choice(list(spelled), (300, 14))
    path = tmp_path / "x.csv"
    lines = [",".join(("a path", *row)) for row in cells]
    path.write_text("\n".join([",".join(["Path", *natives]), *lines]) + "\n")
    wide = fourteen.read(path, ("path",), ("path",))
    for i, row in enumerate(cells):
        for native, cell in zip(natives, row, strict=True):
            assert wide.codes[i, fourteen.NATIVES.index(native)] == spelled[cell]
    assert (wide.codes[:, fourteen.NATIVES.index("Airspace Opacity")] == Evidence.NOT_ANNOTATED).all()
    assert (wide.faults == "").all()


def test_a_trailing_comma_shifts_no_column(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("Path,Edema,Fracture\np1,1.0,0.0,\np2,-1.0,,\n")
    wide = fourteen.read(path, ("path",), ("path",))
    assert wide.facts["path"].tolist() == ["p1", "p2"]
    assert wide.codes[:, fourteen.NATIVES.index("Edema")].tolist() == [1, -1]


def test_a_short_row_is_blank_at_its_end(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("Path,Edema,Fracture\np1,1.0\n")
    wide = fourteen.read(path, ("path",), ("path",))
    assert wide.codes[0, fourteen.NATIVES.index("Fracture")] == Evidence.NOT_MENTIONED


def test_a_table_in_another_encoding_is_read(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes("Path,Edema,Sex\np1,1.0,féminin\n".encode("latin-1"))
    assert fourteen.read(path, ("sex",), ("path",)).facts["sex"].tolist() == ["féminin"]


def test_words_name_the_positive_and_the_doubtful():
    codes = np.full((3, len(fourteen.NATIVES)), -2, np.int8)
    codes[1, 5], codes[2, [2, 3]] = 1, (-1, 1)
    assert fourteen.words(codes).tolist() == ["", "Edema", "Cardiomegaly?|Lung Opacity"]


def test_a_look_up_gives_nothing_for_what_is_not_there():
    known = pd.Series(["a.png"], index=["a"], dtype="str")
    assert fourteen.look_up(pd.Series(["b", "a", ""]), known).tolist() == ["", "a.png", ""]
    assert fourteen.look_up(pd.Series(["b"]), known[:0]).tolist() == [""]


def test_a_row_leaves_once_for_its_first_reason():
    sieve = fourteen.Sieve(pd.Series(["a", "b", "c"]))
    sieve.drop(np.array([True, False, False]), "first")
    sieve.drop(pd.Series([True, True, False]), pd.Series(["x", "second", "y"]))
    assert sieve.out == [("a", "first"), ("b", "second")] and sieve.inside.tolist() == [False, False, True]


def test_a_survey_passes_over_hidden_files_and_mac_shadows(tmp_path):
    for name in (
        "a/one.JPG",
        "a/.hidden.png",
        "__MACOSX/a/._one.jpg",
        ".git/x.csv",
        "t.CSV",
        "a/b/t.csv.gz",
        "a/x.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    seen = survey.look(tmp_path)
    assert seen.images == ["a/one.JPG"] and seen.tables == ["t.CSV", "a/b/t.csv.gz"]
    assert seen.named("other.csv", "T.csv") == ["t.CSV", "a/b/t.csv.gz"]


def damaged(data, kind, rng):
    """Return bytes that went wrong in one of six ways."""
    data = bytearray(data)
    if kind == 0:
        return bytes(data[: rng.integers(0, len(data))])
    if kind == 1:
        for k in rng.integers(0, len(data), 8):
            data[k] = rng.integers(0, 256)
    if kind == 2:
        data = data.replace(b",", rng.choice([b";", b",,", b"\t", b'"']), int(rng.integers(1, 40)))
    if kind == 3:
        data = data[:60] + bytes(rng.integers(0, 256, 50, np.uint8)) + data[60:]
    if kind == 4:
        data = data.replace(b"\n", b"", int(rng.integers(1, 4)))
    if kind == 5:
        lines = bytes(data).split(b"\n")
        rng.shuffle(lines)
        data = b"\n".join(lines)
    return bytes(data)


@pytest.mark.parametrize("site", READERS)
def test_a_damaged_table_ends_in_a_sentence_or_in_sound_rows(site, tmp_path):
    raw = fake(site, tmp_path)
    tables = sorted(path for path in raw.rglob("*") if path.name.endswith((".csv", ".csv.gz", ".json")))
    whole = {path: path.read_bytes() for path in tables}
    for seed in range(72):
        rng, path = np.random.default_rng(seed), tables[seed % len(tables)]
        inside = path.suffix == ".gz" and seed % 3
        data = gzip.decompress(whole[path]) if inside else whole[path]
        data = damaged(data, seed % 6, rng)
        path.write_bytes(gzip.compress(data) if inside else data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found = SITES[site].read(raw, site, {})
        except CxrlabError as error:
            assert str(error)
        else:
            rows = found.rows
            assert (
                rows["image_id"].is_unique
                and (rows["patient_id"] != "").all()
                and (rows["source_file"] != "").all()
            )
            assert set(np.unique(found.evidence)) <= {int(code) for code in Evidence}
            assert len(found.facts) == len(rows) == len(found.evidence)
        path.write_bytes(whole[path])


@pytest.mark.parametrize("site", READERS)
def test_every_row_of_a_table_is_in_the_store_or_in_the_quarantine(site, tmp_path):
    raw = fake(site, tmp_path)
    seen = survey.look(raw)
    found = SITES[site].read(raw, site, {})
    named = set(found.rows["source_file"]) | {name for name, _ in found.quarantine}
    stems = {
        Path(name).stem if site in ("mimic", "brax") else "/".join(Path(name).with_suffix("").parts[-3:])
        for name in named
    }
    for image in seen.images:
        stem = (
            Path(image).stem
            if site in ("mimic", "brax")
            else "/".join(Path(image).with_suffix("").parts[-3:])
        )
        assert stem in stems


def test_a_table_without_any_label_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("Path,Age\np1,3\n")
    with pytest.raises(BadInput, match="no column of a finding"):
        fourteen.read(path, ("age",), ("path",)).lacking("x.csv")
