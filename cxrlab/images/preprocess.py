"""What can be done to a radiograph before a network sees it, apart from scaling its values.

In:    (H, W) uint8 images, bone bright, squares stretched from width × height; landmarks of home.
Out:   images of the same side, and the frame that boxes and masks follow.
Never: stores, labels, files; which rows landmarks come from.

Order: crop, shape, contrast. A histogram is standardised over what the network will see.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from cxrlab.errors import BadInput
from cxrlab.images import lungs

CENTRE = 0.875  # of each side: 224 of 256 pixels, the crop that ImageNet networks are evaluated on
MARGIN = 0.08  # of the lungs' box on each side: lung edges are found a little inside
FLATTEST = (
    0.8  # height over width of a lungs crop in true pixels: a lung white at its base is found too short
)
CLIP, TILES, SMALLEST_TILE = 2.0, 8, 16  # CLAHE; a tile of fewer pixels has no histogram
PERCENTILES = (1, 10, 20, 30, 40, 50, 60, 70, 80, 90, 99)  # Nyúl 2000, doi:10.1109/42.836373, deciles
Box = tuple[float, float, float, float]  # left, top, right, bottom, fractions
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Frame:
    """Which part of the image is kept, and where it lies in the new one; the rest of that is black."""

    source: Box = WHOLE  # of the stored image
    target: Box = WHOLE  # of the new one
    why_whole: str = ""  # why a crop was asked for and the whole image is shown

    def moved(self, boxes: np.ndarray) -> np.ndarray:
        """Return boxes (K, 4) of x, y, w, h (fractions of the stored image) in the new one, cut at its edge.

        A box that lies outside has no width or height left.
        """
        sx, sy, ex, ey = self.source
        tx, ty, ux, uy = self.target
        low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        start, size = np.array([sx, sy]), np.array([ex - sx, ey - sy])
        low, high = (np.clip((edge - start) / size, 0, 1) for edge in (low, high))
        onto, scale = np.array([tx, ty]), np.array([ux - tx, uy - ty])
        return np.concatenate([onto + low * scale, (high - low) * scale], axis=1)


def frame_of(
    image: np.ndarray, crop: str, shape: str, width: int, height: int, *, lateral: bool = False
) -> Frame:
    """Return what `crop` and `shape` (words of PreprocessSpec) keep of an image.

    Args:
        image: (S, S) uint8.
        crop: "none", "centre" or "lungs".
        shape: "stretch" or "letterbox".
        width: of the source image, pixels; 0 (not known) counts as square.
        height: likewise.
        lateral: a view from the side, in which no pair of lungs is to be found.
    """
    aspect = width / height if width > 0 and height > 0 else 1.0
    source, why = WHOLE, ""
    if crop == "centre":
        edge = (1 - CENTRE) / 2
        source = (edge, edge, 1 - edge, 1 - edge)
    elif crop == "lungs":
        found = lungs.Found(None, "a lateral view") if lateral else lungs.find(image)
        source, why = (WHOLE, found.why_not) if found.box is None else (_around(found.box, aspect), "")
    source = _on_pixels(source, *image.shape)
    return Frame(source, _letter(source, aspect) if shape == "letterbox" else WHOLE, why)


def _around(box: Box, aspect: float) -> Box:
    """Return the lungs' box with its margin, lengthened downwards where it is flatter than lungs are."""
    left, top, right, bottom = box
    bottom = max(bottom, top + FLATTEST * (right - left) * aspect)
    dx, dy = MARGIN * (right - left), MARGIN * (bottom - top)
    return max(0.0, left - dx), max(0.0, top - dy), min(1.0, right + dx), min(1.0, bottom + dy)


def _on_pixels(box: Box, height: int, width: int) -> Box:
    left, top, right, bottom = box
    return (
        round(left * width) / width,
        round(top * height) / height,
        round(right * width) / width,
        round(bottom * height) / height,
    )


