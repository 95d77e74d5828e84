"""A store and a recipe → the store as the recipe makes it.

In:    an open store, a recipe, the stores of home.
Out:   `stores/derived/<site>-<key>.h5`, a store like any other with the same rows in the same order.
Never: external or test rows in what is fitted; values scaled for a network (inputs.py).
"""

import fcntl
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from cxrlab import files, store, views
from cxrlab.errors import BadInput, BadSpec, BadStore, MissingInput, NoSpace
from cxrlab.images import preprocess
from cxrlab.images.preprocess import Frame
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from cxrlab.store import Store
from cxrlab.variants.recipe import VERSION, Recipe

T = TypeVar("T")
MOST = 1000  # images of home that landmarks are fitted on
BLOCK = 64  # images in memory at a time
SPARE = 64 * 2**20  # bytes left free beside what a variant needs
POLL_SECONDS = 0.2


def fitted(recipe: Recipe | None, homes: list[Store], progress: Progress | None = None) -> Recipe | None:
    """Return the recipe with its landmarks: the means over home's training rows, at most MOST evenly spaced ones.

    Raises:
        BadSpec: home has no training row.
        BadInput: home's images are blank.
    """
    if recipe is None or recipe.contrast != "nyul" or recipe.landmarks:
        return recipe
    rows: list[tuple[Store, int]] = []
    for home in homes:
        seen = views.view(home, (), external=False, official_split=recipe.official_split)
        rows += [(home, int(i)) for i in seen.rows[seen.split == "train"]]
    if not rows:
        raise BadSpec(f"{', '.join(h.site for h in homes)} has no training rows to fit landmarks on.")
    picked = [rows[i] for i in np.linspace(0, len(rows) - 1, min(MOST, len(rows))).astype(np.int64)]

    def cropped() -> Iterator[np.ndarray]:
        for home, i in (progress or Progress()).track(picked, "fit landmarks", len(picked)):
            image = home.image(i)
            yield preprocess.apply(image, _frame(recipe, image, home.rows.iloc[i]))

    return replace(recipe, landmarks=preprocess.mean_landmarks(cropped()))


def existing(lab: Lab, site: Store, recipe: Recipe | None) -> Store | None:
    """Return the variant if it is there and whole, else None; `site` itself when nothing is done to it."""
    if recipe is None:
        return site
    path = lab.derived_store(site.site, recipe.key(site.digest))
    if not path.exists():
        return None
    try:
        found = store.read(path)
    except (BadStore, MissingInput):  # damaged, or removed this moment: it is made again when it is needed
        return None
    said = found.header.preprocess.get("derived", {})
    asked = list(recipe.landmarks) or said.get("landmarks")
    return found if said.get("from_digest") == site.digest and said.get("landmarks") == asked else None


def opened(lab: Lab, site: Store, recipe: Recipe | None, progress: Progress | None = None) -> Store:
    """Return `site` as `recipe` makes it; the variant is made when it is not there.

    Two processes that ask at once make it once: the later one waits. Killed midway, nothing is left under its name.

    Raises:
        NoSpace: the disk has no room for it.
        BadInput: grey values are to be standardised and the recipe was not fitted.
    """
    if (found := existing(lab, site, recipe)) is not None:
        return found
    if recipe.contrast == "nyul" and not recipe.landmarks:
        raise BadInput(f"the landmarks for {site.site} are not fitted; fit the recipe on home first.")
    progress = progress or Progress()
    path = lab.derived_store(site.site, recipe.key(site.digest))
    with locked(path, progress):
        files.remove_parts(path)
        if (found := existing(lab, site, recipe)) is None:
            _check_room(path, site)
            _make(path, site, recipe, progress)
            found = store.read(path)
    return found


@contextmanager
def locked(path: Path, progress: Progress | None = None) -> Iterator[None]:
    """Hold the lock of one variant; the system lifts it when this process dies."""
    lock = path.with_suffix(".lock")
    while True:
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("a") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if progress is None:
                    raise BadInput(f"{path.stem} is being made right now; wait until it is done.") from error
                if progress.stage_name != (waiting := f"wait for another job to prepare {path.stem}"):
                    progress.stage(waiting)
                time.sleep(POLL_SECONDS)
                continue
            # The holder before us may have removed the file between our open and our lock.
            if lock.exists() and os.path.samestat(os.fstat(held.fileno()), lock.stat()):
                try:
                    yield
                finally:
                    lock.unlink(missing_ok=True)
                return


