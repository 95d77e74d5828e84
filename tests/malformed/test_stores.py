"""A store from elsewhere or a damaged one: one sentence, `check` names what is wrong, or nothing of it is changed."""

import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pytest

from cxrlab import store
from cxrlab.errors import CxrlabError
from cxrlab.paths import Lab
from tests.malformed import kit

N, SIDE = 4, 20
LABELS = ("No Finding", "Pneumonia")
TEXT = h5py.string_dtype("utf-8", 8)


def write(path):
    """Write a store with everything that one can have."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {name: "" if kind == "str" else 40 for name, kind in store.ROW_COLUMNS.items()}, index=range(N)
    )
    rows = rows.assign(
        image_id=[f"i{k}" for k in range(N)], patient_id=[f"p{k}" for k in range(N)], sex="F", source_file="a.png",
        native_label="Lungenentzündung | 肺炎",
    )  # fmt: skip
    store.write(
        path,
        store.Header(
            "x",
            "A made-up site",
            "nowhere",
            LABELS,
            ledger=({"native": "p", "label": "Pneumonia", "images": 2},),
        ),
        rows,
        rng.integers(0, 2, (N, 2)).astype(np.int8),
        rng.integers(0, 255, (N, SIDE, SIDE), np.uint8),
        quarantine=[("b.png", "cut off")],
        boxes=pd.DataFrame([("i1", "Pneumonia", 0.1, 0.2, 0.3, 0.4)], columns=list(store.BOX_COLUMNS)),
        masks={"heart": rng.integers(0, 2, (N, SIDE, SIDE)).astype(bool)},
        facts=pd.DataFrame({"device": ["A", "B", "A", "B"]}),
        votes=rng.integers(0, 3, (N, 2)).astype(np.int8),
    )


def contents(path):
    """Return everything that a store says, for comparison."""
    opened = store.read(path)
    tables = [t.to_json() for t in (opened.rows, opened.quarantine, opened.boxes, opened.facts)]
    masks = [[opened.mask(name, i).tobytes() for i in range(N)] for name in opened.mask_names]
    return (
        opened.header,
        tables,
        opened.evidence.tolist(),
        opened.votes.tolist(),
        opened.images(range(N)).tobytes(),
        masks,
    )


def instead(name, *shape_and_kind, **how):
    """Return a change that puts another array in the place of one."""

    def change(h5):
        del h5[name]
        h5.create_dataset(name, *shape_and_kind, **how)

    return change


def said(**attrs):
    return lambda h5: h5.attrs.update(attrs)


def without(name):
    return lambda h5: h5.__delitem__(name)


def unsaid(name):
    return lambda h5: h5.attrs.__delitem__(name)


def linked(name, link):
    def change(h5):
        if name in h5:
            del h5[name]
        h5[name] = link

    return change


def virtual(name, shape):
    def change(h5):
        kind = h5[name].dtype
        del h5[name]
        layout = h5py.VirtualLayout(shape, kind)
        layout[...] = h5py.VirtualSource("/etc/passwd", name, shape)
        h5.create_virtual_dataset(name, layout)

    return change


def outside(name, shape, kind):
    def change(h5):
        del h5[name]
        h5.create_dataset(name, shape, kind, external=[("/etc/passwd", 0, 10**6)])

    return change


def deep(h5):
    here = h5
    for _ in range(2000):
        here = here.create_group("g")


def many(h5):
    for k in range(3000):
        h5.create_group(f"extra{k}")


def cell(name, k, value):
    return lambda h5: h5[name].__setitem__(k, value)


EDITS = {
    **{f"no {name}": without(name) for name in ("images", "evidence", "rows", "quarantine", "boxes", "rows/image_id", "rows/patient_id", "rows/age_years", "rows/source_file", "quarantine/reason", "boxes/x")},
    **{f"no attribute {name}": unsaid(name) for name in ("format", "version", "site", "title", "source", "labels", "preprocess", "synthetic", "digest", "complete")},
    **{f"{name} is an array": said(**{name: np.arange(5)}) for name in ("format", "version", "labels", "complete", "digest", "title", "ledger", "preprocess")},
    **{f"labels are {value!r}": said(labels=json.dumps(value)) for value in ([], {}, 5, None, "Pneumonia", ["Pneumonia", "Pneumonia"], [1, 2], ["Gout", "Ache"], ["No Finding"])},
    **{f"the ledger is {value!r}": said(ledger=json.dumps(value)) for value in (5, None, "words", [1, 2], [[]], {"a": 1}, [{"native": 1}])},
    **{f"preprocess is {value!r}": said(preprocess=json.dumps(value)) for value in (5, None, "words", [1], {"map": 5})},
    "labels are no JSON": said(labels="["),
    "labels are deeper than any": said(labels="[" * 30000),
    "the version is a word": said(version="one"),
    "the version is not a number": said(version=np.nan),
    "the version is of the future": said(version=9),
    "the version is beyond counting": said(version=2**63 - 1),
    "the title is half a letter": said(title=np.bytes_(b"\xff\xfe")),
    "another title": said(title="St. Elsewhere"),
    "another digest": said(digest="0" * 64),
    "another seal": said(seal="0" * 64),
    "a title of a megabyte": said(title="x" * 2**20),
    "not finished": said(complete=False),
    "images as a link to outside": linked("images", h5py.ExternalLink("/etc/passwd", "/images")),
    "rows as a link to outside": linked("rows", h5py.ExternalLink("other.h5", "/rows")),
    "a link to outside more": linked("more", h5py.ExternalLink("/dev/zero", "/")),
    "evidence as a soft link": linked("evidence", h5py.SoftLink("/votes")),
    "a soft link to itself": linked("more", h5py.SoftLink("/more")),
    "a soft link to nothing": linked("rows/sex", h5py.SoftLink("/nowhere")),
    "masks in themselves": lambda h5: h5.__setitem__("masks/again", h5["masks"]),
    "rows in themselves": lambda h5: h5.__setitem__("rows/again", h5["/"]),
    "images that are virtual": virtual("images", (N, SIDE, SIDE)),
    "evidence that is virtual": virtual("evidence", (N, 2)),
    "votes that are virtual": virtual("votes", (N, 2)),
    "masks that are virtual": virtual("masks/heart", (N, SIDE, SIDE)),
    "evidence kept in another file": outside("evidence", (N, 2), np.int8),
    "images kept in another file": outside("images", (N, SIDE, SIDE), np.uint8),
    "a mask kept in another file": outside("masks/heart", (N, SIDE, SIDE), np.uint8),
    "images of a quintillion bytes": instead("images", (2**40, 2**10, 2**10), np.uint8, chunks=(1, 512, 512)),
    "images of gigabytes never written": instead("images", (N, 2**15, 2**15), np.uint8, chunks=(1, 512, 512)),
    "images without end": instead("images", (0, SIDE, SIDE), np.uint8, maxshape=(None, SIDE, SIDE)),
    "images of no side": instead("images", (N, 0, 0), np.uint8),
    "images not square": instead("images", data=np.ones((N, 10, 40), np.uint8)),
    "images in colour": instead("images", data=np.ones((N, SIDE, SIDE, 3), np.uint8)),
    "images of 16 bits": instead("images", data=np.ones((N, SIDE, SIDE), np.uint16)),
    "images of text": instead("images", data=np.full((N, SIDE, SIDE), b"x", TEXT), dtype=TEXT),
    "images as one number": instead("images", data=np.uint8(5)),
    "images as nothing": instead("images", data=h5py.Empty("u1")),
    "images as a group": lambda h5: (h5.__delitem__("images"), h5.create_group("images")),
    "images one too many": instead("images", data=np.ones((N + 1, SIDE, SIDE), np.uint8)),
    "images that are packed": instead("images", data=np.ones((N, SIDE, SIDE), np.uint8), compression="gzip"),
    "a bomb of a mask": instead("masks/heart", (N, 2**15, 2**15), np.uint8, chunks=(1, 2**15, 2**15), compression="gzip"),
    "a mask of words": instead("masks/heart", data=np.full((N, SIDE, SIDE), b"x", TEXT), dtype=TEXT),
    "a mask of numbers with points": instead("masks/heart", data=np.full((N, SIDE, SIDE), np.nan)),
    "evidence of a word": instead("evidence", data=np.full((N, 2), b"x", TEXT), dtype=TEXT),
    "evidence of numbers with points": instead("evidence", data=np.full((N, 2), 0.5)),
    "evidence not a number": instead("evidence", data=np.full((N, 2), np.nan)),
    "evidence of 77": instead("evidence", data=np.full((N, 2), 77, np.int8)),
    "evidence of one dimension": instead("evidence", data=np.zeros(N * 2, np.int8)),
    "evidence of three labels": instead("evidence", data=np.zeros((N, 3), np.int8)),
    "evidence of gigabytes": instead("evidence", (2**31, 2), np.int8),
    "votes of words": instead("votes", data=np.full((N, 2), b"x", TEXT), dtype=TEXT),
    "votes of another site": instead("votes", data=np.zeros((N + 3, 2), np.int8)),
    "votes of numbers with points": instead("votes", data=np.full((N, 2), np.nan)),
    "facts too few": instead("facts/device", data=np.full(2, b"A", TEXT), dtype=TEXT),
    "facts in a table": instead("facts/device", data=np.full((N, 3), b"A", TEXT), dtype=TEXT),
    "facts of numbers": instead("facts/device", data=np.full(N, np.nan)),
    "facts as an array": instead("facts", data=np.zeros(N)),
    "names that repeat": instead("rows/image_id", data=np.full(N, b"i0", TEXT), dtype=TEXT),
    "names that are numbers": instead("rows/image_id", data=np.arange(N)),
    "names too few": instead("rows/image_id", data=np.full(2, b"i0", TEXT), dtype=TEXT),
    "names in a table": instead("rows/image_id", data=np.full((N, 2), b"i0", TEXT), dtype=TEXT),
    "names of half a letter": instead("rows/patient_id", data=np.full(N, b"\xff\xfe", TEXT), dtype=TEXT),
    "names that climb": instead("rows/source_file", data=np.full(N, b"../../x", TEXT), dtype=TEXT),
    "a sex of numbers": instead("rows/sex", data=np.arange(N)),
    "a sex of its own": cell("rows/sex", 1, b"X"),
    "ages of words": instead("rows/age_years", data=np.full(N, b"old", TEXT), dtype=TEXT),
    "ages beyond": cell("rows/age_years", 1, np.float32(np.inf)),
    "ages below": cell("rows/age_years", 1, np.float32(-7)),
    "widths of words": instead("rows/width", data=np.full(N, b"wide", TEXT), dtype=TEXT),
    "widths with points": instead("rows/width", data=np.full(N, np.nan)),
    "a view of its own": cell("rows/view", 1, b"ABOVE"),
    "a split of its own": cell("rows/split_hint", 0, b"X"),
    "rows as an array": instead("rows", data=np.zeros(N)),
    "boxes of words": instead("boxes/x", data=np.full(1, b"left", TEXT), dtype=TEXT),
    "boxes not a number": cell("boxes/x", 0, np.nan),
    "boxes without end": cell("boxes/w", 0, np.inf),
    "boxes below nothing": cell("boxes/w", 0, -4.0),
    "boxes of other images": instead("boxes/image_id", data=np.full(1, b"i99", TEXT), dtype=TEXT),
    "boxes of a label unknown": instead("boxes/label", data=np.full(1, b"Gout", TEXT), dtype=TEXT),
    "boxes of unequal columns": instead("boxes/y", data=np.zeros(7, np.float32)),
    "reasons that are numbers": instead("quarantine/reason", data=np.arange(1)),
    "reasons of unequal columns": instead("quarantine/reason", data=np.full(3, b"x", TEXT), dtype=TEXT),
    "groups two thousand deep": deep,
    "three thousand groups more": many,
    "a type with a name": lambda h5: h5.__setitem__("more", np.dtype("f4")),
    "a reference": lambda h5: h5.create_dataset("more", data=h5["rows"].ref, dtype=h5py.ref_dtype),
    "an array of unequal rows": lambda h5: h5.create_dataset("more", (3,), h5py.vlen_dtype(np.int32)),
}  # fmt: skip
# A thing that nobody reads, or that means the same.
HARMLESS = {"three thousand groups more", "a reference", "an array of unequal rows", "a title of a megabyte"}
BYTES = {
    **{f"cut at {share:.1%}": lambda data, rng, share=share: data[: int(len(data) * share)] for share in (0.0, 0.001, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 0.999)},
    **{f"bits flipped, try {k}": lambda data, rng: flipped(data, rng, 1) for k in range(40)},
    **{f"many bits flipped, try {k}": lambda data, rng: flipped(data, rng, 30) for k in range(10)},
    "four kilobytes of zeros in its middle": lambda data, rng: data[: len(data) // 2] + bytes(4096) + data[len(data) // 2 + 4096 :],
    "shifted by a byte": lambda data, rng: data[:1000] + b"\0" + data[1000:],
    "bytes behind its end": lambda data, rng: data + rng.bytes(5000),
    "random bytes": lambda data, rng: rng.bytes(9000),
    "random bytes after HDF5's first": lambda data, rng: data[:8] + rng.bytes(9000),
    "a ZIP": lambda data, rng: b"PK\x03\x04" + rng.bytes(900),
    "a web page": lambda data, rng: b"<!DOCTYPE html><html>Sign in</html>",
    "a Git LFS pointer": lambda data, rng: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "an HDF5 file of something else": None,
}  # fmt: skip
INPUTS = [f"store: {name}" for name in (*EDITS, *BYTES)]


def flipped(data, rng, n):
    out = bytearray(data)
    for at in rng.integers(0, len(out), n):
        out[int(at)] ^= 1 << int(rng.integers(8))
    return bytes(out)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "x.h5"
    write(path)
    return path, contents(path)


@pytest.mark.parametrize("name", [*EDITS, *BYTES])
def test_a_store_that_was_changed_is_a_sentence_or_says_what_it_said(lab, sound, name):
    path = lab.store("x")
    path.parent.mkdir(parents=True)
    shutil.copy(sound[0], path)
    if name in EDITS:
        with h5py.File(path, "r+") as h5:
            EDITS[name](h5)
    elif BYTES[name] is None:
        with h5py.File(path, "w") as h5:
            h5["data"] = np.arange(10)
    else:
        rng = np.random.default_rng(sum(map(ord, name)))
        path.write_bytes(BYTES[name](path.read_bytes(), rng))
    checked = kit.say("sites", "check", "x")
    assert checked.status in (0, 2)
    listed = kit.say("sites", "list", "--json")
    assert listed.status == 0 and json.loads(listed.out)[0]["site"] == "x"
    for words in (("show", "x"), ("show", "x", "--json")):
        shown = kit.say("sites", *words)
        assert shown.status in (0, 2)
        if shown.status:
            kit.check_sentence(shown, "x.h5")
    in_the_way = kit.say("ingest", "folder", path.parent, "--site", "x", "--size", 32)
    assert in_the_way.status == 2
    if checked.status == 2:
        assert checked.out.strip() or checked.err.strip()
        assert "Traceback" not in checked.out + checked.err
    else:
        assert contents(path) == sound[1] or name in HARMLESS, "it says something else, and nobody noticed"
        assert name not in EDITS or name in HARMLESS
    for sentence in checked.out.strip().splitlines():
        kit.check_reason(sentence)


def test_a_store_whose_place_holds_something_else(lab, tmp_path):
    path = lab.store("x")
    path.parent.mkdir(parents=True)
    for make in (path.mkdir, lambda: path.symlink_to("nowhere"), lambda: path.symlink_to(path.name)):
        make()
        for words in (("sites", "check", "x"), ("sites", "show", "x"), ("sites", "list")):
            done = kit.say(*words)
            assert done.status in (0, 2) and "Traceback" not in done.err
        with pytest.raises(CxrlabError):
            store.read(path)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    assert Lab.here().sites() == []
