"""A store gives back what was written, and one from elsewhere is not believed."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrlab import store
from cxrlab.errors import BadInput, BadStore, MissingInput, NoSpace

ROOT = Path(__file__).parents[2]
LABELS = ("No Finding", "Pneumonia")
HEADER = store.Header(
    "here", "A made-up site", "nowhere", LABELS, ledger=({"native": "x", "label": "Pneumonia"},)
)


def rows_of(n):
    return pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(n)],
            "patient_id": [f"p{k // 2}" for k in range(n)],
            "study_id": "",
            "sex": "F",
            "age_years": [np.nan if k == 0 else 40.5 + k for k in range(n)],
            "view": "PA",
            "split_hint": "",
            "native_label": "Lungenentzündung | 肺炎",
            "width": 100,
            "height": 90,
            "source_file": [f"a/{k}.png" for k in range(n)],
        }
    )


def images_of(n, px=20, seed=0):
    return np.random.default_rng(seed).integers(0, 255, (n, px, px), np.uint8)


def evidence_of(n):
    return np.stack([np.arange(n) % 2, 1 - np.arange(n) % 2], axis=1).astype(np.int8)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "here.h5"
    masks = {"heart": images_of(5) > 200, "lungs": np.zeros((5, 20, 20), bool)}
    boxes = pd.DataFrame([("i1", "Pneumonia", 0.1, 0.2, 0.3, 0.4)], columns=list(store.BOX_COLUMNS))
    store.write(
        path, HEADER, rows_of(5), evidence_of(5), images_of(5), quarantine=[("b.png", "cut off")], boxes=boxes, masks=masks
    )  # fmt: skip
    return path


def test_what_was_written_is_read(path):
    opened = store.read(path)
    assert opened.header == HEADER and len(opened) == 5
    assert np.array_equal(opened.images(range(5)), images_of(5))
    assert np.array_equal(opened.evidence, evidence_of(5))
    assert opened.rows["native_label"][0] == "Lungenentzündung | 肺炎"
    assert np.isnan(opened.rows["age_years"][0]) and opened.rows["age_years"][1] == 41.5
    assert opened.quarantine.to_dict("records") == [{"file": "b.png", "reason": "cut off"}]
    assert opened.boxes["w"][0] == pytest.approx(0.3)
    assert opened.mask_names == ("heart", "lungs")
    assert (
        np.array_equal(opened.mask("heart", 3), images_of(5)[3] > 200) and not opened.mask("lungs", 0).any()
    )
    assert store.check(path) == []


def test_images_come_in_the_order_asked_for(path):
    opened = store.read(path)
    assert np.array_equal(opened.images([4, 0, 0, 2]), images_of(5)[[4, 0, 0, 2]])
    assert opened.images([]).shape == (0, 20, 20)
    assert np.array_equal(opened.image(3), images_of(5)[3])


def test_the_digest_depends_on_the_contents_and_not_on_the_moment(path, tmp_path):
    first = store.read(path).digest
    same = store.write(tmp_path / "b.h5", HEADER, rows_of(5), evidence_of(5), iter(images_of(5)))
    other = store.write(tmp_path / "c.h5", HEADER, rows_of(5), evidence_of(5), images_of(5, seed=1))
    assert first == same != other


def test_a_store_that_was_replaced_is_read_anew(path):
    old = store.read(path)
    store.write(path, HEADER, rows_of(5), evidence_of(5), images_of(5, seed=7))
    assert np.array_equal(old.image(0), images_of(5, seed=7)[0])


def test_a_removed_store_or_an_unknown_mask_is_a_sentence(path):
    opened = store.read(path)
    with pytest.raises(MissingInput, match="no 'spine' masks; it has: heart, lungs"):
        opened.mask("spine", 0)
    path.unlink()
    with pytest.raises(MissingInput, match="no store at"):
        opened.image(0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rows": rows_of(4)}, r"evidence of here is \(5, 2\); expected \(4, 2\)"),
        ({"images": images_of(4)}, "4 images for 5 rows"),
        ({"images": images_of(6)}, "expected 5 images"),
        ({"images": []}, "no image"),
        ({"images": [*images_of(4), images_of(1, 21)[0]]}, r"image 4 of here is \(21, 21\)"),
        ({"images": images_of(5).astype(np.uint16)}, "uint16"),
        ({"evidence": evidence_of(5) + 5}, r"holds \[5, 6\]; expected 1, 0, -1, -2 or -3"),
        ({"rows": rows_of(5).assign(image_id="x")}, "the image 'x' twice"),
        ({"rows": rows_of(5).drop(columns="sex")}, "lack sex"),
        (
            {"header": store.Header("here", "t", "s", ("Effusion", "Pneumonia"))},
            "did you mean 'Pleural Effusion'",
        ),
    ],
)
def test_what_does_not_fit_together_is_not_written(path, change, sentence):
    before = path.read_bytes()
    given_ = {
        "header": HEADER,
        "rows": rows_of(5),
        "evidence": evidence_of(5),
        "images": images_of(5),
        **change,
    }
    with pytest.raises(BadInput, match=sentence):
        store.write(path, **given_)
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["here.h5"]


def test_a_write_that_fails_leaves_the_old_store(path):
    def images():
        yield images_of(1)[0]
        raise OSError(28, "No space left on device")

    before = path.read_bytes()
    with pytest.raises(NoSpace, match="the disk filled up"):
        store.write(path, HEADER, rows_of(5), evidence_of(5), images())
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["here.h5"]


def test_a_write_that_is_killed_leaves_the_old_store(path):
    code = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        from cxrlab import store
        from test_store import HEADER, evidence_of, images_of, rows_of
        def images():
            yield from images_of(3)
            os.kill(os.getpid(), signal.SIGKILL)
        store.write(Path({str(path)!r}), HEADER, rows_of(5), evidence_of(5), images())
    """
    before = path.read_bytes()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=env, timeout=120, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_bytes() == before