def _check_room(path: Path, site: Store) -> None:
    n, image = len(site), site.image_shape[0] * site.image_shape[1]
    need = n * (image + 1024 + len(site.mask_names) * (image // 4 + 256)) + SPARE
    free = shutil.disk_usage(path.parent).free
    if free < need:
        raise NoSpace(
            f"the prepared images of {site.site} need {need / 1e6:,.0f} MB at {path.parent}, which has "
            f"{free / 1e6:,.0f} MB free. Remove variants that no run needs (`python -m cxrlab variants list`), or set "
            "CXRLAB_HOME to a larger disk."
        )


def _frame(recipe: Recipe, image: np.ndarray, facts: Mapping[str, Any] | pd.Series) -> Frame:
    size, lateral = (int(facts["width"]), int(facts["height"])), facts["view"] == "LATERAL"
    return preprocess.frame_of(image, recipe.crop, recipe.shape, *size, lateral=lateral)


def _each(site: Store, call: Callable[[int, np.ndarray], T], pool: ThreadPoolExecutor) -> Iterator[T]:
    """Yield call(row, image) of every row in order; cv2 leaves the interpreter's lock, so threads are enough."""
    for start in range(0, len(site), BLOCK):
        rows = range(start, min(start + BLOCK, len(site)))
        yield from pool.map(call, rows, site.images(rows))


def _make(path: Path, site: Store, recipe: Recipe, progress: Progress) -> None:
    facts = site.rows[["width", "height", "view"]].to_dict("records")

    def framed(i: int, image: np.ndarray) -> Frame:
        return _frame(recipe, image, facts[i])

    def drawn(i: int, image: np.ndarray) -> np.ndarray:
        return _contrast(recipe, preprocess.apply(image, frames[i]))

    with ThreadPoolExecutor(min(8, len(os.sched_getaffinity(0)))) as pool:
        # Boxes are written before images, so frames come first; they are small, images are not kept.
        frames: list[Frame] = list(progress.track(_each(site, framed, pool), f"frame {site.site}", len(site)))
        progress.stage(f"prepare {site.site}", len(site))
        boxes = _moved_boxes(site, frames)
        said = _said(site, recipe, frames, len(site.boxes) - len(boxes))
        store.write(
            path,
            replace(site.header, preprocess={**site.header.preprocess, "derived": said}),
            site.rows,
            site.evidence,
            _each(site, drawn, pool),
            quarantine=site.quarantine.itertuples(index=False, name=None),
            boxes=boxes,
            masks={name: _moved_masks(site, name, frames) for name in site.mask_names},
            facts=site.facts if len(site.facts.columns) else None,
            votes=site.votes,
            on_image=progress.step,
        )


def _contrast(recipe: Recipe, image: np.ndarray) -> np.ndarray:
    if recipe.contrast == "clahe":
        return preprocess.clahe(image)
    return preprocess.nyul(image, recipe.landmarks) if recipe.contrast == "nyul" else image


def _moved_boxes(site: Store, frames: list[Frame]) -> pd.DataFrame:
    """Return the boxes in the new images, without those that the crop left out."""
    boxes = site.boxes.copy()
    row_of = {image_id: i for i, image_id in enumerate(site.rows["image_id"])}
    numbers = boxes[["x", "y", "w", "h"]].to_numpy(np.float64, copy=True)
    for k, image_id in enumerate(boxes["image_id"]):
        if image_id in row_of:
            numbers[k] = frames[row_of[image_id]].moved(numbers[k : k + 1])[0]
    boxes[["x", "y", "w", "h"]] = numbers.astype(np.float32)
    return boxes[(numbers[:, 2:] > 0).all(axis=1)].reset_index(drop=True)


def _moved_masks(site: Store, name: str, frames: list[Frame]) -> Iterator[np.ndarray]:
    for i, frame in enumerate(frames):
        mask = site.mask(name, i)
        yield preprocess.apply(mask.astype(np.uint8) * 255, frame) > 127 if mask.any() else mask


def _said(site: Store, recipe: Recipe, frames: list[Frame], boxes_left_out: int) -> dict[str, Any]:
    whole = [i for i, frame in enumerate(frames) if frame.why_whole]
    areas = [(f.source[2] - f.source[0]) * (f.source[3] - f.source[1]) for f in frames]
    return {
        "version": VERSION,
        "crop": recipe.crop,
        "contrast": recipe.contrast,
        "shape": recipe.shape,
        "words": recipe.words,
        "from_digest": site.digest,
        "homes": dict(recipe.homes),
        "official_split": recipe.official_split,
        "landmarks": list(recipe.landmarks),
        "kept_share": round(float(np.mean(areas)), 4),  # of the frame, mean over images
        "fallback_rate": len(whole) / len(frames) if recipe.crop == "lungs" else None,
        "fallback": dict(Counter(frames[i].why_whole for i in whole).most_common()),
        "fallback_rows": whole,
        "boxes_left_out": boxes_left_out,
    }
