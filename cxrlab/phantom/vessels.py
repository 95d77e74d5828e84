"""The lungs' vessel trees, branching from the hila.

In:    outlines of one anatomy, a random generator.
Out:   centimetres of vessel along each ray; the first branches as lines (the bronchi run beside them).
Never: findings.
"""

from dataclasses import dataclass

import numpy as np

from cxrlab.phantom.anatomy import SIDES, Outlines
from cxrlab.phantom.brush import SIZE, blur, canvas, stroke

_GENERATIONS = 5
_TRUNKS = np.array([-1.25, -0.75, -0.2, 0.25, 0.7, 1.15, 1.45])  # angles at the hilum; 0 lateral, + down


@dataclass(frozen=True)
class Tree:
    """Branches by generation: segments[g] is (n, 4, 2) canvas pixels."""

    segments: tuple[np.ndarray, ...]


def grow(lines: Outlines, rng: np.random.Generator) -> Tree:
    """Return both lungs' trees; each branch bends a little and splits in two."""
    b = lines.body
    height = 0.5 * sum(b.dome) + 0.5 * b.sulcus - b.apex
    starts, angles, sides = [], [], []
    for side in SIDES:
        hilum = lines.hila[side]
        angle = _TRUNKS + rng.standard_normal(len(_TRUNKS)) * 0.13
        starts.append(hilum + np.stack([side * 0.012 * np.cos(angle), 0.03 * np.sin(angle)], axis=1))
        angles.append(angle)
        sides.append(np.full(len(angle), side))
    start, angle, side = np.concatenate(starts), np.concatenate(angles), np.concatenate(sides)
    length = np.full(len(start), 0.16 * height) * rng.uniform(0.6, 1.3, len(start))
    out = []
    for _ in range(_GENERATIONS):
        n = len(start)
        bend = rng.standard_normal((n, 3)) * 0.20
        # Vessels fan out and, low in the lung, fall away from the heart.
        steps = np.cumsum(np.concatenate([angle[:, None], bend], axis=1), axis=1)[:, 1:]
        move = (
            np.stack([side[:, None] * np.cos(steps), 1.15 * np.sin(steps)], axis=2)
            * (length / 3)[:, None, None]
        )
        line = np.concatenate([start[:, None], start[:, None] + np.cumsum(move, axis=1)], axis=1)
        out.append(lines.place(line))
        split = rng.uniform(0.22, 0.55, (n, 2)) * [1, -1]
        angle = (steps[:, -1:] + split).reshape(-1)
        start, side = np.repeat(line[:, -1], 2, axis=0), np.repeat(side, 2)
        length = np.repeat(length, 2) * rng.uniform(0.60, 0.90, 2 * n)
    return Tree(tuple(out))


def vessels_cm(tree: Tree, lines: Outlines, plump: float = 0.0) -> np.ndarray:
    """Return vessels and hilar roots, cm, (SIZE, SIZE) float32; `plump` 0..1 widens them, the upper ones most."""
    thick = canvas()
    fine = canvas()
    for g, (wide, level) in enumerate(((3, 220), (2, 200), (2, 130), (1, 120), (1, 75))):
        stroke(
            thick if g < 2 else fine, tree.segments[g], wide + round(plump * (1.6 if g < 3 else 0.9)), level
        )
    cm = blur(np.maximum(blur(thick, 1.1), blur(fine, 0.6)).astype(np.float32), 0.5) * np.float32(2.7 / 255)
    for side in SIDES:
        x, y = lines.place(lines.hila[side])
        x0, y0 = max(int(x) - 24, 0), max(int(y) - 30, 0)
        gy, gx = np.mgrid[y0 : min(y0 + 60, SIZE), x0 : min(x0 + 48, SIZE)].astype(np.float32)
        root = np.exp(-(((gx - x) / 9) ** 2) - ((gy - y) / 14) ** 2)
        cm[y0 : y0 + 60, x0 : x0 + 48] += root * np.float32(2.0 + 1.4 * plump)
    return cm
