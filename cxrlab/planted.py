"""A copy of a store under one planted shift: a site whose difference from another is known.

In:    a lab, a site with a store, a kind of shift and its severity.
Out:   the store of a new site, with the same patients, rows and evidence; how such a store is marked.
Never: the formulas of shifts (images/corrupt); targets; torch.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrlab import files, store
from cxrlab.errors import BadInput, MissingInput
from cxrlab.images import corrupt
from cxrlab.images.corrupt import dose
from cxrlab.intake import staging
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from cxrlab.store import Header, Store

MARK = "planted"  # the key in header.preprocess
SAMPLE = 64  # images that the dose is measured on: evenly spaced, so that it costs the same for every store
BLANK = np.zeros((16, 16), np.uint8)


def plant(
    lab: Lab,
    site: str,
    kind: str,
    severity: int,
    name: str,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Copy the store of `site` through one planted shift into the store of `name`, whole or not at all.

    The images' names stay, so that the two can be compared image by image. Boxes and masks move with the picture; a box
    that left the frame is left out and counted. The same arguments give the same store, byte for byte in its contents.

    Args:
        lab: holds `site` and gets `name`.
        site: the site that is copied; a planted one may be planted again.
        kind: a name in corrupt.KINDS.
        severity: 1 to 5, or 0 for a control in which every picture is bit-equal.
        name: the new site's name; no store may have it.
        seed: decides what is left to chance in each image.
        progress: told of the stages "measure" and "plant".

    Returns:
        The new store's path.

    Raises:
        UnknownName, BadInput, MissingInput, BadStore: the arguments or the source cannot be used; nothing was changed.
        NoSpace: the disk has no room; nothing was written under that name.
    """
    path, progress = lab.store(name), progress or Progress()
    step = corrupt.step_of(kind, severity)
    if type(seed) is not int or seed < 0:
        raise BadInput(f"a seed of {seed!r}; give a whole number from 0 up.")
    if not lab.store(site).exists():
        raise MissingInput(
            f"no site {site!r} in {lab.root}; it has: {', '.join(lab.sites()) or 'none, import one first'}."
        )
    source = store.read(lab.store(site))
    with staging.Lock(path):
        if path.exists():
            raise BadInput(
                f"the lab already has a site {name!r}; choose another --site name, or remove it with "
                f"`python -m cxrlab sites rm {name} --yes`."
            )
        files.remove_parts(path)
        _write(path, name, source, step, seed, progress)
    return path


def _write(path: Path, name: str, source: Store, step: corrupt.Step, seed: int, progress: Progress) -> None:
    ids = [str(image_id) for image_id in source.rows["image_id"]]
    boxes = _moved_boxes(source, step, seed)
    measured = _measured(source, ids, step, seed, progress)
    said = {
        "kind": step.kind,
        "severity": step.severity,
        "seed": seed,
        "from": source.site,
        "from_digest": source.digest,
        "strength": step.strength,
        "measure": step.measure,
        "dose": step.dose,
        "measured": measured,
        "boxes_left_out": len(source.boxes) - len(boxes),
    }
    kept = {key: value for key, value in source.header.preprocess.items() if key not in ("recipe", MARK)}
    if MARK in source.header.preprocess:
        said["after"] = source.header.preprocess[MARK]
    header = replace(
        source.header,
        site=name,
        title=f"{source.header.title}, planted: {step.kind} {step.severity}",
        # Without the source's recipe: it says to an ingest that its own store is already there.
        preprocess={**kept, MARK: said},
    )
    progress.stage("plant", len(source))
    store.write(
        path,
        header,
        source.rows,
        source.evidence,
        (_changed(source.image(i), image_id, step, seed).image for i, image_id in enumerate(ids)),
        quarantine=source.quarantine.itertuples(index=False, name=None),
        boxes=boxes,
        masks={mask: _moved_masks(source, mask, ids, step, seed) for mask in source.mask_names},
        facts=source.facts if len(source.facts.columns) else None,
        votes=source.votes,
        on_image=progress.step,
    )


