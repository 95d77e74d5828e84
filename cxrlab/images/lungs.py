"""Where the lungs are, found without a network, and whether that can be believed.

In:    (H, W) uint8 radiographs, bone bright.
Out:   a mask of both lungs, or why there is none; a mask of the body.
Never: labels, stores, learned weights; a guess in place of lungs that were not found.

Sick lungs are bright, so what fails here is not a random sample: whoever uses this must count and show the failures.
"""

from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 128  # pixels; ribs are then three to five wide, and an opening takes them out
NO_LUNG, LEFT, RIGHT = 1, 2, 3  # sides of the picture, not of the patient
# Chosen on phantoms, whose lungs are known, and looked at on real radiographs of three collections.
SKIN, WALL = 4, 9  # pixels from the air around: nearer is no lung, farther may be the heart of one
DARK, BRIGHT = 0.4, 0.1  # of the way from the mean of the dark to that of the bright, and back
REACH = 14  # pixels that a seed may grow: farther lie shoulders and belly
TAIL = 5  # pixels; a thinner tail is no lung
GROW = 5  # pixels, diameter: the watershed stops at the inner foot of a lung's blurred edge
# What a pair of lungs must be to be believed. Area, sides and place are rules of thumb; the rest as above.
LEAST, MOST = 0.12, 0.50  # share of the frame
LOPSIDED = 2.0  # one lung at most so many times the other
UNEVEN = 0.20  # of the height, between tops or bottoms: else a lung that is white below was found in part
SHORTEST = 0.35  # of the height
TOP, BOTTOM = 0.20, 0.75  # centroids lie between, shares of the height
LEAST_CONTRAST = 10  # grey levels after CLAHE
LEAST_SOLID = 0.60  # a lung's area over its hull's: below, it is a branch of soft tissue or of the air around


@dataclass(frozen=True)
class Found:
    """Both lungs, or the reason why not."""

    mask: np.ndarray | None  # (H, W) bool
    why_not: str = ""
    share: float = float("nan")  # of the frame, of what was found, believed or not
    middle: float = 0.5  # the spine, as a fraction of the width

    @property
    def box(self) -> tuple[float, float, float, float] | None:
        """Left, top, right, bottom as fractions of the frame, as wide on both sides of the spine; None without lungs.

        Symmetric, because a lung that is white at its base is found too narrow, and a crop must not cut it off.
        """
        if self.mask is None:
            return None
        height, width = self.mask.shape
        x, y, w, h = cv2.boundingRect(self.mask.astype(np.uint8))
        half = max(self.middle - x / width, (x + w) / width - self.middle)
        return max(0.0, self.middle - half), y / height, min(1.0, self.middle + half), (y + h) / height


