"""What a planted shift is: one kind of effect, a strength, and the random numbers of one image.

In:    a grey image and numbers.
Out:   Effect: the changed image, and where its points went; KINDS, the registry of effects.
Never: severities, files, stores.

Places and lengths are fractions of the image's side: (0, 0) is the top left corner, (1, 1) the bottom right one.
So 64 and 512 pixels of the same scene get the same effect.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from cxrlab import files
from cxrlab.errors import BadInput
from cxrlab.registry import Registry

# Optical depths between the blackest and the whitest grey. A chest radiograph shows about 1.5 (lung) to 5 (spine) of
# them near 60 keV effective; grey is taken as linear in optical depth, as a log-amplified detector gives it.
NEPERS = 3.5
DISSIMILARITY, DISPLACEMENT = "dissimilarity", "displacement"  # how a kind's dose is measured; see dose.py
SMALLEST, LARGEST = 16, 2048  # pixels a side, as ingest


@dataclass(frozen=True)
class Effect:
    """An image after a planted shift."""

    image: np.ndarray  # (H, W) uint8
    warp: np.ndarray | None = (
        None  # (3, 3) float64: old place → new place, in fractions of the side; None: all stayed
    )


@dataclass(frozen=True)
class Painted:
    """What a kind's own function returns."""

    grey: np.ndarray  # (H, W) float32; values beyond 0..1 are clipped later
    warp: np.ndarray | None = None


Paint = Callable[
    [np.ndarray, float, np.random.Generator], Painted
]  # grey (H, W) float32 in 0..1, strength, randomness


@dataclass(frozen=True)
class Kind:
    """One kind of planted shift. Strength 0 changes nothing; more is never less."""

    name: str
    family: str  # "photo", "acquisition", "vendor" or "framing"
    title: str  # what it is, in words
    strength: str  # what its strength means, with its unit
    most: float  # the largest strength that still makes sense
    paint: Paint
    measure: str = DISSIMILARITY


KINDS: Registry[Kind] = Registry("planted shift")


def kind(
    name: str, family: str, title: str, strength: str, most: float, measure: str = DISSIMILARITY
) -> Callable[[Paint], Paint]:
    """Return a decorator that registers a paint function as the kind `name`."""

    def register(paint: Paint) -> Paint:
        KINDS.add(name)(Kind(name, family, title, strength, most, paint, measure))
        return paint

    return register


def stream(seed: int, name: str, image_id: str) -> np.random.Generator:
    """Return the random numbers of one image; order and process do not matter, nor do severity and size."""
    digest = files.digest_of("planted", str(seed), name, image_id)
    return np.random.Generator(np.random.SFC64(int(digest[:32], 16)))


def apply(image: np.ndarray, name: str, strength: float, *, image_id: str, seed: int = 0) -> Effect:
    """Return `image` under the kind `name` at a strength in that kind's own unit; 0 is the identity.

    Args:
        image: (H, W) uint8, square.
        name: a name in KINDS.
        strength: from 0 to the kind's `most`.
        image_id: decides, with `seed` and `name`, what is left to chance: where a glare lies, which way a tilt goes.
        seed: another seed is another day at the same hospital.

    Raises:
        UnknownName: no such kind.
        BadInput: not a square grey image, or a strength that makes no sense.
    """
    chosen = KINDS[name]
    if image.ndim != 2 or image.dtype != np.uint8 or image.shape[0] != image.shape[1]:
        raise BadInput(
            f"the image is {image.shape} {image.dtype}; a planted shift needs a square (H, H) uint8."
        )
    if not SMALLEST <= len(image) <= LARGEST:
        raise BadInput(
            f"the image has {len(image)} pixels a side; planted shifts take {SMALLEST} to {LARGEST}."
        )
    if not 0 <= strength <= chosen.most:
        raise BadInput(
            f"a strength of {strength} for {name!r}; expected 0 to {chosen.most} ({chosen.strength})."
        )
    if strength == 0:
        return Effect(image.copy())
    grey = image.astype(np.float32) * np.float32(1 / 255)
    painted = chosen.paint(grey, float(strength), stream(seed, name, image_id))
    return Effect(to_uint8(painted.grey), painted.warp)


