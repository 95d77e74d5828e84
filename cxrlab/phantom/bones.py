"""Bones: ribs, spine, collar bones, shoulder blades, upper arms.

In:    outlines of one anatomy.
Out:   centimetres of bone along each ray.
Never: soft tissue, findings.
"""

import numpy as np

from cxrlab.phantom.anatomy import SIDES, Outlines
from cxrlab.phantom.brush import SIZE, blur, fill, spline, stroke


def _rib(lines: Outlines, side: int, k: int, wobble: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle lines of rib k's posterior and anterior arc, body frame."""
    b = lines.body
    span = 0.5 * sum(b.dome) - b.apex
    step = span / (8.7 - 0.5 * b.child)
    y0 = b.apex - 0.010 + (k - 0.6) * step
    drop = b.rib_drop * (0.55 + 0.10 * k) + wobble[0] * 0.004
    turn_y = y0 + drop
    wall = float(lines.chest_wall(np.array([turn_y]))[0]) + 0.006
    if k == 0:
        wall, drop = wall * 0.80, drop * 0.9
    start = float(lines.spine_x(y0)) + side * 0.030
    out = side * wall
    posterior = np.array(
        [
            (start, y0),
            (start + (out - start) * 0.30, y0 - 0.010 + 0.10 * drop),
            (start + (out - start) * 0.62, y0 + 0.22 * drop),
            (start + (out - start) * 0.87, y0 + 0.60 * drop),
            (out, turn_y),
        ]
    )
    fall = drop * 0.75 + 0.030 + 0.030 * (1 - b.child)
    reach = max(0.42 - 0.015 * k, 0.30)
    anterior = np.array(
        [
            (out, turn_y),
            (out * 0.985, turn_y + 0.30 * fall),
            (out * 0.86, turn_y + 0.66 * fall),
            (out * 0.66, turn_y + 0.92 * fall),
            (out * reach, turn_y + fall * (1.0 if k > 1 else 0.8)),
        ]
    )
    return spline(posterior, closed=False), spline(anterior, closed=False)


def _ribbon(line: np.ndarray, wide: np.ndarray) -> np.ndarray:
    """Return the closed outline of a band along `line`, (n, 2), with half widths (n,)."""
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True) + 1e-6
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) * wide[:, None]
    return np.concatenate([line + across, (line - across)[::-1]])


