"""Pictures of stores, maps and reconstructions as PNG bytes, drawn once and kept.

In:    names of sites and runs, row numbers, how to draw.
Out:   PNG bytes for st.image; what is true of an image where a store knows it.
Never: torch; numbers that a page would print.
"""

import numpy as np
import streamlit as st

from cxrlab.paths import Lab
from cxrlab.ui import cached, overlay

SIDE = 640  # pixels of a large radiograph
TILE = 112


def mapped_sites(run_id: str, sites: tuple[str, ...]) -> list[str]:
    """Return those of `sites` that have maps of this run, in their order."""
    run = Lab.here().run(run_id)
    return [site for site in sites if run.maps(site).exists()]


def tops(run_id: str, site: str) -> np.ndarray:
    """Return each map's raw maximum, (K,), NaN where the map is empty."""
    return _tops(cached.stamp(Lab.here().run(run_id).maps(site)), run_id, site)


@st.cache_data(max_entries=32, show_spinner=False)
def _tops(key: cached.Stamp, run_id: str, site: str) -> np.ndarray:
    return np.array([overlay.top_of(heat) for heat in cached.maps(run_id, site).maps])


def radiograph(site: str, row: int, *, side: int = TILE) -> bytes:
    """Return one image of a store."""
    return _radiograph(cached.stamp(Lab.here().store(site)), site, int(row), side)


@st.cache_data(max_entries=1000, show_spinner=False)
def _radiograph(key: cached.Stamp, site: str, row: int, side: int) -> bytes:
    return overlay.png(overlay.draw(cached.image(site, row), side=side))


def mapped(
    run_id: str,
    site: str,
    k: int,
    *,
    side: int = SIDE,
    top: float | None = None,
    opacity: float = 0.5,
    level: float = 0.5,
    width: float = 1.0,
    with_truth: bool = False,
) -> bytes:
    """Return the radiograph of map `k` with the map on it; see overlay.draw.

    With `with_truth` the edge of the label's mask, or its boxes, is drawn where the store has one.
    """
    keys = cached.stamp(Lab.here().run(run_id).maps(site)), cached.stamp(cached.as_seen(run_id, site)[0].path)
    return _mapped(keys, run_id, site, int(k), side, top, opacity, level, width, with_truth)


@st.cache_data(max_entries=600, show_spinner=False)
def _mapped(
    keys: tuple, run_id: str, site: str, k: int, side: int, top: float | None, opacity: float, level: float,
    width: float, with_truth: bool,
) -> bytes:  # fmt: skip
    maps = cached.maps(run_id, site)
    row, label = int(maps.rows["row"].iloc[k]), str(maps.rows["label"].iloc[k])
    seen, _ = cached.as_seen(run_id, site)
    mask, boxes = truth_in(seen, row, label) if with_truth else (None, ())
    picture = overlay.draw(
        seen.image(row), maps.maps[k], side=side, top=top, opacity=opacity, level=level, width=width,
        mask=mask, boxes=boxes,
    )  # fmt: skip
    return overlay.png(picture)


def truth_in(store, row: int, label: str) -> tuple[np.ndarray | None, tuple]:
    """Return (mask or None, boxes) of a label on an image of an open store, in that image's frame."""
    mask = store.mask(label, row) if label in store.mask_names else None
    here = store.boxes[
        (store.boxes["image_id"] == store.rows["image_id"].iloc[row]) & (store.boxes["label"] == label)
    ]
    boxes = tuple(here[["x", "y", "w", "h"]].itertuples(index=False, name=None))
    return (mask if mask is not None and mask.any() else None), boxes


def doubt(site: str, row: int, label: str, said_present: bool) -> str:
    """Return a sentence when a store that knows where every finding is contradicts the label; "" otherwise.

    Phantoms carry planted label errors; without this line a map of one would be read as the network's failure.
    """
    store = cached.store(site)
    if not store.header.synthetic or label not in store.mask_names:
        return ""
    drawn = bool(store.mask(label, row).any())
    if drawn == said_present:
        return ""
    return f"The label is wrong: {label} was {'drawn' if drawn else 'not drawn'} in this phantom."


def seen_as(run_id: str, site: str, row: int) -> str:
    """Return a sentence on what a run's network saw of an image where that is not the image as stored; "" otherwise."""
    seen, words = cached.as_seen(run_id, site)
    if words is None:
        return (
            "Shown as stored, not as the network saw it: the prepared images were removed, so the map may not lie where "
            "it looked. Drawing this run's maps again makes them."
        )
    if not words:
        return ""
    whole = row in seen.header.preprocess["derived"]["fallback_rows"]
    return f"As the network saw it: {words}" + (" (whole image: lungs not found)." if whole else ".")


@st.cache_data(show_spinner=False)
def scale_bar() -> bytes:
    """Return the colours of a map from nothing to its strongest value."""
    return overlay.scale_bar()