def _letter(source: Box, aspect: float) -> Box:
    """Return where the kept part lies in a square when its true aspect is kept, centred."""
    wide = (source[2] - source[0]) * aspect
    high = source[3] - source[1]
    w, h = wide / max(wide, high), high / max(wide, high)
    return (1 - w) / 2, (1 - h) / 2, (1 + w) / 2, (1 + h) / 2


def apply(image: np.ndarray, frame: Frame) -> np.ndarray:
    """Return the image in its frame, (S, S) of the same type, outside of `frame.target` 0.

    Reduced by areas, enlarged linearly; a mask of 0 and 255 goes the same way.
    """
    if (frame.source, frame.target) == (WHOLE, WHOLE):
        return image
    height, width = image.shape
    part = image[_pixels(frame.source[1::2], height), _pixels(frame.source[::2], width)]
    rows, columns = _pixels(frame.target[1::2], height), _pixels(frame.target[::2], width)
    out = np.zeros_like(image)
    # One axis may shrink while the other grows; each is resampled in its own way.
    for axis, side in ((0, rows.stop - rows.start), (1, columns.stop - columns.start)):
        size = (part.shape[1], side) if axis == 0 else (side, part.shape[0])
        how = cv2.INTER_AREA if side <= part.shape[axis] else cv2.INTER_LINEAR
        part = cv2.resize(part, size, interpolation=how)
    out[rows, columns] = part
    return out


def _pixels(ends: tuple[float, ...], side: int) -> slice:
    first = min(round(ends[0] * side), side - 1)
    return slice(first, max(round(ends[1] * side), first + 1))


def clahe(image: np.ndarray) -> np.ndarray:
    """Return (H, W) uint8 with contrast equalised in tiles, at most twice a flat histogram's.

    8 × 8 tiles, fewer below 128 pixels a side.
    """
    tiles = int(np.clip(min(image.shape) // SMALLEST_TILE, 1, TILES))
    return cv2.createCLAHE(CLIP, (tiles, tiles)).apply(image)


def landmarks(image: np.ndarray) -> np.ndarray:
    """Return the grey values at PERCENTILES inside the body, (11,) float64; NaN of a blank image."""
    if int(image.max()) == int(image.min()):
        return np.full(len(PERCENTILES), np.nan)
    counts = np.bincount(image[lungs.body_mask(image)], minlength=256)
    up = np.cumsum(counts) / counts.sum()
    # Between grey levels: on whole levels two neighbours' percentiles would often fall together.
    return np.interp(np.array(PERCENTILES) / 100, up, np.arange(256.0))


def mean_landmarks(images: Iterable[np.ndarray]) -> tuple[float, ...]:
    """Return the mean landmarks of home's images, the standard that all sites are mapped to.

    Rounded to a tenth of a grey level, so that two machines agree on them.

    Raises:
        BadInput: every image is blank.
    """
    each = np.array([landmarks(image) for image in images])
    seen = each[~np.isnan(each).any(axis=1)] if len(each) else each
    if not len(seen):
        raise BadInput(
            f"none of the {len(each)} images at home that grey values are standardised to shows anything; "
            "choose another contrast or home site."
        )
    return tuple(round(float(value), 1) for value in seen.mean(axis=0))


def nyul(image: np.ndarray, standard: tuple[float, ...]) -> np.ndarray:
    """Return (H, W) uint8 whose grey values inside the body lie at home's landmarks; a blank image as it is.

    Piecewise linear between landmarks; below the first and above the last, linear to 0 and to 255, so that black
    stays black. Departs from Nyúl 2000, who goes on with the last slope. It may erase a disease that changes the
    whole histogram.

    Args:
        image: (H, W) uint8.
        standard: of `mean_landmarks`.
    """
    own = landmarks(image)
    if np.isnan(own).any():
        return image
    x = np.concatenate([[0.0], own, [255.0]])
    y = np.concatenate([[0.0], np.asarray(standard), [255.0]])
    # np.interp wants rising abscissae; saturated images have several landmarks on one grey level.
    rising = np.maximum.accumulate(x + np.arange(len(x)) * 1e-6)
    table = np.interp(np.arange(256.0), rising, np.maximum.accumulate(y))
    return cv2.LUT(image, np.rint(table).astype(np.uint8))
