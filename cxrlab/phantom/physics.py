"""From a chest to what reaches the detector: attenuation along each ray, by Beer and Lambert.

In:    an anatomy and its findings.
Out:   optical depth (the sum of attenuation coefficient × path length) and the structures' masks.
Never: detectors, windows, markers, labels.
"""

from dataclasses import dataclass

import numpy as np

from cxrlab.phantom import bones, brush, devices, findings, trunk, vessels
from cxrlab.phantom.anatomy import SIDES, Anatomy, Outlines
from cxrlab.phantom.brush import GRID_Y, SIZE, blur, bulge, fill, unit

# Linear attenuation near 60 keV effective (a 120 kV beam behind a chest), 1/cm; NIST XCOM, rounded.
MU_SOFT = 0.19
MU_BONE = 0.50
LUNG_DENSITY = 0.24  # share of an inflated lung's path that is tissue
LUNG_CM = 16.5  # deepest air path of an adult's lung


@dataclass(frozen=True)
class Shadow:
    """What the rays met."""

    depth: np.ndarray  # (SIZE, SIZE) float32, optical depth ≥ 0
    body: np.ndarray  # (SIZE, SIZE) float32, 0 beside the person, 1 behind him
    masks: dict[str, np.ndarray]  # name → (SIZE, SIZE) bool: "lungs", "heart", each finding's label


def cast(body: Anatomy, what: tuple[findings.Finding, ...] = ()) -> Shadow:
    """Return the shadow of a chest with findings `what`."""
    body = findings.reshape(body, what)
    lines = Outlines(body)
    rng = np.random.default_rng([body.wobble, 7])
    tissue, edge = trunk.tissue_cm(lines)
    scene, core = _scene(lines, rng)
    findings.apply(scene, what)

    breasts = trunk.breasts_cm(lines)
    soft = tissue if breasts is None else tissue + breasts
    soft = soft * (1 + 0.018 * brush.field(rng, 7) + 0.010 * brush.field(rng, 30))
    air = scene.air * (1 - np.minimum(scene.density, 1))
    tree = vessels.vessels_cm(scene.tree, lines, scene.plump) * np.float32(1 - 0.35 * body.child)
    soft = soft - air + scene.extra + tree * scene.vessels * np.minimum(scene.air * np.float32(0.13), 1)
    soft += core * np.float32(2.0 * body.depth_cm / 21)
    soft -= trunk.windpipe_cm(lines)
    soft -= trunk.belly_gas_cm(lines, rng)
    bone = bones.ribs_cm(lines, rng) + bones.spine_cm(lines, rng) + bones.shoulders_cm(lines, rng)
    depth = np.maximum(soft, 0.04 * tissue) * np.float32(MU_SOFT)
    depth += bone * edge * np.float32((MU_BONE - MU_SOFT) * 1.0)
    if body.leads:
        depth += devices.wires_depth(lines)
    masks = {"lungs": scene.free, "heart": fill(lines.heart) > 127, **scene.masks}
    return Shadow(depth.astype(np.float32), edge, masks)


def _scene(lines: Outlines, rng: np.random.Generator) -> tuple[findings.Scene, np.ndarray]:
    """Return the chest before findings, and how solid its middle is, 0..1."""
    b = lines.body
    hemithorax = {side: fill(lines.lungs[side]) for side in SIDES}
    both = np.maximum(hemithorax[-1], hemithorax[1])
    heart, middle = fill(lines.heart), fill(lines.mediastinum)
    free = (both > 127) & (np.maximum(fill(lines.under_heart), np.maximum(heart, middle)) < 128)
    # The great vessels leave the heart upwards: it has no upper border of its own.
    _, _, top, bottom = lines.heart_span
    y0, y1 = lines.place(np.array([[0, top], [0, top + 0.45 * (bottom - top)]]))[:, 1]
    fade = np.clip((GRID_Y[:, :1] - y0) / (y1 - y0) + 0.25, 0, 1)
    solid_heart = bulge(heart, 0.07 * SIZE, shrink=2) * 0.45 + unit(heart) * np.float32(0.55)
    core = np.maximum(solid_heart * fade, unit(middle) * np.float32(0.62))
    core = blur(core, 1.3)
    deep = LUNG_CM * (b.depth_cm / 21.5) ** 0.8 * (1 - 0.06 * max(b.size, 0))
    apex, full = lines.place(np.array([[0, b.apex - 0.02], [0, b.apex + 0.24]]))[:, 1]
    rise = np.clip((GRID_Y[:, :1] - apex) / (full - apex), 0, 1)
    air = bulge(both, 0.060 * SIZE) * unit(both) * (np.float32(deep) * (0.50 + 0.50 * rise))
    # Behind the heart some lung remains; in the middle, next to none.
    hidden = np.maximum(
        unit(heart) * np.float32(0.30) + core * np.float32(0.30), unit(middle) * np.float32(0.86)
    )
    air *= 1 - blur(hidden, 1.0)
    # Lung also reaches down behind the domes, thinning out.
    air += _sulcus_cm(both)
    texture = 0.08 * brush.field(rng, 76) + 0.05 * brush.field(rng, 8)
    base = LUNG_DENSITY + 0.06 * (GRID_Y[:, :1] / SIZE - 0.4) + 0.05 * b.child
    scene = findings.Scene(
        lines=lines,
        tree=vessels.grow(lines, rng),
        hemithorax=hemithorax,
        free=free,
        air=air.astype(np.float32),
        density=(base * (1 + texture)).astype(np.float32),
        vessels=np.ones((SIZE, SIZE), np.float32),
        extra=np.zeros((SIZE, SIZE), np.float32),
    )
    return scene, core


def _sulcus_cm(lungs: np.ndarray) -> np.ndarray:
    below = np.zeros((SIZE, SIZE), np.float32)
    drop = int(0.05 * SIZE)
    below[drop:] = lungs[:-drop]
    return blur(np.maximum(below - lungs, 0), 4.0) * np.float32(2.0 / 255)
