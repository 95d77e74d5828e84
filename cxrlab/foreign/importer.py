"""A file of scores becomes a run.

In:    a lab, a file, the name of the site that its images come from.
Out:   a run folder: spec, predictions, thresholds where the site is home, and an end.
Never: torch, streamlit; training rows of ours.
"""

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import cxrlab
from cxrlab import files, predictions
from cxrlab import spec as specs
from cxrlab.errors import BadRun
from cxrlab.foreign import columns, table
from cxrlab.foreign.truths import OtherTruth
from cxrlab.jobs import state
from cxrlab.metrics import thresholds
from cxrlab.paths import Lab, RunPaths
from cxrlab.predictions import Predictions


@dataclass(frozen=True)
class Imported:
    """What came in. `splits`: split → images. `already`: the same file was there, nothing was done."""

    run_id: str
    site: str
    n_images: int
    n_patients: int
    labels: tuple[str, ...]
    columns: dict[str, str]
    splits: dict[str, int] = field(default_factory=dict)
    readers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    n_pictures: int = 0  # images that the lab's store of this site holds
    notes: tuple[str, ...] = ()
    already: bool = False


def preview(
    path: Path, site: str, *, as_home: bool = False, said: dict[str, str] | None = None, truths: Sequence[str] = ()
) -> Imported:  # fmt: skip
    """Return what `import_scores` would read, without writing. Raises as that does for the file."""
    made, mapping = _read(path, site, tuple(map(OtherTruth.parse, truths)), said or {}, home=as_home)
    return _told("", site, made.table, mapping, made.notes)


def import_scores(
    lab: Lab,
    path: Path,
    site: str,
    *,
    run: str = "",
    as_home: bool = False,
    said: dict[str, str] | None = None,
    truths: Sequence[str] = (),
    replace: bool = False,
) -> Imported:
    """Make a run of the scores in `path`, or add a site to one.

    Args:
        lab: where.
        path: CSV (plain or .gz) or parquet, one row an image.
        site: where the images come from; a site of the lab keeps its pictures.
        run: the run's name; "": made from the file's name.
        as_home: the model was trained at this site: about a third of the patients (foreign.table.split_of) tune the
            thresholds, the others are its test rows. The file must not hold images that it was trained on.
        said: column → meaning (foreign.columns), where names do not say it.
        truths: what somebody else says of a label (foreign.truths).
        replace: take this file for one of the same site that came in before.

    Raises:
        MissingInput: no such file.
        BadInput: a column, cell or name that cannot be.
        BadRun: another run has that name; the site has other scores; another site is home.
    """
    files.check_name(site, "site")
    paths = lab.run(_run_id(run or path.name.split(".")[0]))
    others = tuple(OtherTruth.parse(text) for text in truths)
    made, mapping = _read(path, site, others, said or {}, home=as_home)
    entry = specs.ImportedFile(
        site=site, file=path.name, digest=files.digest_of(path.read_bytes()), columns=mapping.columns,
        truths=tuple(map(str, others)),
    )  # fmt: skip
    with _held(paths):
        before = _before(paths)
        spec = _grown(before, entry, paths.run_id, as_home=as_home, replace=replace)
        if spec == before and paths.predictions(site).exists():
            told = _told(
                paths.run_id, site, predictions.read(paths.predictions(site)).table, mapping, made.notes
            )
            return Imported(**{**vars(told), "already": True})
        scores = _with_pictures(lab, paths, entry, made)
        predictions.write(paths.predictions(site), scores)
        if as_home:
            thresholds.write(paths.thresholds, thresholds.tune(scores))
        elif not spec.home:
            paths.thresholds.unlink(missing_ok=True)  # what was home before is no longer
        now = round(time.time(), 3)
        state.write_job(paths, state.Job("import", socket.gethostname(), now, started=now))
        files.write_text(paths.spec, specs.dumps(spec) + "\n")
        state.write_end(paths, "done")
    return _told(paths.run_id, site, scores.table, mapping, made.notes)


