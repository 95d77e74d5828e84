"""Planted shifts: known doses, the same for ever, and boxes that follow."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from cxrlab import phantom
from cxrlab.errors import BadInput, UnknownName
from cxrlab.images import corrupt
from cxrlab.images.corrupt import DISPLACEMENT, KINDS, SEVERITIES, base, dose, table

MOVING = [name for name, kind in KINDS.items() if kind.measure == DISPLACEMENT]
STAYING = [name for name in KINDS if name not in MOVING]


@pytest.fixture(scope="module")
def scenes():
    """Phantoms at 224 px that calibration did not see."""
    return [(f"new-{i}", phantom.draw(recipe, i, 224).image) for recipe in ("north", "south") for i in (2, 9)]


def shrunk(image, px):
    return cv2.resize(image, (px, px), interpolation=cv2.INTER_AREA)


def test_every_kind_that_was_asked_for_is_there():
    families = {family: {n for n, k in KINDS.items() if k.family == family} for family in corrupt.FAMILIES}
    assert families["photo"] == {"tilt", "moire", "glare", "defocus", "motion", "vignette", "screen"}
    assert families["acquisition"] == {"exposure", "noise", "scatter", "focal-spot", "grid"}
    assert families["vendor"] == {"gamma", "curve", "unsharp", "window", "quantisation"}
    assert families["framing"] == {"collimation", "rotation", "markers", "letterbox", "resolution"}


@pytest.mark.parametrize("name", KINDS)
def test_severity_0_is_the_identity(name, scenes):
    image_id, image = scenes[0]
    effect = corrupt.corrupt(image, name, 0, image_id=image_id)
    assert np.array_equal(effect.image, image)
    assert effect.image is not image
    assert effect.warp is None


@pytest.mark.parametrize("name", KINDS)
def test_the_same_image_gets_the_same_effect_and_is_left_as_it_was(name, scenes):
    image_id, image = scenes[0]
    before = image.copy()
    first = corrupt.corrupt(image, name, 3, image_id=image_id, seed=4)
    for other_id, other in scenes[1:]:
        corrupt.corrupt(other, name, 3, image_id=other_id, seed=4)
    again = corrupt.corrupt(image, name, 3, image_id=image_id, seed=4)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(image, before)
    assert first.image.dtype == np.uint8
    assert first.image.shape == image.shape
    assert not np.array_equal(first.image, image)


@pytest.mark.parametrize("name", ["glare", "moire", "noise", "tilt", "rotation", "markers", "collimation"])
def test_another_image_or_another_seed_is_another_draw(name, scenes):
    image = scenes[0][1]
    first, second, third = (
        corrupt.corrupt(image, name, 4, image_id=image_id, seed=seed).image
        for image_id, seed in (("a", 0), ("b", 0), ("a", 1))
    )
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, third)


def test_another_process_gives_the_same_picture():
    code = (
        "import hashlib, numpy as np\nfrom cxrlab.images import corrupt\n"
        "image = (np.arange(96 * 96) % 251).astype(np.uint8).reshape(96, 96)\n"
        "whole = b''.join(corrupt.corrupt(image, k, 3, image_id='x').image.tobytes() for k in sorted(corrupt.KINDS))\n"
        "print(hashlib.sha256(whole).hexdigest())"
    )
    said = {
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout for _ in "12"
    }
    assert len(said) == 1


@pytest.mark.parametrize("name", KINDS)
def test_every_severity_hits_its_dose_and_they_rise(name):
    """Measured again on the phantoms: the table is what the formulas give."""
    doses = [dose.measure(name, corrupt.step_of(name, severity).strength) for severity in SEVERITIES]
    targets = [dose.target_of(name, severity) for severity in SEVERITIES]
    assert doses == pytest.approx(targets, rel=dose.TOLERANCE)
    assert np.allclose(np.diff(targets), targets[0])
    assert [corrupt.step_of(name, s).target for s in SEVERITIES] == pytest.approx(targets)


def test_the_targets_are_shared_unless_the_table_says_why_not():
    for name, kind in KINDS.items():
        step = corrupt.step_of(name, 5)
        assert (step.target == dose.FULL[kind.measure]) == (step.note == ""), name
    assert set(table.read()) == {(name, severity) for name in KINDS for severity in SEVERITIES}


@pytest.mark.parametrize("name", KINDS)
def test_more_is_never_less_on_pictures_that_calibration_did_not_see(name, scenes):
    doses = [
        np.mean([dose.of(KINDS[name], i, corrupt.corrupt(i, name, s, image_id=k)) for k, i in scenes])
        for s in SEVERITIES
    ]
    assert np.all(np.diff(doses) > 0), doses


@pytest.mark.parametrize("name", ["glare", "noise", "defocus", "gamma", "markers"])
def test_calibration_finds_the_strength_in_the_table_again(name):
    found, kept = dose.calibrate(name, 3), corrupt.step_of(name, 3)
    assert found == kept


def test_a_kind_that_cannot_reach_a_dose_says_so(monkeypatch):
    monkeypatch.setitem(dose.REACH, "glare", (0.99, ""))
    few = dose.phantoms()[:2]
    monkeypatch.setattr(dose, "phantoms", lambda: few)
    with pytest.raises(BadInput, match="targets of its own"):
        dose.calibrate("glare", 5)


@pytest.mark.parametrize("name", KINDS)
def test_64_and_512_pixels_of_one_scene_get_a_comparable_effect(name):
    """Seen at 64 px: changing the large picture and shrinking it is like shrinking it and changing that."""
    alike = []
    for i in (2, 9, 14):
        large = phantom.draw("north", i, 512).image
        small = shrunk(large, 64)
        kept = corrupt.corrupt(large, name, 4, image_id="s")
        direct = corrupt.corrupt(small, name, 4, image_id="s")
        if name in MOVING:
            assert np.allclose(kept.warp, direct.warp)
        a, b = (one.astype(float) - small for one in (shrunk(kept.image, 64), direct.image))
        if name in (
            "noise",
            "quantisation",
        ):  # other photons, and grain that hides the steps: alike in size only
            assert 0.5 < a.std() / b.std() < 2
            continue
        alike.append(np.sqrt(((a - b) ** 2).mean()) / max(2.0, np.sqrt((a**2).mean())))
    # 2 grey levels: what resizing alone makes of fine detail.
    assert all(off < 0.6 for off in alike), alike


@pytest.mark.parametrize("px", [16, 64, 1024])
def test_every_size_from_16_to_1024_is_taken(px):
    image = phantom.draw("coast", 1, px).image
    for name in KINDS:
        effect = corrupt.corrupt(image, name, 5, image_id="s")
        assert effect.image.shape == (px, px)
        assert effect.image.dtype == np.uint8


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_picture_gives_a_picture(name, grey):
    effect = corrupt.corrupt(np.full((64, 64), grey, np.uint8), name, 5, image_id="blank")
    assert effect.image.shape == (64, 64)


def square(px=224, left=0.30, top=0.55, side=0.12):
    image = np.zeros((px, px), np.uint8)
    a, b = round(left * px), round((left + side) * px)
    c, d = round(top * px), round((top + side) * px)
    image[c:d, a:b] = 255
    return image, np.array([[a / px, c / px, (b - a) / px, (d - c) / px]])


@pytest.mark.parametrize("name", MOVING)
@pytest.mark.parametrize("image_id", ["a", "b", "c", "d"])
def test_a_bright_squares_box_and_mask_follow_it(name, image_id):
    image, boxes = square()
    effect = corrupt.corrupt(image, name, 5, image_id=image_id)
    x, y, w, h = corrupt.moved_boxes(boxes, effect.warp)[0] * 224
    rows, columns = np.nonzero(effect.image > 127)
    assert columns.min() >= x - 1 and columns.max() + 1 <= x + w + 1
    assert rows.min() >= y - 1 and rows.max() + 1 <= y + h + 1
    assert w * h < 2.2 * 27 * 27, "the box is no larger than a turned square needs"
    mask = corrupt.moved_mask(image > 0, effect.warp)
    assert (mask != (effect.image > 127)).sum() <= 2
    assert mask.sum() > 300


@pytest.mark.parametrize("name", STAYING)
def test_what_stays_in_place_has_no_warp(name, scenes):
    assert corrupt.corrupt(scenes[0][1], name, 5, image_id="a").warp is None


def test_a_box_that_leaves_the_frame_is_empty():
    away = np.array([[1, 0, 2.0], [0, 1, 0], [0, 0, 1]])
    assert corrupt.moved_boxes(np.array([[0.1, 0.1, 0.2, 0.2]]), away)[0, 2] == 0


def test_a_warp_depends_on_neither_picture_nor_size(scenes):
    for name in MOVING:
        blank = corrupt.corrupt(np.zeros((16, 16), np.uint8), name, 3, image_id="q")
        assert np.array_equal(blank.warp, corrupt.corrupt(scenes[1][1], name, 3, image_id="q").warp)


def test_a_displacement_is_the_mean_way_of_a_point():
    shift = np.array([[1, 0, 0.03], [0, 1, 0.04], [0, 0, 1]])
    assert dose.displacement(shift) == pytest.approx(0.05)
    assert dose.displacement(None) == 0


def test_dissimilarity_agrees_with_an_independent_ssim(scenes):
    from skimage.metrics import structural_similarity

    (_, a), (_, b) = scenes[:2]
    ours = 1 - dose.dissimilarity(a, b)
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    whole = structural_similarity(a, b, full=True, **how)[1].mean()  # their own mean leaves the rim out
    assert ours == pytest.approx(whole, abs=1e-4)
    assert dose.dissimilarity(a, a) == pytest.approx(0, abs=1e-5)


def test_moire_is_fringes_and_glare_is_no_white_disc():
    flat = np.full((224, 224), 128, np.uint8)
    for image_id in "abcdef":
        fringes = corrupt.corrupt(flat, "moire", 5, image_id=image_id).image.astype(float) - 128
        power = np.abs(np.fft.fft2(fringes - fringes.mean())) ** 2
        far = np.hypot(*np.meshgrid(np.fft.fftfreq(224), np.fft.fftfreq(224))) * 224
        assert 4 < (power * far).sum() / power.sum() < 40, "waves a side"
        glare = corrupt.corrupt(flat, "glare", 5, image_id=image_id).image
        assert glare.max() < 250, "the picture shows through"
        assert np.abs(np.diff(glare.astype(int), axis=0)).max() < 16, "no rim"


def test_a_wrong_kind_severity_or_picture_is_one_clear_sentence():
    image = np.zeros((64, 64), np.uint8)
    with pytest.raises(UnknownName, match="did you mean 'glare'"):
        corrupt.corrupt(image, "glar", 1, image_id="a")
    for severity in (6, -1, 2.5, "3", True, None):
        with pytest.raises(BadInput, match=r"choose 1 \(mild\) to 5"):
            corrupt.corrupt(image, "glare", severity, image_id="a")
    for bad in (
        image.astype(float),
        image[:, :32],
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((8, 8), np.uint8),
    ):
        with pytest.raises(BadInput):
            corrupt.corrupt(bad, "glare", 1, image_id="a")
    with pytest.raises(BadInput, match="expected 0 to"):
        base.apply(image, "glare", 1e9, image_id="a")


def test_real_radiographs_rise_with_severity_too(realdata):
    found = sorted((realdata / "nih" / "images").glob("*"))[:6]
    images = [cv2.resize(cv2.imread(str(p), cv2.IMREAD_GRAYSCALE), (224, 224)) for p in found]
    for name, kind in KINDS.items():
        doses = [
            np.mean(
                [
                    dose.of(kind, i, corrupt.corrupt(i, name, s, image_id=p.name))
                    for p, i in zip(found, images, strict=True)
                ]
            )
            for s in (0, 1, 3, 5)
        ]
        assert np.all(np.diff(doses) > 0), (name, doses)
