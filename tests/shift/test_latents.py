import numpy as np
import pytest

from cxrlab.errors import BadInput
from cxrlab.shift import latents


def cloud(n=200, d=6, move=0.0, seed=0):
    rng = np.random.default_rng(seed)
    spread = np.array([5, 2, *[0.1] * (d - 2)])
    points = rng.normal(size=(n, d)) * spread
    points[:, 0] += move
    return points.astype(np.float32)


def test_the_first_axis_is_the_one_with_most_variance():
    fitted = latents.axes(cloud())
    assert abs(fitted.components[0, 0]) > 0.99
    assert fitted.shares[0] > fitted.shares[1] > 0
    assert fitted.shares.sum() < 1


def test_axes_agree_with_the_covariance_matrix():
    home = cloud()
    values = np.sort(np.linalg.eigvalsh(np.cov(home.T)))[::-1]
    assert np.allclose(latents.axes(home).shares, values[:2] / values.sum(), rtol=1e-5)


def test_a_planted_move_is_seen_and_no_move_is_not():
    rng = np.random.default_rng(1)
    sites = {"home": cloud(seed=1), "moved": cloud(move=20, seed=2), "same": cloud(seed=3)}
    points, _ = latents.chart(cloud(), sites, rng)
    middle = points.groupby("site")[["x", "y"]].mean()
    assert abs(middle.loc["moved", "x"] - middle.loc["home", "x"]) > 15
    assert abs(middle.loc["same", "x"] - middle.loc["home", "x"]) < 2


def test_the_sample_is_bounded_repeatable_and_names_its_rows():
    one, _ = latents.chart(cloud(), {"a": cloud(500)}, np.random.default_rng(0), most=50)
    two, _ = latents.chart(cloud(), {"a": cloud(500)}, np.random.default_rng(0), most=50)
    assert len(one) == 50
    assert one.equals(two)
    assert one["index"].is_monotonic_increasing


def test_axes_are_fitted_on_home_alone():
    fitted_alone = latents.axes(cloud())
    _, fitted = latents.chart(cloud(), {"far": cloud(move=1e4)}, np.random.default_rng(0))
    assert (fitted.components == fitted_alone.components).all()


def test_rows_that_are_not_finite_are_left_out():
    home = cloud()
    home[3] = np.nan
    points, _ = latents.chart(home, {"home": home}, np.random.default_rng(0))
    assert 3 not in set(points["index"])


@pytest.mark.parametrize(
    ("home", "words"), [(cloud(2), "too few"), (np.ones((50, 4)), "tells no image from another")]
)
def test_latents_without_axes_are_a_sentence(home, words):
    with pytest.raises(BadInput, match=words):
        latents.axes(home)


def test_latents_of_another_width_are_a_sentence():
    with pytest.raises(BadInput, match="latent units"):
        latents.chart(cloud(), {"a": cloud(d=4)}, np.random.default_rng(0))