def _run_id(name: str) -> str:
    clean = name.lower().replace(" ", "-").removeprefix("import-")
    files.check_name(f"import-{clean}", "run")
    return f"import-{clean}"


def _read(
    path: Path, site: str, truths: tuple[OtherTruth, ...], said: dict[str, str], *, home: bool
) -> tuple[table.Read, columns.Mapping]:
    raw = table.load(path)
    mapping = columns.guess(list(raw.columns), said, path.name)
    return table.build(raw, mapping, truths, site, home=home, where=path.name), mapping


@contextlib.contextmanager
def _held(paths: RunPaths) -> Iterator[None]:
    """Hold the run; when nothing came of a new one, its folder goes again."""
    with state.locked(paths):
        try:
            yield
        except BaseException:
            if not paths.spec.exists():
                for left in (paths.job, paths.thresholds, *paths.predictions_folder.glob("*")):
                    left.unlink(missing_ok=True)
                if paths.predictions_folder.is_dir():
                    paths.predictions_folder.rmdir()
                paths.lock.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # somebody else's file: not ours to remove
                    paths.folder.rmdir()
            raise


def _before(paths: RunPaths) -> specs.ImportSpec | None:
    if not paths.spec.exists():
        return None
    spec = specs.read(paths.spec)
    if not isinstance(spec, specs.ImportSpec):
        raise BadRun(f"{paths.run_id} is a run of another kind; choose another name with --run.")
    return spec


def _grown(
    before: specs.ImportSpec | None, entry: specs.ImportedFile, run_id: str, *, as_home: bool, replace: bool
) -> specs.ImportSpec:
    """Return the spec with the file of one more site."""
    name, site = run_id.removeprefix("import-"), entry.site
    if before is None:
        return specs.ImportSpec(name=name, home=site if as_home else "", files=(entry,))
    known = {one.site: one for one in before.files}
    if as_home and before.home not in ("", site):
        raise BadRun(f"{run_id} has the home {before.home}; a model has one. Import without --as-home.")
    was_home = before.home == site
    if known.get(site) == entry and was_home == as_home:
        return before
    if site in known and not replace:
        raise BadRun(
            f"{run_id} has scores at {site} already, from {known[site].file}; say --replace to take these instead, "
            "or give another --run."
        )
    home = site if as_home else "" if was_home else before.home
    return specs.ImportSpec(name=name, home=home, files=tuple((known | {site: entry}).values()))


def _with_pictures(lab: Lab, paths: RunPaths, entry: specs.ImportedFile, made: table.Read) -> Predictions:
    """Return the scores, each row beside its image in the lab's store of that site, where there is one."""
    digest, synthetic = "", False
    if lab.store(entry.site).exists():
        from cxrlab import store
        from cxrlab.sites.tables import ImageIndex

        there = store.read(lab.store(entry.site))
        names = there.rows["image_id"].astype(str).tolist()
        row_of, index = {name: i for i, name in enumerate(names)}, ImageIndex(names)
        made.table["row"] = [row_of.get(index.find(str(name)), -1) for name in made.table["image_id"]]
        synthetic = there.header.synthetic
        digest = there.digest if (made.table["row"] >= 0).any() else ""
    return Predictions(
        made.table, paths.run_id, entry.site, specs.digest(entry), digest, cxrlab.__version__, synthetic
    )


def _told(run_id: str, site: str, rows: object, mapping: columns.Mapping, notes: tuple[str, ...]) -> Imported:
    scores = Predictions(rows, run_id, site, "", "", "", False)
    return Imported(
        run_id,
        site,
        len(scores.table),
        scores.table["patient_id"].nunique(),
        scores.labels,
        mapping.columns,
        {str(k): int(v) for k, v in scores.table["split"].value_counts().items()},
        scores.readers,
        scores.groups,
        int(np.count_nonzero(scores.table["row"] >= 0)),
        notes,
    )
