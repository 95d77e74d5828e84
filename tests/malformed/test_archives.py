"""A damaged MedMNIST archive is one sentence, or every image is in the store or in its quarantine."""

import io
import os
import pickle
import shutil
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from cxrlab.paths import Lab
from tests.malformed import kit

SIDE, PARTS = 28, {"train": 8, "val": 3, "test": 4}
N = sum(PARTS.values())


def arrays():
    rng = np.random.default_rng(0)
    made = {}
    for part, n in PARTS.items():
        made[f"{part}_images"] = rng.integers(0, 255, (n, SIDE, SIDE), np.uint8)
        made[f"{part}_labels"] = (np.arange(n).reshape(n, 1) % 2).astype(np.uint8)
    return made


def packed(made, **how):
    out = io.BytesIO()
    np.savez_compressed(out, **made) if how.pop("small", True) else np.savez(out, **made)
    return out.getvalue()


def with_arrays(**changes):
    """Return a fault that replaces arrays; None takes one away."""
    return lambda rng: packed({k: v for k, v in {**arrays(), **changes}.items() if v is not None})


def with_entry(name, data, kind=zipfile.ZIP_DEFLATED):
    """Return a fault that replaces the bytes of one array inside."""

    def fault(rng):
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(packed(arrays()))) as old, zipfile.ZipFile(out, "w", kind) as new:
            for entry in old.namelist():
                new.writestr(entry, data if entry == f"{name}.npy" else old.read(entry))
        return out.getvalue()

    return fault


def npy(shape, dtype="|u1", data=b"", fortran=False):
    """Return an array's file that claims whatever is said."""
    head = f"{{'descr': {dtype!r}, 'fortran_order': {fortran}, 'shape': {shape}, }}"
    head = head.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data


def flipped(at, small=True):
    def fault(rng):
        data = bytearray(packed(arrays(), small=small))
        data[int(at * (len(data) - 1))] ^= 1 << int(rng.integers(8))
        return bytes(data)

    return fault


class Trap:
    """What runs when somebody unpickles it."""

    def __reduce__(self):
        return os.mkdir, ("it-was-run",)


