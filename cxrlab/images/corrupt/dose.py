"""How large a planted shift is, measured, and the strengths that give each severity its dose.

In:    kinds, phantoms drawn for the purpose.
Out:   doses; strengths.csv, the table that `corrupt` reads.
Never: stores; a strength typed by feel.

Two measures, because one number cannot serve both:

- *dissimilarity*, 1 - SSIM, for kinds under which every point of the chest stays where it is. SSIM compares local mean,
  local contrast and local structure, so that grain, blur, veils, curves and covers are all seen; a root mean square would
  see blur hardly and exposure above all, and a grey mapping fitted first would call exposure and windows nothing, though
  a network that was normalised at home is not told of them.
- *displacement*, the mean way that a point of the picture moved, in sides, for kinds that move it. A picture that moved by
  more than its texture's width is unlike itself already, however little that is: SSIM would measure the texture.

Both are means over PHANTOMS at SIDE pixels, so a severity is one dose for every kind of a measure, where the kind can reach
it without ceasing to be a radiograph; REACH says which cannot and what they get instead.
"""

from functools import lru_cache

import cv2
import numpy as np

from cxrlab import phantom
from cxrlab.errors import BadInput
from cxrlab.images.corrupt import base, table
from cxrlab.images.corrupt.base import DISPLACEMENT, DISSIMILARITY, KINDS, Kind
from cxrlab.images.corrupt.table import SEVERITIES, TABLE, Step

SIDE = 224  # pixels at which doses are measured: what stores usually hold
PHANTOMS = tuple(
    (recipe, i) for recipe in ("north", "coast", "south", "children") for i in (0, 5, 11, 17, 23)
)
# Target dose of severity 5; severities 1 to 4 get 1/5 to 4/5 of it.
FULL = {DISSIMILARITY: 0.20, DISPLACEMENT: 0.06}
_BLURRED = (0.10, "own targets: beyond them no rib or vessel is left to see")
REACH: dict[str, tuple[float, str]] = {
    "defocus": _BLURRED,
    "motion": _BLURRED,
    "focal-spot": _BLURRED,
    "resolution": _BLURRED,
    "markers": (0.05, "own targets: letters for a larger dose would lie over the lungs"),
}
TOLERANCE = 0.02  # of the target: what calibration may leave
HALVINGS = 40
WINDOW = 1.5  # standard deviation of SSIM's window, pixels; Wang et al. 2004


def dissimilarity(clean: np.ndarray, other: np.ndarray) -> float:
    """Return 1 - mean SSIM of two pictures (H, H) uint8, at SIDE pixels if they are larger; 0 for equal ones.

    Source: Wang, Bovik, Sheikh & Simoncelli 2004, doi:10.1109/TIP.2003.819861, with its constants.
    """
    if len(clean) > SIDE:
        clean, other = (cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for one in (clean, other))
    a, b = clean.astype(np.float32), other.astype(np.float32)
    mean_a, mean_b = _local(a), _local(b)
    var_a, var_b = _local(a * a) - mean_a**2, _local(b * b) - mean_b**2
    both = _local(a * b) - mean_a * mean_b
    c1, c2 = np.float32((0.01 * 255) ** 2), np.float32((0.03 * 255) ** 2)
    alike = (2 * mean_a * mean_b + c1) * (2 * both + c2)
    alike /= (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return 1 - float(alike.mean())


def _local(grey: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(grey, (11, 11), WINDOW, borderType=cv2.BORDER_REFLECT)


def displacement(warp: np.ndarray | None) -> float:
    """Return the mean way of a point of the picture under `warp`, in sides; 0 when nothing moved."""
    if warp is None:
        return 0.0
    x, y = base.places(32)
    points = np.column_stack([x.ravel(), y.ravel()]).astype(np.float64)
    return float(np.linalg.norm(base.moved_points(points, warp) - points, axis=1).mean())


def of(kind: Kind, clean: np.ndarray, effect: base.Effect) -> float:
    """Return the dose of one effect by the measure of its kind."""
    return displacement(effect.warp) if kind.measure == DISPLACEMENT else dissimilarity(clean, effect.image)


@lru_cache(maxsize=1)
def phantoms() -> tuple[tuple[str, np.ndarray], ...]:
    """Return (image_id, (SIDE, SIDE) uint8) of the pictures that doses are measured on."""
    return tuple((f"{recipe}-{i}", phantom.draw(recipe, i, SIDE).image) for recipe, i in PHANTOMS)


def measure(name: str, strength: float) -> float:
    """Return the mean dose of a kind at a strength over PHANTOMS."""
    kind = KINDS[name]
    doses = [
        of(kind, image, base.apply(image, name, strength, image_id=image_id))
        for image_id, image in phantoms()
    ]
    return float(np.mean(doses))


def target_of(name: str, severity: int) -> float:
    """Return the dose that a severity of a kind should have: evenly rising fifths of its full dose."""
    full = REACH[name][0] if name in REACH else FULL[KINDS[name].measure]
    return full * severity / len(SEVERITIES)


def calibrate(name: str, severity: int) -> Step:
    """Return the strength at which the phantoms get the target dose, by bisection.

    Raises:
        BadInput: the kind cannot be given that dose within TOLERANCE; give it targets of its own in REACH.
    """
    kind, target = KINDS[name], target_of(name, severity)
    low, high = 0.0, kind.most
    for _ in range(HALVINGS):
        strength = float(f"{(low + high) / 2:.4g}")  # as the table keeps it
        dose = measure(name, strength)
        if abs(dose - target) <= TOLERANCE / 4 * target:
            break
        low, high = (strength, high) if dose < target else (low, strength)
    if abs(dose - target) > TOLERANCE * target:
        raise BadInput(
            f"{name} reaches a {kind.measure} of {dose:.4f} where severity {severity} wants {target:.4f}; "
            "give it targets of its own in dose.REACH."
        )
    note = REACH[name][1] if name in REACH else ""
    return Step(name, severity, kind.measure, round(target, 6), round(dose, 5), strength, note)


def calibrate_all() -> None:
    """Measure every severity of every kind anew and write strengths.csv: needed when a kind's formula changes."""
    table.write(TABLE, [calibrate(name, severity) for name in KINDS for severity in SEVERITIES])
