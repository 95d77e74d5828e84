"""Soft tissue around the lungs: trunk, neck, shoulders, arms, breasts, and gas below the diaphragm.

In:    outlines of one anatomy.
Out:   centimetres of soft tissue (and of gas) along each ray.
Never: bones, lungs, findings.
"""

import numpy as np

from cxrlab.phantom.anatomy import SIDES, Outlines
from cxrlab.phantom.brush import SIZE, blur, bulge, fill, spline, stroke


def _mirror(half: list[tuple[float, float]]) -> np.ndarray:
    """Return a closed outline from its patient's-left half, listed from top to bottom."""
    points = np.array(half)
    return np.concatenate([points, points[::-1] * [-1, 1]])


def silhouette(lines: Outlines) -> np.ndarray:
    """Return the outline of neck, shoulders and trunk, canvas pixels."""
    b = lines.body
    wall = b.half_width + 0.040 + 0.022 * max(b.size, -0.8) + 0.012 * b.child
    neck = 0.085 + 0.010 * (b.sex == "M") + 0.008 * b.size + 0.015 * b.child
    s = b.shoulder - 0.03 * b.child
    half = [
        (neck * 1.12, -0.30),
        (neck, s - 0.17),
        (neck * 1.12, s - 0.10),
        (neck * 1.9, s - 0.045),
        (0.30, s - 0.005),
        (0.40, s + 0.040),
        (0.445, s + 0.11),
        (wall + 0.065, s + 0.20),
        (wall + 0.018, s + 0.30),
        (wall, 0.58),
        (wall - 0.006, 0.78),
        (wall + 0.012 * b.size, 0.95),
        (wall + 0.02 + 0.012 * b.size, 1.35),
    ]
    return lines.place(spline(_mirror(half)))


def _arms(lines: Outlines) -> list[np.ndarray]:
    b = lines.body
    s = b.shoulder
    thick = 0.062 + 0.010 * b.size
    out = []
    for side in SIDES:
        # PA: hands on hips, elbows away from the body; AP: arms lie beside it.
        away = (0.50 if not b.ap else 0.475) + 0.02 * b.size
        centre = np.array([(0.37, s + 0.07), (0.43, s + 0.16), (away, s + 0.34), (away + 0.06, 1.2)])
        ahead = np.array([[side * thick, -0.02]])
        line = centre * [side, 1]
        out.append(lines.place(spline(np.concatenate([line + ahead, (line - ahead)[::-1]]))))
    return out


def tissue_cm(lines: Outlines) -> tuple[np.ndarray, np.ndarray]:
    """Return soft tissue, cm, and the body's silhouette in 0..1; both (SIZE, SIZE) float32."""
    b = lines.body
    whole = fill(silhouette(lines))
    arms = fill(*_arms(lines))
    rows = np.linspace(0, 1, SIZE, dtype=np.float32)
    # The trunk is thin at the neck, deep at the belly.
    profile = np.interp(rows, [0, 0.1, 0.25, 0.5, 0.8, 1], [0.62, 0.68, 0.86, 1.0, 1.04, 1.10]).astype(
        np.float32
    )
    thick = bulge(whole, 0.11 * SIZE, shrink=2) * profile[:, None]
    limbs = bulge(arms, 0.06 * SIZE, shrink=2) * np.float32(0.42)
    cm = np.maximum(thick, limbs) * np.float32(b.depth_cm)
    edge = np.maximum(whole, arms).astype(np.float32) / 255
    return cm, edge


def breasts_cm(lines: Outlines) -> np.ndarray | None:
    """Return breast (or pectoral muscle) tissue, cm, (SIZE, SIZE) float32; None for a small child."""
    b = lines.body
    if b.child > 0.3:
        return None
    layer = np.zeros((SIZE, SIZE), np.uint8)
    if b.breast:
        r, low = 0.115 + 0.055 * b.breast, 0.60 + 0.09 * b.breast
        shape = np.array(
            [
                (-0.9, -0.5),
                (-0.3, -1.0),
                (0.5, -0.95),
                (1.0, -0.2),
                (1.0, 0.4),
                (0.5, 0.92),
                (-0.2, 0.95),
                (-0.85, 0.4),
            ]
        )
        depth, radius = 3.2 + 4.5 * b.breast, 0.09
    else:
        r, low = 0.15, 0.33
        shape = np.array([(-0.8, -0.6), (0.2, -0.9), (1.1, -1.0), (1.15, 0.1), (0.4, 0.62), (-0.7, 0.5)])
        depth, radius = 1.5, 0.08
    for side in SIDES:
        points = shape * [r * 1.12 * side, r] + [side * (b.half_width * 0.57), low]
        fill(lines.place(spline(points)), into=layer)
    return bulge(layer, radius * SIZE, shrink=1) * np.float32(depth * 0.5)


def windpipe_cm(lines: Outlines) -> np.ndarray:
    """Return air in the trachea and main bronchi, cm, (SIZE, SIZE) float32."""
    b = lines.body
    a, h = b.apex, b.dome[1] - b.apex
    s = b.shift
    carina = np.array([s + 0.004, a + 0.34 * h])
    trunk = spline(np.array([(0.0, -0.2), (0.0, a), (s * 0.6 + 0.004, a + 0.18 * h), carina]), closed=False)
    layer = np.zeros((SIZE, SIZE), np.uint8)
    wide = max(round(SIZE * 0.030), 3)
    stroke(layer, [lines.place(trunk)], wide, 255)
    for side in SIDES:
        to = lines.hila[side] + [side * 0.005, 0.015]
        stroke(
            layer,
            [lines.place(spline(np.array([carina, (carina + to) / 2 - [0, 0.008], to]), closed=False))],
            wide - 3,
            170,
        )
    return blur(layer.astype(np.float32), 1.2) * np.float32(1.5 * (1 - 0.35 * b.child) / 255)


def belly_gas_cm(lines: Outlines, rng: np.random.Generator) -> np.ndarray:
    """Return gas in stomach and bowel, cm, (SIZE, SIZE) float32."""
    b = lines.body
    layer = np.zeros((SIZE, SIZE), np.uint8)
    angle = np.linspace(0, 2 * np.pi, 10, endpoint=False)
    u = rng.random(8)
    if u[0] < 0.7:
        r = 0.030 + 0.035 * u[1]
        at = np.array([0.12 + 0.07 * u[2], b.dome[1] + r + 0.022 + 0.02 * u[3]])
        ring = np.stack(
            [np.cos(angle) * r * (1.2 + u[4]), np.minimum(np.sin(angle) * r, r * (0.2 + 0.8 * u[5]))], axis=1
        )
        fill(lines.place(spline(at + ring)), into=layer, level=200)
    for _ in range(int(4 * u[6] * u[6] + 2 * b.child)):
        v = rng.random(5)
        at = np.array([(v[0] - 0.45) * 0.5, 0.84 + 0.16 * v[1]])
        ring = np.stack(
            [np.cos(angle) * (0.018 + 0.03 * v[2]), np.sin(angle) * (0.014 + 0.016 * v[3])], axis=1
        )
        ring *= 1 + 0.25 * (rng.random((10, 1)) - 0.5)
        fill(lines.place(spline(at + ring)), into=layer, level=int(60 + 120 * v[4]))
    return blur(layer.astype(np.float32), 1.3) * np.float32(4.0 / 255)