def doubled(rng):
    out = io.BytesIO(packed(arrays()))
    with zipfile.ZipFile(out, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("train_images.npy", npy((8, SIDE, SIDE), data=bytes(8 * SIDE * SIDE)))
    return out.getvalue()


def encrypted(rng):
    data = bytearray(packed(arrays()))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    data[6] |= 1
    return bytes(data)


FAULTS = {
    **{f"cut at {share:.0%}": lambda rng, share=share: packed(arrays())[: int(len(packed(arrays())) * share)] for share in (0.0, 0.1, 0.5, 0.9, 0.99)},
    **{f"a bit flipped at {at:.0%}": flipped(at) for at in (0.0, 0.002, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 1.0)},
    **{f"a bit flipped at {at:.0%}, not packed": flipped(at, small=False) for at in (0.005, 0.01, 0.1, 0.4, 0.8)},
    "objects that run": with_entry("train_images", npy((1,), "|O", pickle.dumps([Trap()]))),
    "labels that run": with_entry("train_labels", npy((1,), "|O", pickle.dumps([Trap()]))),
    "a bare pickle": lambda rng: pickle.dumps(Trap()),
    "images of 16 bits": with_arrays(train_images=np.ones((8, SIDE, SIDE), np.uint16)),
    "images of floating numbers": with_arrays(test_images=np.ones((4, SIDE, SIDE))),
    "images in colour": with_arrays(val_images=np.ones((3, SIDE, SIDE, 3), np.uint8)),
    "images of one side": with_arrays(val_images=np.ones((3, SIDE), np.uint8)),
    "images of other sizes": with_arrays(val_images=arrays()["val_images"][:, :20, :20]),
    "images in columns first": with_arrays(train_images=np.asfortranarray(arrays()["train_images"])),
    "images of no pixels": with_arrays(val_images=np.ones((3, 0, 0), np.uint8)),
    "images of nothing": with_arrays(val_images=np.ones((), np.uint8)),
    "images all black": with_arrays(val_images=np.zeros((3, SIDE, SIDE), np.uint8)),
    "no train images": with_arrays(train_images=None),
    "no test labels": with_arrays(test_labels=None),
    "more images than labels": with_arrays(val_labels=np.zeros((2, 1), np.uint8)),
    "more labels than images": with_arrays(val_labels=np.zeros((9, 1), np.uint8)),
    "labels of seven": with_arrays(val_labels=np.full((3, 1), 7, np.uint8)),
    "labels below nothing": with_arrays(val_labels=np.full((3, 1), -1, np.int64)),
    "labels not a number": with_arrays(val_labels=np.full((3, 1), np.nan)),
    "labels of words": with_arrays(val_labels=np.array([["pneumonia"]] * 3)),
    "labels complex": with_arrays(val_labels=np.full((3, 1), 1j)),
    "labels of dates": with_arrays(val_labels=np.full((3, 1), np.datetime64("2020-01-01"))),
    "labels in three columns": with_arrays(val_labels=np.zeros((3, 3), np.uint8)),
    "labels without columns": with_arrays(val_labels=np.zeros(3, np.uint8)),
    "labels of nothing": with_arrays(val_labels=np.zeros((), np.uint8)),
    "no image at all": with_arrays(**{f"{p}_{k}": v[:0] for p in PARTS for k, v in (("images", arrays()[f"{p}_images"]), ("labels", arrays()[f"{p}_labels"]))}),
    "a header that claims a quadrillion images": with_entry("train_images", npy((10**15, SIDE, SIDE), data=bytes(99))),
    "a header that claims negative images": with_entry("train_images", npy((-8, SIDE, SIDE), data=bytes(99))),
    "a header that claims huge labels": with_entry("train_labels", npy((10**15, 1), data=bytes(99))),
    "a header that is code": with_entry("train_images", npy((8, SIDE, SIDE)).replace(b"'shape'", b"exit()+")),
    "a header without end": with_entry("train_images", b"\x93NUMPY\x01\x00\xff\xff{'descr'"),
    "a header of another version": with_entry("train_images", b"\x93NUMPY\x09\x00" + npy((8, SIDE, SIDE))[8:]),
    "an array cut off inside": with_entry("test_images", npy((4, SIDE, SIDE), data=bytes(range(256)) * 4)),
    "an array that is text": with_entry("train_images", b"no array at all"),
    "zeros without end": with_entry("train_labels", npy((2**27, 1), data=bytes(2**27))),
    "an entry twice": doubled,
    "encrypted": encrypted,
    "random bytes": lambda rng: rng.bytes(5000),
    "a web page": lambda rng: b"<!DOCTYPE html><html>Sign in</html>",
    "a Git LFS pointer": lambda rng: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "an empty ZIP": lambda rng: b"PK\x05\x06" + bytes(18),
}  # fmt: skip
PLACES = {
    "a folder in its place": lambda path: path.mkdir(),
    "a pipe in its place": lambda path: os.mkfifo(path),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a link to endless zeros": lambda path: path.symlink_to("/dev/zero"),
    "nothing in its place": lambda path: None,
}
INPUTS = [f"archive: {name}" for name in (*FAULTS, *PLACES)]


@pytest.mark.parametrize("name", [*FAULTS, *PLACES])
@pytest.mark.parametrize("given", ["its folder", "itself"])
def test_a_damaged_archive_loses_nothing_in_silence(tmp_path, lab, monkeypatch, name, given):
    monkeypatch.setattr("cxrlab.intake.decoders.Crew", kit.Here)
    monkeypatch.chdir(tmp_path)
    raw = tmp_path / "raw"
    raw.mkdir()
    path = raw / "pneumoniamnist.npz"
    if name in PLACES:
        PLACES[name](path)
    else:
        path.write_bytes(FAULTS[name](np.random.default_rng(zlib.crc32(name.encode()))))
    done = kit.say(
        "ingest", "medmnist", raw if given == "its folder" else path, "--site", "x", "--size", kit.PX
    )
    assert not (tmp_path / "it-was-run").exists(), "what was in it was run"
    assert done.status in (0, 2)
    if done.status:
        kit.check_sentence(done, "raw", "medmnist")
        shutil.rmtree(raw)
        return
    made = kit.look(Lab.here(), "x", "medmnist", Path(raw))
    assert len(made.rows) + len(made.left_out) == N
    for _, reason in made.left_out:
        kit.check_reason(reason)