def to_uint8(grey: np.ndarray) -> np.ndarray:
    """Return float grey 0..1 as uint8, rounded; beyond is clipped."""
    return np.clip(np.rint(grey * np.float32(255)), 0, 255).astype(np.uint8)


@lru_cache(maxsize=4)
def places(px: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (x, y) of every pixel's middle in fractions of the side, each (px, px) float32, read only."""
    at = (np.arange(px, dtype=np.float32) + np.float32(0.5)) / np.float32(px)
    x, y = np.broadcast_to(at, (px, px)), np.broadcast_to(at[:, None], (px, px))
    return x, y


def blur(grey: np.ndarray, across: float, down: float | None = None) -> np.ndarray:
    """Return a Gaussian blur; standard deviations in fractions of the side, `down` as `across` where not given."""
    px = len(grey)
    down = across if down is None else down
    small = max(32, min(px, round(4 / min(across, down))))
    if small < px // 2:  # a wide blur needs few pixels; a kernel of its full width costs a hundred times more
        tiny = cv2.resize(grey, (small, small), interpolation=cv2.INTER_AREA)
        tiny = cv2.GaussianBlur(
            tiny, (0, 0), across * small, sigmaY=down * small, borderType=cv2.BORDER_REFLECT
        )
        return cv2.resize(tiny, (px, px), interpolation=cv2.INTER_CUBIC)
    return cv2.GaussianBlur(grey, (0, 0), across * px, sigmaY=down * px, borderType=cv2.BORDER_REFLECT)


def seen(cycles: float, px: int) -> float:
    """Return what `px` pixels a side leave of a wave of `cycles` a side: its mean over a pixel; 0 beyond their limit."""
    return float(np.sinc(cycles / px)) if cycles < px / 2 else 0.0


def to_rays(grey: np.ndarray) -> np.ndarray:
    """Return what reached the detector, 1 behind the blackest grey, e^-NEPERS behind the whitest (Beer and Lambert)."""
    return cv2.exp(grey * np.float32(-NEPERS))


def to_grey(rays: np.ndarray) -> np.ndarray:
    """Return the grey of rays > 0; the inverse of to_rays."""
    return cv2.log(rays) * np.float32(-1 / NEPERS)


def moved(grey: np.ndarray, warp: np.ndarray, empty: float = 0.0) -> np.ndarray:
    """Return `grey` moved by `warp`; places that nothing came to are `empty`.

    Args:
        grey: (H, H), float32 or uint8.
        warp: (3, 3), old place → new place, fractions of the side.
        empty: grey of new ground.
    """
    px = len(grey)
    # A pixel's index is its middle: fraction f of the side is index f·px - 1/2.
    to_index = np.array([[px, 0, -0.5], [0, px, -0.5], [0, 0, 1]], np.float64)
    matrix = to_index @ warp @ np.linalg.inv(to_index)
    return cv2.warpPerspective(grey, matrix, (px, px), flags=cv2.INTER_LINEAR, borderValue=empty)


def moved_mask(mask: np.ndarray, warp: np.ndarray | None) -> np.ndarray:
    """Return a mask (H, H) bool where its image went."""
    if warp is None or not mask.any():
        return mask
    return moved(mask.astype(np.uint8) * 255, warp) > 127


def moved_points(points: np.ndarray, warp: np.ndarray) -> np.ndarray:
    """Return places (N, 2), x and y in fractions of the side, where `warp` sends them."""
    ends = np.column_stack([points, np.ones(len(points))]) @ warp.T
    return ends[:, :2] / ends[:, 2:]


def moved_boxes(boxes: np.ndarray, warp: np.ndarray | None) -> np.ndarray:
    """Return the upright boxes around boxes (N, 4) of x, y, w, h in fractions, cut at the frame.

    A box that left the frame has w or h 0. The box around a turned box is larger than the finding: it still covers it.
    """
    if warp is None or len(boxes) == 0:
        return boxes
    x, y, w, h = np.asarray(boxes, np.float64).T
    corners = np.stack([[x, y], [x + w, y], [x, y + h], [x + w, y + h]]).transpose(0, 2, 1)  # (4, N, 2)
    ends = np.clip(moved_points(corners.reshape(-1, 2), warp).reshape(4, -1, 2), 0, 1)
    low, high = ends.min(axis=0), ends.max(axis=0)
    return np.column_stack([low, high - low])
