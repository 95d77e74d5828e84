"""Soft tissue around the lungs: trunk, neck, shoulders, arms, breasts; the windpipe, and gas below the diaphragm.

In:    outlines of one anatomy.
Out:   centimetres of soft tissue (and of gas) along each ray.
Never: bones, lungs, findings.
"""

import numpy as np

from cxrlab.phantom.anatomy import SIDES, Outlines
from cxrlab.phantom.bones import arm_line
from cxrlab.phantom.brush import GRID_Y, SIZE, blur, canvas, disc, fill, ribbon, spline, stroke, swell, unit

_ROWS = np.linspace(0, 1, SIZE, dtype=np.float32)


def silhouette(lines: Outlines) -> np.ndarray:
    """Return the outline of neck, shoulders and trunk, canvas pixels."""
    b, c = lines.body, lines.body.child
    wall = b.half_width + 0.078 + 0.024 * max(b.size, -0.8) + 0.006 * b.child
    neck = 0.112 + 0.012 * (b.sex == "M") + 0.010 * b.size + 0.020 * b.child
    s = b.shoulder - 0.02 * b.child
    half = np.array(
        [
            (neck * 1.05, -0.35),
            (neck, s - 0.19),
            (neck * 1.22, s - 0.105),
            (0.235, s - 0.055),
            (0.345 - 0.03 * c, s - 0.022 - 0.01 * c),
            (0.430 - 0.04 * c, s + 0.012 - 0.02 * c),
            (0.482 - 0.05 * c, s + 0.075 + 0.01 * c),
            (0.480 - 0.05 * c, s + 0.17),
            (wall + 0.062, s + 0.27),
            (wall + 0.020, s + 0.36),
            (wall + 0.004, 0.66),
            (wall, 0.80),
            (wall + 0.008 + 0.010 * b.size, 0.95),
            (wall + 0.02 + 0.012 * b.size, 1.35),
        ]
    )
    return lines.place(spline(np.concatenate([half, half[::-1] * [-1, 1]])))


def tissue_cm(lines: Outlines) -> tuple[np.ndarray, np.ndarray]:
    """Return soft tissue, cm, and the body's silhouette in 0..1; both (SIZE, SIZE) float32."""
    b = lines.body
    whole, arms = fill(silhouette(lines)), canvas()
    wide = SIZE * (0.068 + 0.012 * b.size) * np.linspace(1.0, 0.85, 25)
    for side in SIDES:
        line = lines.place(spline(arm_line(lines) * [side, 1], closed=False))
        fill(ribbon(line[None], wide[None]), into=arms)
    # The trunk is thin at the neck and deep at the belly.
    profile = np.interp(_ROWS, [0, 0.10, 0.20, 0.34, 0.75, 1], [0.54, 0.52, 0.64, 0.94, 1.06, 1.20])
    thick = swell(whole, 0.040 * SIZE) * profile.astype(np.float32)[:, None]
    limbs = swell(arms, 0.025 * SIZE) * np.float32(0.50)
    edge = unit(np.maximum(whole, arms))
    # The skin's edge is sharp though the flesh behind it thins out.
    cm = (np.maximum(thick, limbs) * np.float32(0.95) + np.float32(0.05)) * edge
    return cm * np.float32(b.depth_cm), edge


def breasts_cm(lines: Outlines) -> np.ndarray | None:
    """Return breast (or pectoral muscle) tissue, cm, (SIZE, SIZE) float32; None for a small child."""
    b = lines.body
    if b.child > 0.3:
        return None
    if b.breast:
        r, low = 0.120 + 0.055 * b.breast, 0.60 + 0.085 * b.breast
        shape = np.array(
            [
                (-0.85, -0.2),
                (-0.5, -0.9),
                (0.4, -1.1),
                (1.15, -0.9),
                (1.28, 0.1),
                (0.9, 0.75),
                (0.2, 0.98),
                (-0.6, 0.66),
            ]
        )
        depth, radius = 2.2 + 4.2 * b.breast, 0.10
    else:
        r, low = 0.155, 0.36
        shape = np.array([(-0.8, -0.6), (0.2, -0.9), (1.1, -1.0), (1.25, 0.1), (0.5, 0.55), (-0.6, 0.5)])
        depth, radius = 1.6, 0.09
    layer = canvas()
    for side in SIDES:
        fill(lines.place(spline(shape * [r * side, r] + [side * b.half_width * 0.60, low])), into=layer)
    # The flesh hangs: its lower border is sharp, its upper one runs into the chest.
    top, bottom = lines.place(np.array([[0, low - r], [0, low + 0.55 * r]]))[:, 1]
    hang = np.clip((GRID_Y[:, :1] - top) / (bottom - top), 0, 1)
    return swell(layer, 0.45 * radius * SIZE) * (hang * np.float32(depth))


def windpipe_cm(lines: Outlines) -> np.ndarray:
    """Return air in the trachea and main bronchi, cm, (SIZE, SIZE) float32."""
    b = lines.body
    a, h = b.apex, b.dome[1] - b.apex
    carina = np.array([b.shift + 0.006, a + 0.345 * h])
    trunk = np.array([(0.0, -0.25), (0.0, a), (b.shift * 0.6 + 0.005, a + 0.18 * h), carina])
    layer = canvas()
    wide = round(SIZE * 0.031)
    stroke(layer, lines.place(spline(trunk, closed=False)), wide, 255)
    for side in SIDES:
        to = lines.hila[side] + [side * 0.012, 0.022]
        tube = spline(np.array([carina, (carina + to) / 2 - [0, 0.006], to]), closed=False)
        stroke(layer, lines.place(tube), wide - 3, 170)
    return blur(layer.astype(np.float32), 1.1) * np.float32(2.3 * (1 - 0.45 * b.child) / 255)


def belly_gas_cm(lines: Outlines, rng: np.random.Generator) -> np.ndarray:
    """Return gas in stomach and bowel, cm, (SIZE, SIZE) float32."""
    b = lines.body
    layer = canvas()
    u = rng.random(8)
    if u[0] < 0.75:
        r = 0.022 + 0.040 * u[1] ** 2
        at = np.array([0.11 + 0.09 * u[2], b.dome[1] + 0.4 * r + 0.030 + 0.03 * u[3]])
        bubble = disc(10) * (1 + 0.15 * rng.standard_normal((10, 1)))
        # Standing, the gas floats: a flat level below it.
        bubble[:, 1] = np.minimum(bubble[:, 1], 0.15 + 0.85 * u[5])
        fill(
            lines.place(spline(at + bubble * [r * (1.0 + 0.9 * u[4]), r])),
            into=layer,
            level=int(90 + 130 * u[7]),
        )
    for _ in range(int(5 * u[6] ** 2 + 2 * b.child)):
        v = rng.random(5)
        at = np.array([(v[0] - 0.45) * 0.5, 0.85 + 0.15 * v[1]])
        loop = (
            disc(10) * [0.016 + 0.03 * v[2], 0.012 + 0.016 * v[3]] * (1 + 0.25 * rng.standard_normal((10, 1)))
        )
        fill(lines.place(spline(at + loop)), into=layer, level=int(40 + 110 * v[4]))
    return blur(layer.astype(np.float32), 1.3) * np.float32(4.5 / 255)