def body_mask(image: np.ndarray) -> np.ndarray:
    """Return (H, W) bool: everything but the dark surroundings that reach the edge of the frame.

    Surroundings are far below Otsu's threshold; lungs are not, so that a lung cut by the edge stays part of the body.
    The whole frame when more than nine tenths would be surroundings.
    """
    small = _small(image)
    cut, _ = cv2.threshold(small, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    # Opened: else a dark apex drains into the air beside the neck through a gap of one pixel.
    dark = cv2.morphologyEx((small <= 0.35 * cut).astype(np.uint8), cv2.MORPH_OPEN, _disc(5))
    body = ~_reaching_the_edge(dark)
    if body.mean() < 0.1:
        return np.ones(image.shape, bool)
    return cv2.resize(body.astype(np.uint8), image.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def find(image: np.ndarray) -> Found:
    """Return the lungs of a frontal radiograph, or why they are not believed.

    Two seeds, the darkest places well inside the body, grow against a seed of everything that is no lung until they
    meet at an edge (Meyer's watershed, as in cv2). What lies below one threshold, the usual way, spills over the
    shoulders of real films or loses a hazy lung.

    Args:
        image: (H, W) uint8; a frame stretched to a square will do, for every rule is a share of it.
    """
    small = _small(image)
    if int(small.max()) - int(small.min()) < 16:
        return Found(None, "the image is blank", 0.0)
    even = cv2.createCLAHE(2.0, (4, 4)).apply(small)
    # Ribs and vessels are bright and thin: without them a lung is one dark region.
    plain = cv2.GaussianBlur(cv2.morphologyEx(even, cv2.MORPH_OPEN, _disc(7)), (5, 5), 0)
    seeds = _seeds(small, plain)
    if seeds is None:
        return Found(None, "nothing dark lies on both sides of the spine", 0.0)
    grown = cv2.watershed(cv2.cvtColor(plain, cv2.COLOR_GRAY2BGR), seeds)
    left, right = _lung(grown == LEFT), _lung(grown == RIGHT)
    why, share = _doubt(left, right, plain)
    if why:
        return Found(None, why, share)
    both = (left | right).astype(np.uint8)
    whole = cv2.resize(both * 255, image.shape[::-1], interpolation=cv2.INTER_LINEAR) > 127
    return Found(whole, "", float(whole.mean()), (_spine(small) + 0.5) / SIDE)


def _small(image: np.ndarray) -> np.ndarray:
    how = cv2.INTER_AREA if min(image.shape) >= SIDE else cv2.INTER_LINEAR
    return cv2.resize(image, (SIDE, SIDE), interpolation=how)


def _disc(px: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (px, px))


def _reaching_the_edge(mask: np.ndarray) -> np.ndarray:
    """Return the part of `mask` whose connected pieces touch the edge of the frame."""
    _, pieces = cv2.connectedComponents(mask, connectivity=4)
    edge = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    return np.isin(pieces, np.setdiff1d(edge, 0))


def _seeds(small: np.ndarray, plain: np.ndarray) -> np.ndarray | None:
    """Return (SIDE, SIDE) int32 of NO_LUNG, LEFT, RIGHT and 0 (to be decided); None when a side has no seed."""
    body = body_mask(small).astype(np.uint8)
    # Replicated: a body cut by the frame is not thin there.
    framed = cv2.copyMakeBorder(body, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    depth = cv2.distanceTransform(framed, cv2.DIST_L2, 3)[1:-1, 1:-1]
    _, top, _, height = cv2.boundingRect(body)
    down = (np.arange(SIDE, dtype=np.float32)[:, None] - top) / height
    zone = (depth > WALL) & (down > 0.12) & (down < 0.80)
    zone[:, : SIDE // 20] = zone[:, -SIDE // 20 :] = False
    spine = _spine(small)
    no_lung, seed = depth <= SKIN, np.zeros((SIDE, SIDE), np.uint8)
    # Each side by its own greys: a rotated patient or a sick lung makes one side brighter.
    for half in (slice(0, spine - 1), slice(spine + 2, SIDE)):
        values = plain[:, half][zone[:, half]]
        if values.size < 0.03 * SIDE * SIDE:
            return None
        cut, _ = cv2.threshold(values[None], 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        dark, bright = float(values[values <= cut].mean()), float(values[values > cut].mean())
        no_lung[:, half] |= plain[:, half] >= bright - BRIGHT * (bright - dark)
        seed[:, half] = zone[:, half] & (plain[:, half] <= dark + DARK * (bright - dark))
    no_lung[0] = no_lung[-1] = no_lung[:, 0] = no_lung[:, -1] = True
    no_lung[:, spine - 1 : spine + 2] = True
    seed[no_lung] = 0
    _, pieces, facts, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(seed, cv2.MORPH_OPEN, _disc(5)))
    seed = (facts[:, cv2.CC_STAT_AREA] >= 25)[pieces] & (pieces > 0)
    far = cv2.distanceTransform((~seed).astype(np.uint8), cv2.DIST_L2, 3) > REACH
    out = np.where(no_lung | far, NO_LUNG, 0).astype(np.int32)
    out[:, :spine][seed[:, :spine]] = LEFT
    out[:, spine:][seed[:, spine:]] = RIGHT
    return out if (out == LEFT).any() and (out == RIGHT).any() else None


def _spine(small: np.ndarray) -> int:
    """Return the brightest column near the middle: a seam that no lung crosses."""
    middle = slice(int(0.36 * SIDE), int(0.64 * SIDE))
    column = cv2.blur(small[SIDE // 4 : 3 * SIDE // 4].mean(axis=0, dtype=np.float32)[None], (7, 1))[0]
    return middle.start + int(np.argmax(column[middle]))


def _lung(grown: np.ndarray) -> np.ndarray:
    """Return the largest piece without thin tails, closed over small shadows and without holes."""
    trunk = _largest(cv2.morphologyEx(grown.astype(np.uint8), cv2.MORPH_OPEN, _disc(TAIL)))
    room = cv2.copyMakeBorder(trunk, 12, 12, 12, 12, cv2.BORDER_CONSTANT)
    closed = cv2.morphologyEx(room, cv2.MORPH_CLOSE, _disc(15))[12:-12, 12:-12]
    closed = cv2.dilate(closed, _disc(GROW))
    edges, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(closed), edges, -1, 1, cv2.FILLED) > 0


def _largest(mask: np.ndarray) -> np.ndarray:
    """Return the largest connected piece of a uint8 mask; nothing of nothing."""
    _, pieces, facts, _ = cv2.connectedComponentsWithStats(mask)
    if len(facts) == 1:
        return np.zeros_like(mask)
    return (pieces == 1 + int(np.argmax(facts[1:, cv2.CC_STAT_AREA]))).astype(np.uint8)


def _ends(lung: np.ndarray) -> tuple[float, float]:
    """Return the top and the bottom of a lung, shares of the height."""
    _, top, _, height = cv2.boundingRect(lung.astype(np.uint8))
    return top / SIDE, (top + height) / SIDE


def _solidity(lung: np.ndarray) -> float:
    edges, _ = cv2.findContours(lung.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = cv2.contourArea(cv2.convexHull(np.concatenate(edges)))
    return min(1.0, float(lung.sum()) / max(hull, 1.0))


def _contrast(lung: np.ndarray, plain: np.ndarray) -> float:
    """Return how many grey levels a lung is darker than what lies around it."""
    around = (cv2.dilate(lung.astype(np.uint8), _disc(9)) > 0) & ~lung
    return float(plain[around].mean() - plain[lung].mean())


def _doubt(left: np.ndarray, right: np.ndarray, plain: np.ndarray) -> tuple[str, float]:
    """Return why a pair is not believed ("": it is) and its share of the frame."""
    areas = [float(lung.mean()) for lung in (left, right)]
    share = sum(areas)
    if not min(areas):
        return "nothing of a lung's size lies on both sides of the spine", share
    if not LEAST <= share <= MOST:
        return f"the regions found are too {'small' if share < LEAST else 'large'} for lungs", share
    if max(areas) > LOPSIDED * min(areas):
        return "one region is more than twice the other", share
    ends = [_ends(lung) for lung in (left, right)]
    if max(abs(ends[0][k] - ends[1][k]) for k in (0, 1)) > UNEVEN:
        return "one region ends far above the other", share
    if min(low - high for high, low in ends) < SHORTEST:
        return "the regions are too short for lungs", share
    for lung in (left, right):
        y, x = (float(v.mean()) / SIDE for v in np.nonzero(lung))
        if not TOP <= y <= BOTTOM or not (0.1 <= x <= 0.9):
            return "the regions do not lie where lungs lie", share
    if min(_solidity(left), _solidity(right)) < LEAST_SOLID:
        return "the regions are too ragged for lungs", share
    if min(_contrast(left, plain), _contrast(right, plain)) < LEAST_CONTRAST:
        return "the regions are hardly darker than what lies around them", share
    return "", share
