"""COCO's compressed run lengths."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from cxrlab.errors import BadInput
from cxrlab.images import rle

spec = importlib.util.spec_from_file_location(
    "chexpert_make", Path(__file__).parent.parent / "sites" / "chexpert" / "make.py"
)
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


@pytest.mark.parametrize(
    ("size", "counts", "runs"),
    [
        ((10, 10), "T3", [100]),  # nothing: 100 = 4 + 3 * 32
        ((10, 10), "0T3", [0, 100]),  # everything
        ((3, 2), "132", [1, 3, 2]),
        ((4, 3), "23O2", [2, 3, 1, 5]),  # O is 31, that is -1: not yet a difference, so the sum is wrong
    ],
)
def test_known_strings_give_known_runs(size, counts, runs):
    if counts == "23O2":
        with pytest.raises(BadInput, match="runs fill"):
            rle.decode(size, counts)
        return
    flat = rle.decode(size, counts).T.reshape(-1)
    assert flat.tolist() == np.repeat(np.arange(len(runs)) % 2 == 1, runs).tolist()


def test_from_the_fourth_run_on_differences_to_the_run_before_the_last_are_stored():
    # Runs 2, 3, 4, 1, 6 of a 4 x 4 image; 1 - 3 = -2 is the character N, 6 - 4 = 2.
    flat = rle.decode((4, 4), "234N2").T.reshape(-1).astype(int).tolist()
    assert flat == [0] * 2 + [1] * 3 + [0] * 4 + [1] + [0] * 6


def test_runs_go_down_the_columns():
    mask = rle.decode((3, 2), "033")
    assert mask.tolist() == [[True, False]] * 3


def test_what_the_c_code_writes_is_read_back():
    rng = np.random.default_rng(3)
    for shape in ((1, 1), (7, 5), (64, 80), (300, 211)):
        for share in (0.0, 0.02, 0.5, 1.0):
            mask = rng.random(shape) < share
            said = make.encoded(mask)
            assert np.array_equal(rle.decode(said["size"], said["counts"]), mask)


def test_plain_run_lengths_are_read_too():
    assert rle.decode((2, 2), [1, 2, 1]).tolist() == [[False, True], [True, False]]


@pytest.mark.parametrize(
    ("size", "counts"),
    [
        ((10, 10), "T4"),  # too many
        ((10, 10), "T"),  # cut off
        ((10, 10), "T3 "),
        ((10, 10), "Tö"),
        ((10, 10), "ooooooooooooooooooo0"),  # a run that no image has
        ((0, 10), ""),
        ((100000, 100000), "T3"),
        ((10,), "T3"),
        ("ab", "T3"),
        (None, "T3"),
        ((10, 10), None),
        ((10, 10), [[1], [2, 3]]),
        ((2, 2), [5, -1]),
    ],
)
def test_a_damaged_code_is_a_sentence(size, counts):
    with pytest.raises(BadInput, match="mask"):
        rle.decode(size, counts)


def test_a_mask_is_stretched_with_its_image():
    mask = np.zeros((200, 100), bool)
    mask[100:, 50:] = True
    small = rle.fit(mask, 20)
    wanted = np.zeros((20, 20), bool)
    wanted[10:, 10:] = True
    assert small.dtype == bool and np.array_equal(small, wanted)


def test_a_thin_structure_does_not_vanish_by_being_made_small():
    mask = np.zeros((1000, 1000), bool)
    mask[500, 100:900] = True
    small = rle.fit(mask, 20)
    assert small.any() and small.sum() <= 20
    assert not rle.fit(np.zeros((1000, 1000), bool), 20).any()


def test_a_small_mask_is_enlarged_to_the_square():
    mask = np.zeros((10, 10), bool)
    mask[:5] = True
    small = rle.fit(mask, 40)
    assert small[:18].all() and not small[22:].any()
