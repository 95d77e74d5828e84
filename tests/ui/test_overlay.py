import cv2
import numpy as np
import pytest

from cxrlab.errors import BadInput
from cxrlab.ui import overlay


def grey(n=32, value=100):
    return np.full((n, n), value, np.uint8)


def spot(n=8, height=1.0):
    heat = np.zeros((n, n), np.float32)
    heat[2, 5] = height
    return heat


def test_a_zero_map_is_transparent_and_says_that_it_is_empty():
    zero = np.zeros((7, 7), np.float32)
    assert overlay.is_empty(zero)
    assert np.isnan(overlay.top_of(zero))
    assert (overlay.rgba(zero, (32, 32))[..., 3] == 0).all()
    assert (overlay.draw(grey(), zero) == 100).all()


def test_a_map_of_nan_is_empty_too():
    assert overlay.is_empty(np.full((4, 4), np.nan))
    assert (overlay.rgba(np.full((4, 4), np.nan, np.float32), (8, 8))[..., 3] == 0).all()


def test_opacity_bounds_the_strongest_value():
    half = overlay.rgba(spot(), (8, 8), opacity=0.5)[..., 3]
    full = overlay.rgba(spot(), (8, 8), opacity=1.0)[..., 3]
    assert half.max() == 128
    assert full.max() == 255
    assert (overlay.draw(grey(), spot(), opacity=0) == 100).all()


def test_the_strongest_place_stays_where_it_was():
    alpha = overlay.rgba(spot(), (80, 80))[..., 3]
    y, x = np.unravel_index(alpha.argmax(), alpha.shape)
    assert 20 <= y < 30
    assert 50 <= x < 60


def test_one_shared_scale_keeps_a_weak_map_faint_and_its_own_scale_does_not():
    weak = spot(height=1e-3)
    assert overlay.rgba(weak, (8, 8))[..., 3].max() == overlay.rgba(spot(), (8, 8))[..., 3].max()
    assert overlay.rgba(weak, (8, 8), top=1.0)[..., 3].max() < 10


def test_enlarging_never_invents_more_than_the_maximum_nor_less_than_zero():
    large = overlay.enlarge(spot(), (123, 77))
    assert large.shape == (123, 77)
    assert large.min() >= 0
    assert large.max() <= 1


def test_the_full_window_changes_nothing_and_a_narrow_one_adds_contrast():
    ramp = np.arange(256, dtype=np.uint8)[None]
    assert (overlay.window(ramp) == ramp).all()
    narrow = overlay.window(ramp, level=0.5, width=0.2)
    assert narrow[0, 0] == 0
    assert narrow[0, -1] == 255
    assert int(narrow[0, 140]) - int(narrow[0, 120]) == pytest.approx(100, abs=1)


def test_a_window_without_width_is_a_sentence():
    with pytest.raises(BadInput, match="above 0"):
        overlay.window(grey(), width=0)


def test_an_outline_runs_along_the_mask_and_leaves_its_inside_alone():
    mask = np.zeros((32, 32), bool)
    mask[8:24, 8:24] = True
    picture = overlay.draw(grey(), mask=mask)
    assert (picture[16, 16] == 100).all()
    assert tuple(picture[8, 16]) == overlay.TRUTH


def test_a_box_is_given_in_fractions():
    picture = overlay.draw(grey(100), boxes=((0.25, 0.5, 0.5, 0.25),))
    assert tuple(picture[50, 50]) == overlay.TRUTH
    assert tuple(picture[50, 10]) != overlay.TRUTH


def test_a_picture_takes_the_side_that_was_asked_for():
    assert overlay.draw(np.zeros((64, 32), np.uint8), side=100).shape == (200, 100, 3)


def test_png_keeps_every_value_and_the_order_of_colours():
    picture = np.zeros((4, 5, 4), np.uint8)
    picture[..., 0], picture[..., 3] = 200, 90
    back = cv2.imdecode(np.frombuffer(overlay.png(picture), np.uint8), cv2.IMREAD_UNCHANGED)
    assert (cv2.cvtColor(back, cv2.COLOR_BGRA2RGBA) == picture).all()
    assert overlay.png(grey()).startswith(b"\x89PNG")


def test_the_error_of_an_image_against_itself_is_zero():
    assert (overlay.error(grey(), grey()) == 0).all()
    assert overlay.error(grey(2, 255), grey(2, 0)).max() == 1


def test_the_scale_bar_gets_brighter_to_the_right():
    bar = cv2.imdecode(np.frombuffer(overlay.scale_bar(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert bar[0, 0] < bar[0, 128] < bar[0, -1]


def test_a_triptych_shows_no_error_where_there_is_none():
    picture = overlay.triptych(grey(), grey(), side=32, top=0.1)
    assert picture.shape == (32, 104, 3)
    assert (picture[:, 72:] == 0).all()
    assert (overlay.triptych(grey(), grey(value=0), side=32, top=0.1)[:, 72:] > 0).any()
