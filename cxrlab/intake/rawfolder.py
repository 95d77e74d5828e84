"""A raw folder, read and looked at before anything is written.

In:    a dataset's name, its raw folder, the plug-in's options.
Out:   what the plug-in read, checked; a preview for people.
Never: stores on disk.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cxrlab.errors import BadInput, shown
from cxrlab.images import decode
from cxrlab.labels import Evidence
from cxrlab.sites import SITES, Raw, Site
from cxrlab.store import census

SAMPLE_PX = 224


@dataclass(frozen=True)
class Preview:
    """What an ingest would read.

    samples: (image_id, (px, px) uint8, the site's own words) of up to n images, spread over the native labels.
    odd: sentences about what is missing or unusual.
    """

    title: str
    source: str
    n_images: int
    n_patients: int
    labels: pd.DataFrame  # census.count_evidence's columns
    ledger: tuple[dict[str, Any], ...]
    quarantine: list[tuple[str, str]]
    samples: list[tuple[str, np.ndarray, str]]
    odd: list[str]


def read(dataset: str, raw: Path, site: str, options: dict[str, Any]) -> Raw:
    """Return what the plug-in reads in `raw`.

    Raises:
        UnknownName: no such dataset.
        MissingInput, BadInput: the folder or an option cannot be used, or nothing in the folder can.
    """
    plugin = SITES[dataset]
    _check_options(plugin, options)
    found = plugin.read(raw, site, options)
    if len(found.rows) == 0:
        raise BadInput(f"nothing in {raw} can be used{why(found.quarantine)}; expected {plugin.expects}.")
    found.quarantine = [(file, shown(reason)) for file, reason in found.quarantine]
    return found


def preview(
    dataset: str, raw: Path, site: str, options: dict[str, Any] | None = None, n: int = 10
) -> Preview:
    """Return what an ingest would read, without writing anything.

    Raises:
        UnknownName, MissingInput, BadInput: as `read`.
    """
    raw = Path(raw).expanduser().resolve()
    found = read(dataset, raw, site, dict(options or {}))
    rows, quarantine, samples = found.rows, list(found.quarantine), []
    turn = rows.groupby("native_label").cumcount()  # the first of each native label, then the second
    for i in turn.sort_values(kind="stable").index[:n]:
        try:
            image = decode.fit(SITES[dataset].image(raw, rows["source_file"][i]), SAMPLE_PX)
            samples.append((rows["image_id"][i], image, rows["native_label"][i]))
        except BadInput as error:
            quarantine.append((rows["source_file"][i], str(error)))
    return Preview(
        title=found.header.title,
        source=found.header.source,
        n_images=len(rows),
        n_patients=rows["patient_id"].nunique(),
        labels=census.count_evidence(found.header.labels, found.evidence),
        ledger=found.header.ledger,
        quarantine=quarantine,
        samples=samples,
        odd=_odd(found),
    )


def why(quarantine: list[tuple[str, str]]) -> str:
    """Return the three commonest reasons as the middle of a sentence, "" without any.

    >>> why([("a.png", "the file is empty"), ("b.png", "the file is empty")])
    ': the file is empty (2 files)'
    """
    if not quarantine:
        return ""
    common = Counter(reason for _, reason in quarantine).most_common(3)
    return ": " + "; ".join(f"{reason} ({n:,} file{'s' if n > 1 else ''})" for reason, n in common)


def _check_options(plugin: Site, options: dict[str, Any]) -> None:
    options_known = plugin.all_options
    beginnings = tuple(name for name in options_known if name.endswith(":"))
    for name in options:
        if name in beginnings or not (name in options_known or name.startswith(beginnings)):
            known = ", ".join(options_known) or "none"
            raise BadInput(f"{plugin.name} has no option {name!r}; it has: {known}.")


def _odd(found: Raw) -> list[str]:
    """Return what a person should know before ingesting, one sentence each."""
    rows, odd = found.rows, []
    n = len(rows)
    for column, word in (("age_years", "age"), ("sex", "sex"), ("view", "view")):
        lacking = int(rows[column].isna().sum() if column == "age_years" else (rows[column] == "").sum())
        if lacking:
            odd.append(f"{lacking:,} of {n:,} images have no {word}.")
    unknown = int((found.evidence == Evidence.NOT_ANNOTATED).all(axis=1).sum())
    if unknown:
        odd.append(f"{unknown:,} of {n:,} images are annotated for no label.")
    if rows["patient_id"].nunique() == n:
        odd.append("Every image counts as a patient of its own.")
    if found.quarantine:
        odd.append(f"{len(found.quarantine):,} files or rows are left out{why(found.quarantine)}.")
    return odd