def ribs_cm(lines: Outlines, rng: np.random.Generator) -> np.ndarray:
    """Return rib bone, cm, (SIZE, SIZE) float32: tubes, so their edges are the brightest."""
    b = lines.body
    half = SIZE * (0.0098 - 0.0012 * b.child) * b.pose[0]
    back, back_in, front, front_in = (np.zeros((SIZE, SIZE), np.uint8) for _ in range(4))
    wobble = rng.standard_normal((2, 11, 2))
    for side in SIDES:
        for k in range(11):
            posterior, anterior = _rib(lines, side, k, wobble[(side + 1) // 2, k])
            posterior, anterior = lines.place(posterior), lines.place(anterior)
            wide = half * (0.86 + 0.07 * wobble[0, k, 1]) * np.linspace(0.75, 1.1, len(posterior))
            fill(_ribbon(posterior, wide), into=back)
            fill(_ribbon(posterior, wide * 0.52), into=back_in)
            if k < 8:
                wide = half * np.linspace(1.05, 1.22, len(anterior))
                fill(_ribbon(anterior, wide), into=front, level=205)
                fill(_ribbon(anterior, wide * 0.55), into=front_in, level=205)
    tube = back * np.float32(0.52) - back_in * np.float32(0.22)
    tube += front * np.float32(0.34) - front_in * np.float32(0.14)
    return blur(tube, 0.8) * np.float32((1 - 0.30 * b.child) / 255)


def spine_cm(lines: Outlines, rng: np.random.Generator) -> np.ndarray:
    """Return vertebral bone, cm, (SIZE, SIZE) float32: bodies, end plates, pedicles, spinous processes."""
    b = lines.body
    step = (0.5 * sum(b.dome) - b.apex) / (9.2 - 0.6 * b.child)
    body, plate = np.zeros((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    ring = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    oval = np.stack([np.cos(ring), np.sin(ring)], axis=1)
    top = b.apex - 5.3 * step
    for k in range(int((1.02 - top) / step) + 1):
        y = top + k * step
        grow = 0.026 + 0.0010 * k
        x = float(lines.spine_x(y))
        h = step * 0.41
        corner = [
            (-grow, -h),
            (0, -h * 0.92),
            (grow, -h),
            (grow * 0.88, 0),
            (grow, h),
            (0, h * 0.92),
            (-grow, h),
            (-grow * 0.88, 0),
        ]
        outline = lines.place(np.add(corner, (x, y)))
        fill(outline, into=body, level=150)
        stroke(plate, [outline[[0, 1, 2]], outline[[4, 5, 6]]], 1, 150)
        stroke(plate, [outline[[2, 3, 4]], outline[[6, 7, 0]]], 1, 110)
        for side in SIDES:
            fill(
                lines.place(oval * [0.0062, 0.0085] + [x + side * grow * 0.62, y - 0.2 * h]),
                into=plate,
                level=120,
            )
        fill(lines.place(oval * [0.0042, 0.012] + [x + b.turn, y + 0.55 * h]), into=plate, level=150)
        wing = [(x - grow * 1.9, y - 0.35 * h), (x + grow * 1.9, y - 0.35 * h)]
        stroke(body, [lines.place(np.array(wing))], 3, 80)
    bone = body.astype(np.float32) * np.float32(2.2) + plate * np.float32(1.1)
    return blur(bone, 1.0) * np.float32((1 - 0.35 * b.child) / 255)


def shoulders_cm(lines: Outlines, rng: np.random.Generator) -> np.ndarray:
    """Return collar bones, shoulder blades and upper arms, cm, (SIZE, SIZE) float32."""
    b = lines.body
    bone, core = np.zeros((SIZE, SIZE), np.uint8), np.zeros((SIZE, SIZE), np.uint8)
    n = rng.standard_normal((2, 4)) * 0.006
    s = b.shoulder
    for side in SIDES:
        j = n[(side + 1) // 2]
        inner = b.apex + 0.055 + j[0] - 0.035 * b.ap
        outer = s - 0.002 + j[1]
        line = np.array(
            [
                (0.030, inner + 0.012),
                (0.10, inner),
                (0.19, inner - 0.012),
                (0.27, outer + 0.012),
                (0.345, outer),
            ]
        )
        line = lines.place(spline(line * [side, 1] + [b.turn * 2, 0], closed=False))
        wide = (
            SIZE * 0.0115 * np.interp(np.linspace(0, 1, len(line)), [0, 0.15, 0.6, 1], [1.2, 0.85, 0.8, 1.1])
        )
        fill(_ribbon(line, wide), into=bone, level=150)
        fill(_ribbon(line, wide * 0.5), into=core, level=90)
        # The blade: turned out of the lungs for PA, over them for AP.
        inward = 0.075 if b.ap else 0.012
        blade = np.array(
            [
                (0.375, s + 0.045),
                (0.325 - inward, s + 0.035),
                (0.285 - inward, s + 0.075),
                (0.295 - inward, s + 0.21),
                (0.325 - inward, s + 0.31),
                (0.345 - inward * 0.6, s + 0.21),
                (0.375, s + 0.11),
            ]
        )
        outline = lines.place(spline(np.add(blade, j[2:]) * [side, 1], per=6))
        thin = fill(outline, level=34)
        np.maximum(bone, thin, out=bone)
        stroke(bone, [np.concatenate([outline, outline[:1]])], 1, 62)
        spine = lines.place(
            np.array([(0.29 - inward, s + 0.075), (0.34, s + 0.030), (0.39, s + 0.018)]) * [side, 1]
        )
        stroke(bone, [spine], 3, 90)
        head = lines.place(np.array([(0.405, s + 0.060)]) * [side, 1])
        ring = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        ball = np.stack([np.cos(ring), np.sin(ring)], axis=1) * SIZE * 0.036
        fill(head + ball, into=bone, level=120)
        fill(head + ball * 0.78, into=core, level=60)
        away = (0.50 if not b.ap else 0.475) + 0.02 * b.size
        shaft = lines.place(
            spline(
                np.array([(0.412, s + 0.07), (0.455, s + 0.18), (away, s + 0.36), (away + 0.06, 1.2)])
                * [side, 1],
                closed=False,
            )
        )
        fill(_ribbon(shaft, np.full(len(shaft), SIZE * 0.019)), into=bone, level=140)
        fill(_ribbon(shaft, np.full(len(shaft), SIZE * 0.010)), into=core, level=80)
    cm = bone.astype(np.float32) - core
    return blur(cm, 0.9) * np.float32((1.5 - 0.6 * b.child) / 255)
