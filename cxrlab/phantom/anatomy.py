"""One person's chest: its measures, and the outlines that follow from them.

In:    age, sex, body size, view, a random generator.
Out:   Anatomy (numbers) and Outlines (curves in canvas pixels).
Never: findings' pictures, radiation, labels.

Body frame: x runs from the midline to the picture's right (the patient's left), y down; the unit is the canvas side.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cxrlab.phantom.brush import SIZE, spline

SIDES = (-1, 1)  # -1: patient's right, the picture's left


@dataclass(frozen=True)
class Anatomy:
    """Measures of one person on one day. Lengths are fractions of the canvas side unless named otherwise."""

    age_years: float
    sex: str  # "F" or "M"
    ap: bool
    child: float  # 0 adult … 1 infant
    size: float  # body mass, standard deviations
    half_width: float  # inner half width of the thorax
    apex: float  # y of the lungs' tops
    dome: tuple[float, float]  # y of the diaphragm's domes, patient's right and left
    sulcus: float  # how far the costophrenic angle lies below the dome
    ctr: float  # cardiothoracic ratio
    heart_left: float  # share of the heart's width left of the midline
    shoulder: float  # y of the shoulders
    depth_cm: float  # thickness of the trunk, cm
    breast: float  # 0 none … 1 large
    rib_drop: float  # how steeply ribs run down
    lean: float  # sideways bow of the spine
    turn: float  # rotation about the long axis, shifts the middle against the spine
    knob: float  # size of the aortic arch
    thymus: float
    shift: float  # mediastinal shift
    leads: int  # 0 none; otherwise the seed of the wires that lie on the chest
    pose: tuple[float, float, float, float]  # scale, angle (rad), dx, dy
    wobble: int  # seed of the outlines' small irregularities


def grow(rng: np.random.Generator, age_years: float, sex: str, size: float, wobble: int) -> Anatomy:
    """Return the anatomy of a person standing upright, breathed in, centred (no pose)."""
    child = float(np.clip((16 - age_years) / 14, 0, 1))
    old = float(np.clip((age_years - 45) / 40, 0, 1))
    man = sex == "M"
    n = rng.standard_normal(16).astype(float)
    half = 0.335 + 0.010 * man + 0.014 * n[0] - 0.030 * child
    base = 0.685 + 0.028 * n[1] - 0.030 * child - 0.012 * max(size, 0)
    ctr = np.clip(0.445 + 0.022 * n[2] + 0.012 * old + 0.060 * child, 0.37, 0.488 + 0.06 * child)
    return Anatomy(
        age_years=age_years,
        sex=sex,
        ap=False,
        child=child,
        size=size,
        half_width=float(half),
        apex=float(0.105 + 0.016 * n[3] + 0.02 * child),
        dome=(float(base - 0.014 + 0.01 * n[4]), float(base + 0.010 + 0.01 * n[5])),
        sulcus=float(0.088 + 0.012 * n[6] - 0.022 * child),
        ctr=float(ctr),
        heart_left=float(np.clip(0.68 + 0.03 * n[7] - 0.03 * child, 0.58, 0.76)),
        shoulder=float(0.135 + 0.020 * n[8]),
        depth_cm=float((21.5 + 2.4 * size + 1.0 * man) * (1 - 0.42 * child)),
        breast=0.0 if man or age_years < 13 else float(np.clip(0.50 + 0.22 * n[9] + 0.22 * size, 0.08, 1.0)),
        rib_drop=float(0.085 + 0.012 * n[10] - 0.055 * child),
        lean=float(0.006 * n[11] + 0.006 * old * n[12]),
        turn=float(0.006 * n[13]),
        knob=float(np.clip(0.35 + 0.5 * old + 0.15 * n[14] - 0.3 * child, 0, 1.2)),
        thymus=float(child > 0.85) * abs(float(n[15])) * 0.7,
        shift=0.0,
        leads=0,
        pose=(1.0, 0.0, 0.0, 0.0),
        wobble=wobble,
    )


# Control points of a lung: lateral fraction of the half width, height (0 apex … 1 dome), share of the sulcus.
_LUNG = np.array(
    [
        [0.40, 0.00, 0],
        [0.60, 0.035, 0],
        [0.765, 0.14, 0],
        [0.875, 0.30, 0],
        [0.945, 0.50, 0],
        [0.985, 0.72, 0],
        [1.00, 0.95, 0],
        [0.995, 1.00, 0.55],
        [0.975, 1.00, 0.98],
        [0.955, 1.00, 1.00],
        [0.90, 1.00, 0.66],
        [0.78, 1.00, 0.28],
        [0.60, 1.00, 0.04],
        [0.42, 1.00, 0.00],
        [0.26, 1.00, 0.10],
        [0.12, 1.00, 0.30],
        [0.07, 0.95, 0.20],
        [0.07, 0.75, 0],
        [0.09, 0.50, 0],
        [0.12, 0.30, 0],
        [0.15, 0.13, 0],
        [0.24, 0.03, 0],
    ],
    np.float32,
)
LUNG_COSTAL = slice(0, 9)  # the control points from the apex down the chest wall to the angle

# Heart: fraction of its right or left extent, height (0 its top … 1 its bottom).
_HEART = np.array(
    [
        [-0.45, 0.00],
        [-0.80, 0.22],
        [-0.98, 0.48],
        [-0.98, 0.72],
        [-0.78, 0.93],
        [-0.20, 1.02],
        [0.45, 1.04],
        [0.84, 1.00],
        [0.985, 0.90],
        [0.985, 0.78],
        [0.93, 0.61],
        [0.79, 0.42],
        [0.60, 0.23],
        [0.47, 0.06],
        [0.20, -0.06],
    ],
    np.float32,
)


class Outlines:
    """The curves of one anatomy, in canvas pixels. Each is computed once, when first asked for."""

    def __init__(self, body: Anatomy) -> None:
        self.body = body
        scale, angle, dx, dy = body.pose
        cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
        self._turn = np.array([[cos, sin], [-sin, cos]], np.float32) * SIZE  # row vectors
        self._move = np.array([(0.5 + dx) * SIZE, (0.5 + dy) * SIZE], np.float32)
        self._rng = np.random.default_rng(body.wobble)

    def place(self, points: np.ndarray) -> np.ndarray:
        """Return (..., 2) body-frame points as canvas pixels; the picture turns about its middle."""
        points = np.asarray(points, np.float32) - np.float32([0, 0.5])
        return points @ self._turn + self._move

    def spine_x(self, y: np.ndarray | float) -> np.ndarray | float:
        """Return the spine's x at height y, body frame."""
        return self.body.lean * np.sin(np.pi * (np.asarray(y) - 0.1) / 0.8) * 2

    def lung_points(self, side: int) -> np.ndarray:
        """Return the control points of one hemithorax, body frame, (22, 2)."""
        b, k = self.body, _LUNG
        dome = b.dome[0] if side < 0 else b.dome[1]
        wide = b.half_width * (1 + side * b.turn * 2)
        across = k[:, 0]
        if b.child:  # a child's chest is round: wide at the top already
            across = across + b.child * 0.05 * np.sin(np.pi * np.clip(k[:, 1], 0, 1)) * (k[:, 0] > 0.3)
        x = side * wide * across
        y = b.apex + k[:, 1] * (dome - b.apex) + k[:, 2] * b.sulcus
        return np.stack([x, y], axis=1)

    @cached_property
    def lungs(self) -> dict[int, np.ndarray]:
        """Outline of each hemithorax, including what lies behind the heart."""
        out = {}
        for side in SIDES:
            points = self.lung_points(side)
            points = points + self._rng.standard_normal(points.shape).astype(np.float32) * 0.0022
            out[side] = self.place(spline(points))
        return out

    @property
    def hila(self) -> dict[int, np.ndarray]:
        """Centre of each hilum, body frame; the left one is higher."""
        b = self.body
        y = b.apex + 0.47 * (b.dome[0] - b.apex)
        return {-1: np.array([-0.085 + b.shift, y]), 1: np.array([0.085 + b.shift, y - 0.022])}

    @property
    def heart_span(self) -> tuple[float, float, float, float]:
        """Right extent, left extent, top and bottom of the heart, body frame."""
        b = self.body
        wide = 2 * b.half_width * b.ctr * (1.05 if b.ap else 1.0)
        top = b.apex + 0.40 * (b.dome[1] - b.apex)
        return wide * (1 - b.heart_left), wide * b.heart_left, top, b.dome[1] + 0.018

    def _heart_points(self) -> np.ndarray:
        right, left, top, bottom = self.heart_span
        k = _HEART
        x = np.where(k[:, 0] < 0, k[:, 0] * right, k[:, 0] * left) + self.body.shift + self.body.turn
        # A big heart rounds out: its shoulders fill before its bottom sinks.
        return np.stack([x, top + k[:, 1] * (bottom - top)], axis=1)

    @cached_property
    def heart(self) -> np.ndarray:
        """Outline of the heart."""
        points = self._heart_points()
        points = points + self._rng.standard_normal(points.shape).astype(np.float32) * 0.0022
        return self.place(spline(points))

    @cached_property
    def under_heart(self) -> np.ndarray:
        """Outline of what the heart hides below itself: no lung is counted there."""
        right, left, top, bottom = self.heart_span
        low = top + 0.8 * (bottom - top)
        x0, x1 = self.body.shift - 0.97 * right, self.body.shift + 0.985 * left
        return self.place(np.array([[x0, low], [x1, low], [x1, 1.0], [x0, 1.0]]))

    @cached_property
    def mediastinum(self) -> np.ndarray:
        """Outline of the middle: great vessels, aortic arch, thymus in the small child."""
        b = self.body
        a, h = b.apex, b.dome[1] - b.apex
        s, t = b.shift + b.turn, b.thymus
        right = [
            (-0.052, -0.30),
            (-0.050, 0.0),
            (-0.055 - 0.05 * t, 0.2),
            (-0.062 - 0.04 * t, 0.36),
            (-0.060, 0.55),
        ]
        left = [
            (0.055, 0.58),
            (0.073, 0.42),
            (0.064 + 0.018 * b.knob, 0.34),
            (0.060 + 0.034 * b.knob + 0.05 * t, 0.26),
            (0.050 + 0.012 * b.knob + 0.05 * t, 0.18),
            (0.048, 0.10),
            (0.050, -0.30),
        ]
        low = [(-0.055, 0.95), (-0.045, 1.6), (0.045, 1.6), (0.050, 0.95)]
        points = np.array([(x + s * (v > 0), a + v * h) for x, v in right + low + left])
        points = points + self._rng.standard_normal(points.shape) * 0.0015
        return self.place(spline(points))

    def chest_wall(self, y: np.ndarray) -> np.ndarray:
        """Return the inner half width of the thorax at heights y, body frame."""
        b = self.body
        v = (np.asarray(y) - b.apex) / (0.5 * sum(b.dome) - b.apex)
        costal = _LUNG[LUNG_COSTAL]
        wall = np.interp(v, costal[:7, 1], costal[:7, 0])
        if b.child:
            wall = wall + b.child * 0.05 * np.sin(np.pi * np.clip(v, 0, 1)) * (v > 0.02)
        return b.half_width * wall
