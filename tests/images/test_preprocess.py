"""Crops keep what they say, contrast is standardised without touching what is alike, odd images come out as they are."""

import cv2
import numpy as np
import pytest

from cxrlab import phantom
from cxrlab.errors import BadInput
from cxrlab.images import lungs, preprocess
from cxrlab.images.preprocess import WHOLE, Frame

N = 16


@pytest.fixture(scope="module")
def drawn():
    return [phantom.draw("north", i) for i in range(N)]


def gained(image, gain=0.55, gamma=1.6):
    return np.rint(255 * gain * (image / 255) ** gamma).astype(np.uint8)


def far(images, others):
    """Return the mean distance of two sites' cumulative histograms."""
    both = [np.bincount(np.concatenate([i.ravel() for i in s]), minlength=256) for s in (images, others)]
    up = [np.cumsum(counts) / counts.sum() for counts in both]
    return float(np.abs(up[0] - up[1]).sum())


def test_nyul_fitted_at_home_brings_another_gain_and_gamma_home_and_leaves_home_alone(drawn):
    home = [one.image for one in drawn[:8]]
    away = [gained(one.image) for one in drawn[8:]]
    standard = preprocess.mean_landmarks(home)
    assert far(home, [preprocess.nyul(i, standard) for i in away]) < 0.25 * far(home, away)
    assert far(home, [preprocess.nyul(i, standard) for i in home]) < 0.1 * far(home, away)
    again = preprocess.nyul(home[0], tuple(preprocess.landmarks(home[0])))
    assert np.abs(again.astype(int) - home[0]).max() <= 1


def test_nyul_keeps_the_order_of_grey_values_and_black_black(drawn):
    standard = preprocess.mean_landmarks([one.image for one in drawn[:4]])
    for image in (gained(drawn[9].image), (drawn[9].image > 100).astype(np.uint8) * 255):
        made = preprocess.nyul(image, standard).astype(int)
        greys = np.unique(image)
        mapped = [made[image == grey] for grey in greys]
        assert all(len(np.unique(values)) == 1 for values in mapped), "one grey becomes one grey"
        assert np.all(np.diff([values[0] for values in mapped]) >= 0)
        assert not made[image == 0].any()


def test_blank_images_are_left_as_they_are_and_no_landmarks_come_from_them():
    blank = np.full((64, 64), 80, np.uint8)
    assert np.isnan(preprocess.landmarks(blank)).all()
    assert (preprocess.nyul(blank, tuple(float(v) for v in range(10, 21))) == 80).all()
    with pytest.raises(BadInput, match="none of the 2 images"):
        preprocess.mean_landmarks([blank, blank])


