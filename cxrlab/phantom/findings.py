"""Findings: how each one changes the chest, by place and severity.

In:    a scene (maps of air, lung density, vessels) and a finding.
Out:   the changed scene and the finding's mask.
Never: labels' evidence, prevalence, acquisition.

Severity runs from 0 (nothing) to 1 (as bad as it gets); every effect grows with it, and 0 changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from cxrlab.phantom import brush
from cxrlab.phantom.anatomy import SIDES, Anatomy, Outlines
from cxrlab.phantom.brush import GRID_X, GRID_Y, SIZE, blur, canvas, fill, logistic, spline, stroke, unit
from cxrlab.phantom.vessels import Tree

MASKED = 0.10  # a pixel belongs to an opacity when it fills this much of the air there


@dataclass(frozen=True)
class Finding:
    """One finding: its label, severity 0..1, side (-1 patient's right, 1 left, 0 both) and the seed of its place."""

    label: str
    severity: float
    side: int = 0
    seed: int = 0


@dataclass
class Scene:
    """What findings change. All maps (SIZE, SIZE) float32."""

    lines: Outlines
    tree: Tree
    hemithorax: dict[int, np.ndarray]  # side → uint8 silhouette, with what lies behind the heart
    free: np.ndarray  # bool, lung not hidden by heart, mediastinum or liver
    air: np.ndarray  # cm of lung along the ray
    density: np.ndarray  # share of that path which is tissue, not air
    vessels: np.ndarray  # share of the normal vessels that is seen there
    extra: np.ndarray  # cm of added soft tissue
    plump: float = 0.0  # how engorged the vessels are
    masks: dict[str, np.ndarray] = field(default_factory=dict)


def reshape(body: Anatomy, findings: tuple[Finding, ...]) -> Anatomy:
    """Return the anatomy as the findings deform it: heart size, raised diaphragm, mediastinal shift."""
    for f in findings:
        s = f.severity
        dome = list(body.dome)
        which = 0 if f.side < 0 else 1
        if f.label == "Cardiomegaly" and s > 0:
            # At any severity above 0 the ratio is beyond one half (in the small child beyond his own limit).
            limit = 0.515 + 0.06 * body.child
            body = replace(
                body,
                ctr=max(body.ctr, limit) + 0.17 * s * (limit / 0.515),
                heart_left=body.heart_left + 0.02 * s,
            )
        elif f.label == "Atelectasis":
            dome[which] -= 0.080 * s
            body = replace(body, dome=(dome[0], dome[1]), shift=body.shift + f.side * 0.008 * s)
        elif f.label == "Pneumothorax" and s > 0.6:
            body = replace(body, shift=body.shift - f.side * 0.06 * (s - 0.6))
    return body


def _fill_in(scene: Scene, share: np.ndarray, label: str, floor: float = MASKED) -> None:
    """Replace `share` (0..1) of the air by tissue and add it to the mask of `label`."""
    scene.density += (1.0 - scene.density) * share
    scene.vessels *= 1 - share
    mask = (share > floor) & (scene.air > 0.5)
    scene.masks[label] = scene.masks[label] | mask if label in scene.masks else mask


def _spot(scene: Scene, side: int, across: float, height: float) -> np.ndarray:
    """Return canvas pixels of a place in one lung: across 0 middle … 1 wall, height 0 apex … 1 dome."""
    b = scene.lines.body
    dome = b.dome[0] if side < 0 else b.dome[1]
    y = b.apex + height * (dome - b.apex)
    return scene.lines.place(np.array([side * across * float(scene.lines.chest_wall(np.array([y]))[0]), y]))


def _cloud(at: np.ndarray, rx: float, ry: float) -> np.ndarray:
    return np.exp(-(((GRID_X - at[0]) / (rx * SIZE)) ** 2) - ((GRID_Y - at[1]) / (ry * SIZE)) ** 2)


def _sides(f: Finding) -> tuple[int, ...]:
    return (f.side,) if f.side else SIDES


def cardiomegaly(scene: Scene, f: Finding, rng: np.random.Generator) -> None:
    """Only the mask: the heart itself was widened by `reshape`."""
    scene.masks[f.label] = fill(scene.lines.heart) > 127


def effusion(scene: Scene, f: Finding, rng: np.random.Generator) -> None:
    """Fluid below a meniscus that is highest at the chest wall; lying down it spreads into a veil."""
    b = scene.lines.body
    n = rng.random(len(SIDES) * 2)
    for side in _sides(f):
        u = n[side + 1 : side + 3] if side > 0 else n[:2]
        dome = b.dome[0] if side < 0 else b.dome[1]
        tip = dome + b.sulcus
        wall = float(scene.lines.chest_wall(np.array([dome]))[0])
        x0, _ = scene.lines.place(np.array([0.0, tip]))
        x1, y1 = scene.lines.place(np.array([side * wall, tip]))
        t = np.clip((GRID_X - x0) / (x1 - x0), 0, 1.05)
        high = (0.075 + 0.42 * f.severity * (0.9 + 0.2 * u[0])) * SIZE
        drop = (0.075 + 0.06 * u[1]) * SIZE
        surface = y1 - high + drop * (1 - t**2.2) - 0.25 * drop * np.maximum(0, 0.35 - t)
        soft = 0.055 * SIZE if b.ap else 0.008 * SIZE
        share = logistic((GRID_Y - surface) / soft) * np.float32(0.74 if b.ap else 0.9)
        share *= np.float32(min(1.0, 0.5 + 2.5 * f.severity)) * unit(scene.hemithorax[side])
        _fill_in(scene, share, f.label, 0.3)


def pneumothorax(scene: Scene, f: Finding, rng: np.random.Generator) -> None:
    """Air outside a shrunken lung: a rim without vessels, and the thin line of the pleura."""
    side = f.side or 1
    b = scene.lines.body
    points = scene.lines.lung_points(side)
    hilum = scene.lines.hila[side]
    away = points - hilum
    high = np.clip((b.dome[0] - points[:, 1]) / (b.dome[0] - b.apex), 0, 1)
    lateral = np.clip(np.abs(points[:, 0]) / b.half_width * 2.5 - 0.3, 0, 1)
    # Standing, air rises: the apex falls first, the base last.
    give = (0.05 + 0.50 * f.severity) * (0.35 + 0.80 * high) * lateral
    outline = scene.lines.place(spline(hilum + away * (1 - np.clip(give, 0, 0.82))[:, None]))
    lung = unit(fill(outline))
    rim = unit(scene.hemithorax[side]) * (1 - lung)
    scene.density *= 1 - rim
    scene.vessels *= 1 - rim
    scene.air *= 1 + 0.12 * rim
    scene.density += unit(scene.hemithorax[side]) * lung * np.float32(0.30 * f.severity)
    line = stroke(canvas(), np.concatenate([outline, outline[:1]]), 1, 255)
    scene.extra += blur(unit(line), 0.6) * scene.free * np.float32(1.1)
    scene.masks[f.label] = (rim > 0.5) & scene.free


_LOBES = {  # name → (height from, height to, across from, across to, sharp edge: -1 lower, 1 upper)
    "upper": (-0.1, 0.44, 0.0, 1.1, -1),
    "middle": (0.50, 0.92, 0.0, 0.85, 1),
    "lower": (0.58, 1.3, 0.1, 1.1, 1),
}


def consolidation(scene: Scene, f: Finding, rng: np.random.Generator) -> None:
    """Most of a lobe filled, one border sharp at the fissure, with air-filled bronchi inside."""
    b = scene.lines.body
    for side in _sides(f):
        lobe = list(_LOBES)[
            int(rng.integers(3 if side < 0 else 2)) if side < 0 else (0, 2)[int(rng.integers(2))]
        ]
        top, low, _, _, sharp = _LOBES[lobe]
        noise = 0.6 * brush.field(rng, 9) + 0.4 * brush.field(rng, 24)
        y0, y1 = scene.lines.place(np.array([[0, b.apex], [0, b.dome[0]]]))[:, 1]
        x = np.abs(GRID_X - scene.lines.place(np.array([0.0, 0.4]))[0]) / (b.half_width * SIZE)
        v = (GRID_Y - y0) / (y1 - y0) + 0.10 * (x - 0.5)
        fissure = np.float32(1 / 0.012)
        fuzzy = np.float32(1 / 0.05)
        up = (v - top) * (fissure if sharp > 0 else fuzzy)
        down = (low - v) * (fissure if sharp < 0 else fuzzy)
        at = _spot(scene, side, 0.55, float(np.clip((max(top, 0.05) + min(low, 0.95)) / 2, 0.15, 0.85)))
        reach = 0.080 + 0.13 * f.severity
        blob = _cloud(at, reach, reach * 0.95) * (1 + 0.28 * noise)
        share = logistic((blob - 0.42) * 11) * logistic(up) * logistic(down)
        tubes = stroke(
            canvas(),
            np.concatenate(scene.tree.segments[1:3]),
            1,
            255,
        )
        share *= 1 - 0.32 * blur(unit(tubes), 0.9)
        share *= np.float32(min(1.0, 0.45 + 0.55 * f.severity) * (f.severity > 0)) * unit(
            scene.hemithorax[side]
        )
        _fill_in(scene, share, f.label, 0.2)


def pneumonia(scene: Scene, f: Finding, rng: np.random.Generator) -> None:
    """Several fuzzy, patchy clouds, mostly low in the lung."""
    for side in _sides(f):
        total = np.zeros((SIZE, SIZE), np.float32)
        for _ in range(2 + int(rng.integers(3))):
            at = _spot(scene, side, rng.uniform(0.3, 0.8), np.clip(rng.normal(0.68, 0.2), 0.2, 0.97))
            r = rng.uniform(0.055, 0.10) * (0.8 + 0.5 * f.severity)
            total += _cloud(at, r, r * rng.uniform(0.8, 1.2))
        patchy = 0.8 + 0.25 * brush.field(rng, 14) + 0.40 * brush.field(rng, 36)
        share = np.clip(total, 0, 1.2) * np.clip(blur(patchy, 1.6), 0.15, 1.3)
        share = np.clip(share * np.float32((0.22 + 0.46 * f.severity) * (f.severity > 0)), 0, 0.80)
        _fill_in(scene, share * unit(scene.hemithorax[side]), f.label)


def edema(scene: Scene, f: Finding, rng: np.random.Generator) -> None:
    """Haze around both hila, engorged vessels up to the apices, short septal lines at the lateral bases."""
    b = scene.lines.body
    scene.plump = max(scene.plump, 0.35 + 0.9 * f.severity) if f.severity > 0 else scene.plump
    noise = 1 + 0.20 * brush.field(rng, 14) + 0.18 * brush.field(rng, 40)
    septal = []
    for side in SIDES:
        at = scene.lines.place(lines_at := scene.lines.hila[side] + [side * 0.055, 0.05])
        share = _cloud(at, 0.115 + 0.05 * f.severity, 0.17 + 0.05 * f.severity)
        share = share * np.float32(0.16 + 0.52 * f.severity) * (f.severity > 0) * noise
        share = np.clip(share, 0, 0.85) * unit(scene.hemithorax[side])
        _fill_in(scene, share, f.label)
        for y in lines_at[1] + 0.09 + np.arange(7) * 0.017:
            wall = float(scene.lines.chest_wall(np.array([y]))[0])
            n = rng.random(3)
            ends = np.array(
                [
                    (side * (wall - 0.006), y + 0.006 * n[0]),
                    (side * (wall - 0.03 - 0.022 * n[1]), y + 0.004 * n[2]),
                ]
            )
            septal.append(scene.lines.place(ends))
    kerley = stroke(canvas(), np.array(septal), 1, 255)
    scene.extra += blur(unit(kerley), 0.5) * scene.free * np.float32(0.9 * f.severity)
    scene.density += scene.free * np.float32(0.07 * f.severity * (1 - b.child * 0.3))


def atelectasis(scene: Scene, f: Finding, rng: np.random.Generator) -> None:
    """Plates of airless lung above a raised diaphragm, in a hazy base."""
    side = f.side or 1
    bands = canvas()
    for k in range(1 + int(rng.integers(3))):
        n = rng.random(5)
        y = 0.90 - 0.13 * k - 0.06 * n[4]
        x0, x1 = 0.18 + 0.30 * n[1], 0.66 + 0.26 * n[2]
        ends = np.array(
            [
                _spot(scene, side, x0, y - 0.02 + 0.09 * n[3]),
                _spot(scene, side, (x0 + x1) / 2, y),
                _spot(scene, side, x1, y + 0.04 - 0.10 * n[4]),
            ]
        )
        stroke(
            bands,
            spline(ends, closed=False),
            1 + round((0.4 + 1.4 * n[0]) * (0.5 + 0.8 * f.severity)),
            255,
        )
    plates = blur(unit(bands), 1.0) * unit(scene.hemithorax[side]) * (scene.air > 0.5)
    scene.extra += plates * np.float32(2.9 * f.severity**0.6)
    at = _spot(scene, side, 0.5, 0.97)
    haze = _cloud(at, 0.17, 0.085) * np.float32(0.25 + 0.40 * f.severity) * unit(scene.hemithorax[side])
    _fill_in(scene, haze, f.label, 0.12)
    scene.masks[f.label] |= (plates > 0.2) & (f.severity > 0)


def lesion(scene: Scene, f: Finding, rng: np.random.Generator) -> None:
    """One to three nodules or a mass: nearly round, lobulated, densest in the middle."""
    count = 1 + int(rng.random() < 0.25) + int(rng.random() < 0.12)
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    mask = np.zeros((SIZE, SIZE), bool)
    for k in range(count):
        n = rng.random(4)
        side = f.side or int(SIDES[int(n[3] > 0.5)])
        side = side if k == 0 or n[3] < 0.6 else -side
        at = _spot(scene, side, 0.40 + 0.42 * n[0], 0.16 + 0.66 * n[1])
        radius = (0.030 + 0.066 * f.severity) * (1 if k == 0 else 0.45 + 0.5 * n[2]) * SIZE
        lobes = 1 + 0.10 * np.sin(2 * angle + 6 * n[0]) + 0.06 * rng.standard_normal(14)
        outline = at + np.stack([np.cos(angle), np.sin(angle)], axis=1) * (radius * lobes)[:, None]
        ball = fill(spline(outline, per=4))
        thick = np.sqrt(brush.bulge(ball, radius)) * np.float32(
            2 * radius / SIZE * 36
        )  # the canvas is about 36 cm wide
        inside = unit(scene.hemithorax[side])
        scene.extra += blur(thick, 0.8) * inside * np.float32(1.15 * min(1.0, 3 * f.severity))
        mask |= (ball > 127) & (inside > 0.5) & (f.severity > 0)
    scene.masks[f.label] = mask


EFFECTS: dict[str, Callable[[Scene, Finding, np.random.Generator], None]] = {
    "Cardiomegaly": cardiomegaly,
    "Pleural Effusion": effusion,
    "Pneumothorax": pneumothorax,
    "Consolidation": consolidation,
    "Pneumonia": pneumonia,
    "Edema": edema,
    "Atelectasis": atelectasis,
    "Lung Lesion": lesion,
}
# Air outside the lung comes last: nothing lies in it.
ORDER = (
    "Cardiomegaly",
    "Atelectasis",
    "Consolidation",
    "Pneumonia",
    "Edema",
    "Lung Lesion",
    "Pneumothorax",
    "Pleural Effusion",
)


def apply(scene: Scene, findings: tuple[Finding, ...]) -> None:
    """Change `scene` by every finding, in a fixed order; severity 0 changes nothing."""
    for f in sorted(findings, key=lambda f: ORDER.index(f.label)):
        if f.severity > 0:
            EFFECTS[f.label](scene, f, np.random.default_rng([f.seed, ORDER.index(f.label)]))
