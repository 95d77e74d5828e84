"""Fingerprints: alike for copies, kept under a store's digest."""

import numpy as np
import pytest

from cxrlab.leaks import hashes, near
from tests.leaks import kit


def test_a_flat_picture_has_no_fingerprint_and_so_no_copy(lab):
    flat = kit.write(lab, "flat", np.full((5, 64, 64), 90, np.uint8))
    words = hashes.of_store(flat)
    assert (words == 0).all()
    none = np.arange(5)
    assert len(near.candidates(words, words, none, none + 9, one=False)) == 0


def test_the_centre_of_an_oblong_source_is_its_square():
    image = np.zeros((100, 100), np.uint8)
    image[:, 25:75] = 7  # the middle half of a picture twice as wide as high
    assert (hashes.part(image, 200, 100, "centre") == 7).all()
    assert hashes.part(image, 100, 200, "centre").shape == (50, 100)
    for size in ((100, 100), (0, 0)):
        assert hashes.part(image, *size, "centre") is image


def test_fingerprints_are_kept_and_renewed_when_the_store_changes(lab, monkeypatch):
    made = []
    of_store = hashes.of_store
    monkeypatch.setattr(hashes, "of_store", lambda *said: made.append(1) or of_store(*said))
    pictures = kit.drawn("north", 6, 0)
    first = kit.write(lab, "a", pictures)
    words = hashes.fingerprints(lab, first)
    assert (hashes.fingerprints(lab, first) == words).all() and len(made) == 1
    second = kit.write(lab, "a", pictures[::-1])
    assert (hashes.fingerprints(lab, second) == words[::-1]).all() and len(made) == 2


@pytest.mark.parametrize("damage", [b"", b"no array", b"\x93NUMPY\x01\x00v\x00"])
def test_a_damaged_cache_is_made_anew(lab, damage):
    one = kit.write(lab, "a", kit.drawn("north", 6, 0))
    words = hashes.fingerprints(lab, one)
    lab.fingerprints(one.digest, hashes.VERSION).write_bytes(damage)
    assert (hashes.fingerprints(lab, one) == words).all()


def test_bits_are_counted_as_python_counts_them():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 2**63, (40, 3, 4), dtype=np.uint64)
    b = a[::-1].copy()
    b[:, 0, 0] ^= np.uint64(0b1011)  # 3 bits
    rows = near.candidates(a, b, np.full(40, -1), np.full(40, -2), one=False)
    assert {tuple(row) for row in rows.tolist()} == {(i, 39 - i) for i in range(40)}
