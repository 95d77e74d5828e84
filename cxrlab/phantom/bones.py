"""Bones: ribs, spine, collar bones, shoulder blades, upper arms.

In:    outlines of one anatomy, a random generator for their small irregularities.
Out:   centimetres of bone along each ray.
Never: soft tissue, findings.
"""

import numpy as np

from cxrlab.phantom.anatomy import SIDES, Outlines
from cxrlab.phantom.brush import GRID_X, SIZE, blur, canvas, disc, fill, ribbon, spline, stroke

_RIBS = 10
_FRONT = 10  # ribs with a front arc


def ribs_cm(lines: Outlines, rng: np.random.Generator) -> np.ndarray:
    """Return rib bone, cm, (SIZE, SIZE) float32: tubes, so their edges are the brightest."""
    b = lines.body
    back, front = _rib_lines(lines, rng)
    half = SIZE * (0.0112 - 0.0014 * b.child) * b.pose[0]
    uneven = 1 + 0.06 * rng.standard_normal((2, _RIBS, 1))
    outer, inner = canvas(), canvas()
    wide = half * np.linspace(0.72, 1.08, back.shape[2]) * uneven
    for side in (0, 1):
        fill(ribbon(back[side], wide[side]), into=outer)
        fill(ribbon(back[side], wide[side] * 0.58), into=inner)
    tube = outer * np.float32(1.05) - inner * np.float32(0.55)
    outer, inner = canvas(), canvas()
    wide = half * np.linspace(0.98, 1.25, front.shape[2]) * uneven[:, :_FRONT]
    for side in (0, 1):
        fill(ribbon(front[side], wide[side]), into=outer)
        fill(ribbon(front[side], wide[side] * 0.62), into=inner)
    # Towards the breast bone a rib turns to cartilage and fades.
    away = np.abs(GRID_X[0] - lines.place(np.array([0.0, 0.4]))[0]) / (b.half_width * SIZE)
    tube += (outer * np.float32(0.72) - inner * np.float32(0.40)) * np.clip((away - 0.36) * 2.6, 0, 1)
    # At the chest wall the rays run along the ribs.
    tube *= 1 + 0.75 * np.clip(away, 0, 1.1) ** 6
    return blur(tube, 0.65) * np.float32((1 - 0.12 * b.child) / 255)


