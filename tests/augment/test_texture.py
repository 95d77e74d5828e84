"""Edges, noise and covers: as much as said, and nothing at strength nought."""

import pytest
import torch
from scipy import stats
from scipy.ndimage import gaussian_filter

from cxrlab.augment.texture import SOFT, even_boxes, grain, sharpen


def noise(n=4, px=64):
    return torch.rand(n, 1, px, px, generator=torch.Generator().manual_seed(5)) * 0.5 + 0.25


def test_nothing_changes_at_strength_nought():
    x = noise()
    assert torch.allclose(sharpen(x, torch.zeros(4)), x, atol=1e-6)
    assert torch.equal(grain(x, torch.zeros(4), torch.arange(4)), x)
    absent = torch.full((4, 2, 5), 0.9)
    assert torch.equal(even_boxes(x, absent, 0.2), x)


@pytest.mark.parametrize("px", [64, 224])
def test_full_softening_is_a_gaussian_filter(px):
    x, sigma = noise(1, px), SOFT * px
    radius = max(1, int(-(-2 * sigma // 1)))
    peer = gaussian_filter(x[0, 0].double().numpy(), sigma, mode="nearest", radius=radius)
    assert sharpen(x, torch.tensor([-1.0]))[0, 0].numpy() == pytest.approx(peer, abs=1e-5)


def test_softer_pictures_have_softer_edges_and_sharper_ones_sharper_and_grey_stays_grey():
    x = noise(3)
    out = sharpen(x, torch.tensor([-1.0, 0.0, 1.0]))
    roughness = out.diff(dim=3).abs().mean(dim=(1, 2, 3)) / x.diff(dim=3).abs().mean(dim=(1, 2, 3))
    assert roughness[0] < 0.9
    assert roughness[2] > 1.1
    assert out.mean(dim=(1, 2, 3)).tolist() == pytest.approx(x.mean(dim=(1, 2, 3)).tolist(), abs=2e-3)


def test_noise_is_normal_independent_and_as_strong_as_said():
    grey = torch.full((3, 1, 200, 200), 0.5)
    out = grain(grey, torch.tensor([0.02, 0.05, 0.05]), torch.tensor([1, 2, 3])) - 0.5
    assert out.std(dim=(1, 2, 3)).tolist() == pytest.approx([0.02, 0.05, 0.05], rel=0.02)
    assert out.mean(dim=(1, 2, 3)).tolist() == pytest.approx([0, 0, 0], abs=1e-3)
    assert abs(stats.kurtosis(out[1].flatten())) < 0.4  # four bytes: -0.3
    pairs = [
        (out[1, 0, :, 1:], out[1, 0, :, :-1]),
        (out[1, 0, 1:], out[1, 0, :-1]),
        (out[1], out[2]),
        (out[0], out[1]),
    ]
    for one, other in pairs:
        assert abs(stats.pearsonr(one.flatten(), other.flatten()).statistic) < 0.02


def test_seeds_that_follow_one_another_give_other_pictures_not_moved_ones():
    grey = torch.full((2, 1, 64, 64), 0.5)
    one, two = grain(grey, torch.full((2,), 0.05), torch.tensor([7, 8])).flatten(1)
    for step in (0, 1, 63, 64, 65):
        assert abs(stats.pearsonr(one[step:], two[: len(two) - step]).statistic) < 0.06


def test_boxes_are_small_even_and_there_for_every_other_image():
    x = noise(400, 50)
    drawn = torch.rand(400, 2, 5, generator=torch.Generator().manual_seed(0))
    out = even_boxes(x, drawn, 0.12)
    changed = out != x
    share = changed.float().mean(dim=(1, 2, 3))
    assert float(share.max()) <= 2 * (7 / 50) ** 2  # a side of 6 px may touch 7
    assert float((share == 0).float().mean()) == pytest.approx(0.25, abs=0.07)
    mean = x.mean(dim=(1, 2, 3), keepdim=True).expand_as(x)
    assert torch.equal(out[changed], mean[changed])