def edit(path, change):
    """Change a copy of a store as somebody else might."""
    other = path.with_name("edited.h5")
    shutil.copy(path, other)
    with h5py.File(other, "r+") as h5:
        change(h5)
    return other


def claim(name, shape, dtype, **more):
    def change(h5):
        del h5[name]
        h5.create_dataset(name, shape, dtype, **more)

    return change


def link_outside(h5):
    del h5["evidence"]
    h5["evidence"] = h5py.ExternalLink("/etc/passwd", "/evidence")


def keep_outside(h5):
    del h5["evidence"]
    h5.create_dataset("evidence", (5, 2), np.int8, external=[("/etc/passwd", 0, 10)])


def make_virtual(h5):
    del h5["images"]
    layout = h5py.VirtualLayout((5, 20, 20), np.uint8)
    layout[:] = h5py.VirtualSource("other.h5", "images", (5, 20, 20))
    h5.create_virtual_dataset("images", layout)


def go_round(h5):
    h5["rows/again"] = h5["/rows"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda h5: h5.attrs.update(version=2), "version 2; this cxrlab reads version 1"),
        (lambda h5: h5.attrs.update(format="other"), "'other'; expected 'cxrlab-store'"),
        (lambda h5: h5.attrs.update(complete=False), "not finished"),
        (lambda h5: h5.attrs.update(labels="{"), "damaged"),
        (lambda h5: h5.attrs.update(labels='["No Finding", "Gout"]'), "'Gout'"),
        (lambda h5: h5.attrs.pop("digest"), "damaged"),
        (lambda h5: h5.pop("rows"), "damaged"),
        (lambda h5: h5["rows"].pop("sex"), "damaged"),
        (claim("images", (5, 30_000, 30_000), np.uint8, chunks=(1, 100, 100)), "claims 4,500,000,000 bytes"),
        (claim("images", (5, 20, 20), np.float32, data=np.zeros((5, 20, 20))), "float32"),
        (claim("images", (4, 20, 20), np.uint8, data=images_of(4)), r"images \(4, 20, 20\) uint8 are not one array"),
        (claim("evidence", (2**31, 2), np.int8), "claims 4,294,967,296 bytes"),
        (claim("evidence", (5, 2**30), np.int8, chunks=(1, 2**20), compression="gzip"), "claims"),
        (claim("evidence", (5, 3), np.int8, data=np.zeros((5, 3))), r"evidence \(5, 3\)"),
        (claim("rows/sex", (2**30,), h5py.string_dtype()), "claims"),
        (claim("masks/heart", (5, 2**20, 2**20), np.uint8, chunks=(1, 64, 64), compression="gzip"), "another shape"),
        (link_outside, "links from 'evidence' to another place"),
        (lambda h5: h5.update(x=h5py.SoftLink("/rows")), "links from 'x'"),
        (keep_outside, "in another file"),
        (make_virtual, "in another file"),
        (go_round, "deep"),
    ],
)  # fmt: skip
def test_a_store_that_lies_is_refused_without_reading_it(path, change, sentence):
    with pytest.raises(BadStore, match=sentence):
        store.read(edit(path, change))