def _rib_lines(lines: Outlines, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle lines of the back and front arcs, (2, ribs, n, 2) canvas pixels, sides as in SIDES."""
    b = lines.body
    k = np.arange(_RIBS)[None, :]
    side = np.array(SIDES)[:, None]
    step = (0.5 * sum(b.dome) - b.apex) / (8.7 - 0.5 * b.child)
    y0 = b.apex - 0.012 + (k - 0.6) * step + 0.003 * rng.standard_normal((2, _RIBS))
    drop = b.rib_drop * (0.50 + 0.115 * k) + 0.004 * rng.standard_normal((2, _RIBS))
    turn = y0 + drop
    wall = (lines.chest_wall(turn) + 0.007) * np.where(k == 0, 0.85, 1.0)
    x0 = lines.spine_x(y0) + side * 0.024
    x1 = side * wall
    across = np.array([0, 0.28, 0.60, 0.86, 1.0])
    fall = np.array([0, 0.02, 0.22, 0.60, 1.0])
    lift = np.array([0, -0.012, -0.006, 0, 0]) * (1 + 0.4 * b.child)
    x = x0[..., None] + (x1 - x0)[..., None] * across
    y = y0[..., None] + drop[..., None] * fall + lift
    back = spline(np.stack([x, y], axis=-1).reshape(-1, 5, 2), per=6, closed=False)
    fall_front = drop * 0.80 + 0.040 + 0.030 * (1 - b.child)
    reach = np.maximum(0.40 - 0.012 * k, 0.28)
    across = np.array([1.0, 0.985, 0.86, 0.64])
    x = np.concatenate([x1[..., None] * across, (x1 * reach)[..., None]], axis=-1)
    y = turn[..., None] + fall_front[..., None] * np.array([0, 0.30, 0.66, 0.92, 1.02])
    front = spline(np.stack([x, y], axis=-1)[:, :_FRONT].reshape(-1, 5, 2), per=6, closed=False)
    shape = (2, -1, back.shape[1], 2)
    return lines.place(back).reshape(shape), lines.place(front).reshape(shape)


def spine_cm(lines: Outlines, rng: np.random.Generator) -> np.ndarray:
    """Return vertebral bone, cm, (SIZE, SIZE) float32: bodies, end plates, pedicles, spinous processes."""
    b = lines.body
    step = (0.5 * sum(b.dome) - b.apex) / (9.2 - 0.6 * b.child)
    top = b.apex - 5.3 * step
    k = np.arange(int((1.05 - top) / step) + 1)
    y = top + k * step
    middle = np.stack([lines.spine_x(y), y], axis=-1)[:, None, :]
    size = np.stack([0.027 + 0.0009 * k, np.full(len(k), step * 0.42)], axis=-1)[:, None, :]
    size = size * (1 + 0.03 * rng.standard_normal((len(k), 1, 2)))
    box = np.array([(-1, -1), (0, -0.9), (1, -1), (0.86, 0), (1, 1), (0, 0.9), (-1, 1), (-0.86, 0)])
    outline = lines.place(box * size + middle)
    body, plate = canvas(), canvas()
    fill(outline, into=body, level=135)
    stroke(plate, np.concatenate([outline[:, :3], outline[:, 4:7]]), 1, 150)
    stroke(plate, np.concatenate([outline[:, 2:5], outline[:, [6, 7, 0]]]), 1, 95)
    ring = disc(8)
    for side in SIDES:
        fill(
            lines.place(ring * [0.0064, 0.0090] + middle + size * [side * 0.60, -0.2]), into=plate, level=105
        )
    fill(
        lines.place(ring * [0.0042, 0.0125] + middle + size * [0, 0.55] + [b.turn, 0]), into=plate, level=130
    )
    wings = lines.place(np.array([(-1.9, -0.35), (1.9, -0.35)]) * size + middle)
    stroke(body, wings, 3, 62)
    bone = body.astype(np.float32) * np.float32(1.45) + plate * np.float32(1.6)
    return blur(bone, 0.9) * np.float32((1 - 0.30 * b.child) / 255)


_CLAVICLE = np.array([(0.028, 0.016), (0.09, 0.004), (0.18, -0.016), (0.28, -0.022), (0.395, -0.004)])
_BLADE = np.array(
    [(0.41, 0.055), (0.345, 0.018), (0.285, 0.04), (0.268, 0.12), (0.282, 0.22), (0.322, 0.33), (0.362, 0.22)]
)
_RIDGE = np.array([(0.300, 0.085), (0.350, 0.045), (0.415, 0.012)])
_CLAVICLE_WIDE = np.interp(np.linspace(0, 1, 33), [0, 0.15, 0.6, 1], [1.25, 0.85, 0.78, 1.1])


def shoulders_cm(lines: Outlines, rng: np.random.Generator) -> np.ndarray:
    """Return collar bones, shoulder blades and upper arms, cm, (SIZE, SIZE) float32."""
    b = lines.body
    bone, core = canvas(), canvas()
    jitter = rng.standard_normal((2, 1, 4)) * 0.006
    s = b.shoulder
    flip = np.array([[[-1, 1]], [[1, 1]]])  # both sides at once, as in SIDES
    inward = 0.070 if b.ap else 0.0  # the blades: turned out of the lungs for PA, over them for AP

    inner, outer = b.apex + 0.060 - 0.030 * b.ap + jitter[:, 0, 0], s - 0.010 + jitter[:, 0, 1]
    clavicle = np.tile(_CLAVICLE * [1 - 0.08 * b.child, 1], (2, 1, 1))
    clavicle[..., 1] += np.linspace(inner, outer, 5, axis=1)
    line = lines.place(spline(clavicle * flip + [2 * b.turn, 0], closed=False))
    wide = np.tile(SIZE * 0.0125 * _CLAVICLE_WIDE, (2, 1))
    fill(ribbon(line, wide), into=bone, level=175)
    fill(ribbon(line, wide * 0.55), into=core, level=75)

    blade = lines.place(spline((_BLADE - [inward, -s] + jitter[..., 2:]) * flip, per=6))
    np.maximum(bone, fill(blade, level=42), out=bone)
    stroke(bone, np.concatenate([blade, blade[:, :1]], axis=1), 1, 85)
    stroke(bone, lines.place(spline((_RIDGE - [inward * 0.6, -s]) * flip, closed=False)), 4, 100)

    arm = arm_line(lines) * flip
    head = lines.place(arm[:, :1] - flip * [0.004, 0.009])
    fill(head + disc(14) * (SIZE * 0.046), into=bone, level=140)
    fill(head + disc(14) * (SIZE * 0.038), into=core, level=45)
    shaft = lines.place(spline(arm, closed=False))
    wide = np.full(shaft.shape[:2], SIZE * 0.020)
    fill(ribbon(shaft, wide), into=bone, level=170)
    fill(ribbon(shaft, wide * 0.5), into=core, level=80)
    cm = bone.astype(np.float32) - np.minimum(core, bone)
    return blur(cm, 0.8) * np.float32((2.3 - 0.9 * b.child) / 255)


def arm_line(lines: Outlines) -> np.ndarray:
    """Return the middle line of the patient's left arm, body frame, (4, 2)."""
    b = lines.body
    # PA: hands on hips, elbows out of the picture; AP: the arms lie beside the trunk.
    if b.child > 0.5:  # held up beside the head
        y = b.shoulder - 0.02
        return np.array([(0.395, y + 0.085), (0.455, y + 0.045), (0.53, y - 0.03), (0.66, y - 0.22)])
    away = 0.475 if b.ap else 0.545
    away += 0.022 * b.size + 0.02 * b.child
    return np.array(
        [
            (0.432, b.shoulder + 0.075),
            (0.465, b.shoulder + 0.17),
            (away, b.shoulder + 0.40),
            (away + 0.05, 1.25),
        ]
    )
