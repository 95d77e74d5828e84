"""Edges, noise and covers of images, each image its own strength.

In:    images (N, 1, H, W) float32 in [0, 1] and how strong, on the CPU.
Out:   the same shape and range.
Never: positions of what is in the image; random draws of its own.
"""

import math

import torch
from torch.nn import functional

SOFT = 0.006  # of the side: standard deviation of the full softening, 1.3 px of 224
LOW = 0xFFFFFFFF  # 32 bits
SIDES = (0.3, 1.0)  # of the longest side of a box: shortest and longest


def sharpen(images: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    """Return images mixed with, or pushed away from, their softened selves: what another detector or console does.

    Args:
        images: (N, 1, H, W).
        strength: (N,): -1 softened, 0 as it is, 1 as much sharper.
    """
    sigma = SOFT * images.shape[-1]
    radius = max(1, math.ceil(2 * sigma))
    weights = [math.exp(-(k**2) / (2 * sigma**2)) for k in range(-radius, radius + 1)]
    padded = functional.pad(images, (radius,) * 4, mode="replicate")
    soft = _summed(_summed(padded, weights, dim=2), weights, dim=3)
    return torch.lerp(soft, images, 1 + strength.to(images.device).view(-1, 1, 1, 1)).clamp_(0, 1)


def _summed(images: torch.Tensor, weights: list[float], dim: int) -> torch.Tensor:
    """Return the weighted mean of neighbours along `dim`; a convolution of one channel is eight times slower on a CPU."""
    size, total = images.shape[dim] - len(weights) + 1, sum(weights)
    out = images.narrow(dim, 0, size) * (weights[0] / total)
    for k, weight in enumerate(weights[1:], 1):
        out.add_(images.narrow(dim, k, size), alpha=weight / total)
    return out


def grain(images: torch.Tensor, deviation: torch.Tensor, seed: torch.Tensor) -> torch.Tensor:
    """Return images with noise of nearly normal distribution, each pixel its own.

    The noise is a hash of (seed, pixel): the same on every device, in every batch, and made where the images are.

    Args:
        images: (N, 1, H, W).
        deviation: (N,) standard deviation.
        seed: (N,) int64.
    """
    n, _, h, w = images.shape
    pixel = torch.arange(h * w, device=images.device)
    bits = _mixed(pixel + _mixed(seed.to(images.device))[:, None])  # (N, H*W) of 32 bits
    # Four bytes added are bell-shaped: mean 4·127.5, variance 4·(256² − 1)/12; nothing lies beyond 3.5 deviations.
    pairs = (bits & 0x00FF00FF).add_(
        bits.bitwise_right_shift_(8).bitwise_and_(0x00FF00FF)
    )  # two sums at once
    total = (pairs & 0xFFFF).add_(pairs.bitwise_right_shift_(16))
    noise = total.float().sub_(510).div_(math.sqrt((256**2 - 1) / 3)).view(n, 1, h, w)
    return noise.mul_(deviation.to(images.device).view(-1, 1, 1, 1)).add_(images).clamp_(0, 1)


def _mixed(x: torch.Tensor) -> torch.Tensor:
    """Return 32 well-mixed bits of int64 numbers. Source: C. Wellons, hash-prospector, lowbias32."""
    x = x & LOW
    x ^= x >> 16
    x *= 0x7FEB352D
    x &= LOW
    x ^= x >> 15
    x *= 0x846CA68B  # what overflows int64 leaves the low bits right
    x &= LOW
    x ^= x >> 16
    return x


def even_boxes(images: torch.Tensor, drawn: torch.Tensor, longest: float) -> torch.Tensor:
    """Return images in which each box is there for every other image and has the image's mean grey.

    Args:
        images: (N, 1, H, W).
        drawn: (N, K, 5) in [0, 1): left, top, width, height, whether.
        longest: side of the largest box, of the image's.
    """
    h, w = images.shape[-2:]
    drawn = drawn.to(images.device)
    size = (SIDES[0] + drawn[..., 2:4] * (SIDES[1] - SIDES[0])) * longest  # (N, K, 2)
    start = drawn[..., :2] * (1 - size)
    end = torch.where(drawn[..., 4:] < 0.5, start + size, start)
    xs, ys = ((torch.arange(side, device=images.device) + 0.5) / side for side in (w, h))
    across = (xs >= start[..., 0, None]) & (xs < end[..., 0, None])  # (N, K, W)
    down = (ys >= start[..., 1, None]) & (ys < end[..., 1, None])
    covered = (down[..., None] & across[..., None, :]).any(dim=1, keepdim=True)  # (N, 1, H, W)
    return torch.where(covered, images.mean(dim=(1, 2, 3), keepdim=True), images)
