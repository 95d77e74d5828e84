"""A raw folder → a store: the one place where sites, images and stores meet.

In:    a lab, a dataset's name, its raw folder, a name for the site.
Out:   `stores/<site>.h5`, or a sentence why not.
Never: targets, splits of our own, torch.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cxrlab import files, privacy, store
from cxrlab.errors import BadInput, BadStore, NoSpace
from cxrlab.intake import decoders, origin, rawfolder, staging
from cxrlab.intake.rawfolder import Preview, preview
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from cxrlab.sites import SITES, Raw

__all__ = ["Ingested", "Preview", "ingest", "preview", "remove"]

PIXELS = "area-mean, stretched to a square; 16 bit scaled from the 0.5 to the 99.5 percentile"
SMALLEST, LARGEST = 16, 2048  # pixels a side
SPARE = 64 * 2**20  # bytes left free beside what an ingest needs


@dataclass(frozen=True)
class Ingested:
    """What an ingest gave."""

    path: Path
    site: str
    n_images: int
    n_patients: int
    n_quarantined: int
    digest: str
    already: bool = False  # the same store was there; nothing was done
    n_resumed: int = 0  # images that an interrupted ingest had already decoded


def ingest(
    lab: Lab,
    dataset: str,
    raw: Path,
    site: str,
    *,
    px: int = 224,
    limit: int | None = None,
    options: dict[str, Any] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    replace_old: bool = False,
) -> Ingested:
    """Read a raw folder and write the store of `site`, whole or not at all.

    Killed at any moment and started again with the same arguments, it goes on with the images it had not yet decoded.

    Args:
        lab: where the store goes.
        dataset: a name in sites.SITES.
        raw: the folder as its owner publishes it.
        site: the name that the store gets.
        px: side of the stored square images, pixels.
        limit: at most so many images, patient by patient, the same ones each time; None: all.
        options: the plug-in's own settings.
        workers: processes that decode; None: one a core.
        progress: told of the stages "decode" and "write".
        replace_old: write over a store of this name that holds something else.

    Raises:
        UnknownName, MissingInput, BadInput: the arguments or the raw folder cannot be used; nothing was changed.
        NoSpace: the disk has no room; a store of this name that was there is as it was.
    """
    path, progress, options = lab.store(site), progress or Progress(), dict(options or {})
    _check_size(px, limit)
    raw = Path(raw).expanduser().resolve()
    plain = SITES[dataset].is_plain
    with staging.Lock(path), decoders.Crew(dataset, workers or decoders.cores(), plain=plain) as crew:
        files.remove_parts(path)
        progress.stage("read")
        found = _limited(rawfolder.read(dataset, raw, site, options), limit)
        settings = {"px": px, "pixels": PIXELS, "dataset": dataset, "options": options, "limit": limit}
        if found.label_map is not None:
            settings["map"] = found.label_map.to_json()
        recipe = _recipe(found, settings)
        names = privacy.Pseudonyms(privacy.salt(lab)) if SITES[dataset].hides_names(options) else None
        if names is not None:
            # A plain digest of names would let anyone test a guess; with another salt it is another store.
            recipe, settings["options"] = names.of("recipe", recipe), names.options(options)
        if (there := _already(path, site, recipe, replace_old)) is not None:
            staging.clear(path)
            return there
        plan = staging.Plan(
            recipe,
            dataset,
            str(raw),
            px,
            sources=tuple(found.rows["source_file"]),
            mask_names=found.mask_names,
            options=options,
        )
        with files.no_space_is_a_sentence(path):
            _check_room(path, plan, found.n_masked)
            work, n_resumed = staging.begin(path, plan)
        n_left = int((work.states["state"] == staging.WAITING).sum())
        progress.stage("decode", n_left)
        with files.no_space_is_a_sentence(path):
            crew.decode(work, progress.step)
        origin.write(lab, site, origin.Origin(dataset, str(raw), options))
        done = _write(lab, path, found, {**settings, "recipe": recipe}, work, names, progress)
        staging.clear(path)
        return replace(done, n_resumed=n_resumed)


def remove(lab: Lab, site: str) -> None:
    """Remove a site's store, its variants and what an interrupted ingest left of it; runs keep their predictions.

    Raises:
        BadInput: an ingest of this site is running, or one of its variants is being made.
    """
    from cxrlab import variants  # specs are slow to import, and no ingest needs one

    path = lab.store(site)
    variants.remove_of(lab, site)
    with staging.Lock(path):
        staging.clear(path)
        files.remove_parts(path)
        path.unlink(missing_ok=True)
        lab.origin(site).unlink(missing_ok=True)
        lab.private_table(site).unlink(missing_ok=True)


def _check_size(px: int, limit: int | None) -> None:
    if not SMALLEST <= px <= LARGEST:
        raise BadInput(f"a side of {px} pixels was asked for; choose {SMALLEST} to {LARGEST}, usually 224.")
    if limit is not None and limit < 1:
        raise BadInput(f"a limit of {limit} images was asked for; choose at least 1, or none for all.")


def _limited(found: Raw, limit: int | None) -> Raw:
    """Return the first `limit` images in an order that depends on the patients' names alone.

    The first rows of a table are no sample: folders list all normals before all pneumonias.
    """
    if limit is None or limit >= len(found.rows):
        return found
    order = found.rows["patient_id"].map(lambda name: hashlib.sha256(name.encode()).digest())
    return found.at(np.sort(order.sort_values(kind="stable").index.to_numpy()[:limit]))


def _recipe(found: Raw, settings: dict[str, Any]) -> str:
    """Return a digest of everything that decides the contents, except the pixels themselves."""
    try:
        said = json.dumps([settings, found.header.labels, found.quarantine], sort_keys=True)
    except TypeError as error:
        raise BadInput(f"the options {settings['options']!r} are not plain values ({error}).") from error
    votes = b"" if found.votes is None else found.votes.tobytes()
    return files.digest_of(
        said,
        found.rows.to_json(),
        found.evidence.tobytes(),
        found.boxes.to_json(),
        found.facts.to_json(),
        votes,
    )


def _already(path: Path, site: str, recipe: str, replace_old: bool) -> Ingested | None:
    """Return the store that is there when it is the one asked for; None when the way is free.

    Raises:
        BadInput: a store of this name holds something else.
    """
    if not path.exists() or replace_old:
        return None
    try:
        old = store.read(path)
    except BadStore as error:
        raise BadInput(
            f"{path} is in the way and cannot be read ({error}) Use --replace to write over it."
        ) from error
    if old.header.preprocess.get("recipe") != recipe:
        made = old.header.preprocess
        raise BadInput(
            f"the lab already has a site {site!r}: {old.header.title}, {len(old):,} images of {old.image_shape[0]} px"
            + (f" from {made['dataset']!r}" if "dataset" in made else "")
            + ", from other data or settings. Choose another --site name, or --replace to write over it."
        )
    n_patients = old.rows["patient_id"].nunique()
    return Ingested(path, site, len(old), n_patients, len(old.quarantine), old.digest, already=True)


def _check_room(path: Path, plan: staging.Plan, n_masked: int | None) -> None:
    """Raise NoSpace before any work when the staging and the store cannot both fit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    n, image = len(plan.sources), plan.px * plan.px
    held = sum(f.stat().st_blocks * 512 for f in staging.folder_of(path).glob("*"))
    masks = len(plan.mask_names) * (n if n_masked is None else min(n, n_masked))
    need = n * (2 * image + 1024) + masks * (image + image // 4 + 256) + SPARE - held
    free = shutil.disk_usage(path.parent).free
    if free < need:
        raise NoSpace(
            f"{n:,} images of {plan.px} px need {files.size_in_words(need)} at {path.parent}, which has {files.size_in_words(free)} free. "
            "Free some space, set CXRLAB_HOME to a larger disk, or use --limit or a smaller --size."
        )


def _write(
    lab: Lab,
    path: Path,
    found: Raw,
    settings: dict[str, Any],
    work: staging.Staging,
    names: privacy.Pseudonyms | None,
    progress: Progress,
) -> Ingested:
    """Write the store from finished staging; `names`: of a private site."""
    bad = work.reasons()
    good = np.flatnonzero(work.states["state"] == staging.GOOD)
    quarantine = [*found.quarantine, *((work.plan.sources[i], reason) for i, reason in sorted(bad.items()))]
    if names is not None:
        quarantine = [(file, privacy.without_quotes(reason)) for file, reason in quarantine]
    if len(good) == 0:
        staging.clear(path)
        raise BadInput(
            f"none of the {len(found.rows):,} images of {path.stem} can be used{rawfolder.why(quarantine)}."
        )
    kept = found.at(good)
    rows = kept.rows
    rows["width"], rows["height"] = work.states["width"][good], work.states["height"][good]
    if names is not None:
        hidden = privacy.hide(names, rows, kept.boxes, quarantine)
        # Before the store: a store whose files cannot be found again would stay so for ever.
        privacy.write_private(lab, path.stem, Path(work.plan.raw), hidden.behind)
        rows, quarantine, kept = hidden.rows, hidden.quarantine, replace(kept, boxes=hidden.boxes)
    progress.stage("write", len(good))
    digest = store.write(
        path,
        replace(kept.header, preprocess=settings),
        rows,
        kept.evidence,
        (work.pixels[i] for i in good),
        quarantine=quarantine,
        boxes=kept.boxes,
        n_masked=kept.n_masked,
        facts=kept.facts,
        votes=kept.votes,
        masks={name: map(mask.__getitem__, good) for name, mask in work.masks.items()},
        on_image=progress.step,
    )
    return Ingested(path, path.stem, len(rows), rows["patient_id"].nunique(), len(quarantine), digest)