def test_clahe_spreads_a_flat_image_and_works_at_every_size(drawn):
    for px in (16, 28, 64, 224, 512):
        flat = cv2.resize(drawn[0].image // 4 + 90, (px, px), interpolation=cv2.INTER_AREA)
        made = preprocess.clahe(flat)
        assert made.shape == (px, px)
        assert made.dtype == np.uint8
        assert px < 64 or made.std() > 1.3 * flat.std()


def test_a_letterbox_undoes_the_stretch_and_pads_with_black():
    """A circle on an oblong film is a circle again."""
    film = np.full((300, 600), 40, np.uint8)
    cv2.circle(film, (300, 150), 90, 220, -1)
    stored = cv2.resize(film, (224, 224), interpolation=cv2.INTER_AREA)
    made = preprocess.apply(stored, preprocess.frame_of(stored, "none", "letterbox", 600, 300))
    _, _, w, h = cv2.boundingRect((made > 130).astype(np.uint8))
    assert abs(w - h) <= 1
    assert w == pytest.approx(224 * 180 / 600, abs=2)
    assert not made[:55].any()
    assert not made[-55:].any()
    assert made[57:-57].all()
    tall = preprocess.frame_of(stored, "none", "letterbox", 300, 600)
    assert tall.target == (0.25, 0.0, 0.75, 1.0)
    assert preprocess.frame_of(stored, "none", "letterbox", 0, 0).target == WHOLE, "size not known: a square"


def test_a_centre_crop_keeps_its_share_and_enlarges_it(drawn):
    image = drawn[0].image
    frame = preprocess.frame_of(image, "centre", "stretch", 224, 224)
    assert frame.source == (14 / 224, 14 / 224, 210 / 224, 210 / 224)
    assert preprocess.apply(image, frame).shape == image.shape


def test_boxes_follow_the_crop_and_those_outside_vanish():
    frame = Frame((0.25, 0.25, 0.75, 0.75), (0.0, 0.25, 1.0, 0.75))
    boxes = np.array(
        [[0.25, 0.25, 0.5, 0.5], [0.5, 0.5, 0.1, 0.1], [0.2, 0.4, 0.1, 0.1], [0.8, 0.8, 0.1, 0.1]]
    )
    moved = frame.moved(boxes)
    assert moved[0].tolist() == [0, 0.25, 1, 0.5]
    assert moved[1] == pytest.approx([0.5, 0.5, 0.2, 0.1])
    assert moved[2] == pytest.approx([0, 0.4, 0.1, 0.1])
    assert (moved[3, 2:] == 0).all()


@pytest.mark.parametrize("recipe", ["north", "coast", "south", "children"])
def test_lungs_are_found_where_they_are_and_their_crop_holds_them(recipe):
    drawn = [phantom.draw(recipe, i) for i in range(24)]
    found = [lungs.find(one.image) for one in drawn]
    pairs = [(one.masks["lungs"], f) for one, f in zip(drawn, found, strict=True) if f.mask is not None]
    assert len(pairs) >= 0.7 * len(drawn)
    assert np.mean([(true & f.mask).sum() / (true | f.mask).sum() for true, f in pairs]) > 0.7
    held = []
    for one in drawn:
        frame = preprocess.frame_of(one.image, "lungs", "stretch", 224, 224)
        left, top, right, bottom = (round(edge * 224) for edge in frame.source)
        held.append(one.masks["lungs"][top:bottom, left:right].sum() / one.masks["lungs"].sum())
        assert bool(frame.why_whole) == (frame.source == WHOLE) or not frame.why_whole
    held = np.array(held)
    assert np.mean(held >= 0.95) >= 0.9, "a lung that is white at its base or apex may lose a strip"
    assert held.min() > 0.8


def odd_images():
    rng = np.random.default_rng(0)
    ramp = np.repeat(np.arange(224, dtype=np.uint8)[None], 224, axis=0)
    return {
        "black": np.zeros((224, 224), np.uint8),
        "white": np.full((224, 224), 255, np.uint8),
        "noise": rng.integers(0, 256, (224, 224)).astype(np.uint8),
        "ramp": ramp,
        "half": np.where(ramp > 112, 200, 10).astype(np.uint8),
        "tiny": rng.integers(0, 256, (28, 28)).astype(np.uint8),
    }


@pytest.mark.parametrize("name", list(odd_images()))
def test_what_is_no_chest_is_shown_whole_and_says_why(name):
    image = odd_images()[name]
    frame = preprocess.frame_of(image, "lungs", "stretch", 100, 100)
    assert frame.source == WHOLE
    assert frame.why_whole
    assert preprocess.apply(image, frame) is image
    assert lungs.body_mask(image).shape == image.shape


def test_the_finder_does_not_care_for_size_or_gain(drawn):
    image = drawn[0].image
    box = np.array(lungs.find(image).box)
    big = cv2.resize(image, (512, 512), interpolation=cv2.INTER_LINEAR)
    assert np.abs(np.array(lungs.find(big).box) - box).max() < 0.04
    assert np.abs(np.array(lungs.find((image * 0.6).astype(np.uint8)).box) - box).max() < 0.06


@pytest.mark.parametrize(("site", "least"), [("nih/images", 0.75), ("covid/images", 0.7)])
def test_lungs_of_real_radiographs_are_mostly_found(realdata, site, least):
    from cxrlab.images import decode

    paths = sorted((realdata / site).iterdir())[::12]
    found = [lungs.find(decode.fit(decode.read(path), 224)) for path in paths]
    assert np.mean([one.mask is not None for one in found]) >= least