def test_a_file_that_is_no_store_is_a_sentence(tmp_path):
    path = tmp_path / "x.h5"
    with pytest.raises(MissingInput, match="python -m cxrlab ingest"):
        store.read(path)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(BadStore, match="not a readable HDF5 file"):
        store.read(path)
    with h5py.File(path, "w"):
        pass
    with pytest.raises(BadStore, match="format None"):
        store.read(path)


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.3, 0.7, 0.95])
def test_a_store_cut_off_anywhere_is_a_sentence(path, kept):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(BadStore):
        store.read(path)


def test_check_finds_a_flipped_bit_in_an_image(path):
    data = bytearray(path.read_bytes())
    at = data.index(images_of(5)[2].tobytes())
    data[at + 7] ^= 1
    path.write_bytes(data)
    assert [w for w in store.check(path) if "image 2 (i2) does not match its checksum" in w]


def test_check_finds_a_changed_row(path):
    def change(h5):
        h5["rows/sex"][2] = "M"

    assert "digest" in store.check(edit(path, change))[0]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damage_is_a_sentence_never_a_crash(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "here.h5"
    store.write(path, HEADER, rows_of(3), evidence_of(3), images_of(3))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        said = store.check(path)
    except BadStore as error:
        said = [str(error)]
    assert all(sentence.strip() for sentence in said)


def test_a_store_has_room_for_long_text_and_many_rows(tmp_path):
    n = 300
    rows = rows_of(n).assign(native_label="x" * 3000)
    quarantine = [(f"f{k}.png", "reason " * 20) for k in range(2000)]
    path = tmp_path / "long.h5"
    store.write(path, HEADER, rows, evidence_of(n), images_of(n, 16), quarantine=quarantine)
    assert store.check(path) == [] and len(store.read(path).quarantine) == 2000


def test_a_header_may_be_longer_than_an_attribute_of_old(path):
    ledger = tuple({"native": f"ein Wort mit Ü {k}", "label": "Pneumonia", "images": k} for k in range(4000))
    store.write(path, dataclasses.replace(HEADER, ledger=ledger), rows_of(5), evidence_of(5), images_of(5))
    assert store.read(path).header.ledger == ledger and store.check(path) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda h5: h5.attrs.update(title="Another hospital"),
        lambda h5: h5["boxes/w"].write_direct(np.array([0.9], "f4")),
        lambda h5: h5["quarantine/reason"].__setitem__(0, b"cut up"),
        lambda h5: h5["masks/heart"].write_direct(np.zeros((5, 20, 20), np.uint8)),
    ],
    ids=["title", "box", "reason", "mask"],
)
def test_check_finds_what_the_digest_leaves_out(path, change):
    assert "not those that were written" in store.check(edit(path, change))[0]


def test_half_a_letter_and_a_zero_in_a_text_are_written_as_text(path):
    rows = rows_of(5).assign(native_label="a\0b")
    store.write(path, HEADER, rows, evidence_of(5), images_of(5), quarantine=[("\udce9.png", "x\0")])
    opened = store.read(path)
    assert opened.rows["native_label"][0] == "ab" and opened.quarantine["file"][0] == "?.png"
    assert store.check(path) == []