def _changed(image: np.ndarray, image_id: str, step: corrupt.Step, seed: int) -> corrupt.Effect:
    return corrupt.apply(image, step.kind, step.strength, image_id=image_id, seed=seed)


def _warp(image_id: str, step: corrupt.Step, seed: int) -> np.ndarray | None:
    """Return where an image's points go; a warp depends on neither the picture nor its size."""
    if corrupt.KINDS[step.kind].measure != corrupt.DISPLACEMENT:
        return None
    return _changed(BLANK, image_id, step, seed).warp


def _measured(source: Store, ids: list[str], step: corrupt.Step, seed: int, progress: Progress) -> float:
    """Return the mean dose on this store's own images: the table's was measured on phantoms."""
    rows = np.unique(np.linspace(0, len(ids) - 1, min(SAMPLE, len(ids))).astype(int))
    kind, doses = corrupt.KINDS[step.kind], []
    for i in progress.track(rows, "measure", len(rows)):
        image = source.image(int(i))
        doses.append(dose.of(kind, image, _changed(image, ids[i], step, seed)))
    return round(float(np.mean(doses)), 4)


def _moved_boxes(source: Store, step: corrupt.Step, seed: int) -> pd.DataFrame:
    """Return the boxes where the pictures went, without those that left the frame."""
    if corrupt.KINDS[step.kind].measure != corrupt.DISPLACEMENT:
        return source.boxes
    boxes = source.boxes.copy()
    numbers = boxes[list("xywh")].to_numpy(np.float64, copy=True)
    for image_id, at in boxes.groupby("image_id").indices.items():
        numbers[at] = corrupt.moved_boxes(numbers[at], _warp(str(image_id), step, seed))
    boxes[list("xywh")] = numbers.astype(boxes["x"].dtype)
    return boxes[(boxes["w"] > 0) & (boxes["h"] > 0)].reset_index(drop=True)


def _moved_masks(
    source: Store, mask: str, ids: list[str], step: corrupt.Step, seed: int
) -> Iterator[np.ndarray]:
    for i, image_id in enumerate(ids):
        yield corrupt.moved_mask(source.mask(mask, i), _warp(image_id, step, seed))


def mark_of(header: Header) -> str:
    """Return what marks a planted store wherever its header is shown; "" for one that was not planted.

    >>> said = {"kind": "glare", "severity": 3, "from": "nih"}
    >>> mark_of(Header("x", "X", "", (), preprocess={"planted": said}))
    'planted shift: glare, severity 3, of nih'
    """
    shifts: list[str] = []
    origin, said = "", header.preprocess.get(MARK)
    if said is None:
        return ""
    while isinstance(said, dict) and len(shifts) < 8:  # a store from elsewhere may say anything
        shifts.append(f"{said.get('kind', 'of an unknown kind')}, severity {said.get('severity', 'unknown')}")
        origin, said = str(said.get("from", "")), said.get("after")
    words = ", after ".join(shifts) or "of an unknown kind"
    return f"planted shift: {words}" + (f", of {origin}" if origin else "")


def origin_of(header: Header) -> str:
    """Return the site whose patients a planted store holds, before its first shift; "" for one that was not planted.

    >>> said = {"kind": "glare", "severity": 3, "from": "nih-dark", "after": {"kind": "dark", "severity": 1, "from": "nih"}}
    >>> origin_of(Header("x", "X", "", (), preprocess={"planted": said}))
    'nih'
    """
    origin, said = "", header.preprocess.get(MARK)
    for _ in range(8):  # a store from elsewhere may say anything
        if not isinstance(said, dict):
            break
        origin, said = str(said.get("from", "")), said.get("after")
    return origin


def facts_of(header: Header) -> dict[str, Any]:
    """Return kind, severity, seed, source and doses of a planted store; {} for one that was not planted."""
    said = header.preprocess.get(MARK)
    return dict(said) if isinstance(said, dict) else {}
