"""One row per (site, image): what was true, what was said, and who the patient was.

In:    scores from score.py.
Out:   a parquet file that metrics and pages can use without opening a store.
Never: torch, h5py, streamlit.

Columns: image_id, row (the image's index in its store), patient_id, split, age_years, sex, view, then per label
`y:<label>` (0, 1, NaN masked) and `logit:<label>`; `re` where the model reconstructs. A normal/abnormal head uses the
label "Abnormal".

Optional, from a file that brought more: `y@<reader>:<label>` (0, 1, NaN), what somebody else says of the same label,
and `group:<name>` (text, "" not said), a property to look at apart, e.g. the device. `row` is -1 and store_digest ""
where the lab holds no image.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.special import expit

from cxrlab import files
from cxrlab.errors import BadInput, MissingInput

FORMAT, VERSION = "cxrlab-predictions", 1
FACTS = ("image_id", "row", "patient_id", "split", "age_years", "sex", "view")
SPLITS = ("train", "val", "test", "external")
ABNORMAL = "Abnormal"  # the one label of a normal/abnormal head
OTHER, GROUP = "y@", "group:"


@dataclass(frozen=True)
class Predictions:
    """The scores of one run at one site."""

    table: pd.DataFrame
    run_id: str
    site: str
    spec_digest: str
    store_digest: str
    cxrlab_version: str
    synthetic: bool

    @functools.cached_property
    def kept(self) -> dict:
        """What others worked out of the rows and would work out again, by their own keys; it lives with the scores."""
        return {}

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that have a score, in column order."""
        return tuple(c.removeprefix("logit:") for c in self.table if c.startswith("logit:"))

    @property
    def readers(self) -> dict[str, tuple[str, ...]]:
        """Who else says what is true, reader → labels with a score."""
        found: dict[str, tuple[str, ...]] = {}
        for column in self.table:
            if column.startswith(OTHER):
                reader, _, label = column.removeprefix(OTHER).partition(":")
                found[reader] = (*found.get(reader, ()), label)
        return found

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of the properties that rows can be told apart by, beside age, sex and view."""
        return tuple(c.removeprefix(GROUP) for c in self.table if c.startswith(GROUP))

    def y_true(self) -> np.ndarray:
        """Return (M, L) float64 of 0, 1 and NaN (masked)."""
        return self.table[[f"y:{label}" for label in self.labels]].to_numpy(np.float64)

    def logit(self) -> np.ndarray:
        """Return (M, L) float64; NaN: the model said nothing."""
        return self.table[[f"logit:{label}" for label in self.labels]].to_numpy(np.float64)

    def score(self) -> np.ndarray:
        """Return (M, L) float64 in [0, 1]: the sigmoid of the logits."""
        return expit(self.logit())  # exp(-logit) would overflow, loudly, below -709

    def only(self, *splits: str) -> "Predictions":
        """Return the rows of these splits."""
        return self.where(self.table["split"].isin(splits).to_numpy())

    def where(self, keep: np.ndarray) -> "Predictions":
        """Return the rows where `keep`, (M,) bool, is true."""
        table = self.table[keep].reset_index(drop=True)
        return Predictions(
            table,
            self.run_id,
            self.site,
            self.spec_digest,
            self.store_digest,
            self.cxrlab_version,
            self.synthetic,
        )


def check(table: pd.DataFrame) -> None:
    """Raise BadInput unless `table` has the columns and values of a predictions table."""
    missing = [column for column in FACTS if column not in table]
    if missing:
        raise BadInput(f"predictions lack {', '.join(missing)}; expected {', '.join(FACTS)}.")
    said = [c for c in table if c.startswith("logit:")]
    if not said and "re" not in table:
        raise BadInput("predictions hold neither a logit:<label> nor a re column; expected at least one.")
    for column in said:
        truth = "y:" + column.removeprefix("logit:")
        if truth not in table:
            raise BadInput(f"predictions have {column} without {truth}; expected both.")
    truths = ["y:" + c.removeprefix("logit:") for c in said] + [c for c in table if c.startswith(OTHER)]
    for truth in truths:
        values = table[truth].to_numpy(np.float64)
        if not np.isin(values[~np.isnan(values)], (0, 1)).all():
            raise BadInput(f"{truth} holds values other than 0, 1 and NaN; apply a label policy first.")
    strange = set(table["split"].unique()) - set(SPLITS)
    if strange:
        raise BadInput(f"predictions name the splits {sorted(strange)}; expected {', '.join(SPLITS)}.")


def write(path: Path, predictions: Predictions) -> None:
    """Write `predictions`, whole or not at all."""
    check(predictions.table)
    arrow = pa.Table.from_pandas(predictions.table, preserve_index=False)
    meta = {
        "format": FORMAT,
        "version": VERSION,
        "run_id": predictions.run_id,
        "site": predictions.site,
        "spec_digest": predictions.spec_digest,
        "store_digest": predictions.store_digest,
        "cxrlab_version": predictions.cxrlab_version,
        "synthetic": predictions.synthetic,
    }
    arrow = arrow.replace_schema_metadata(
        {**(arrow.schema.metadata or {}), b"cxrlab": json.dumps(meta).encode()}
    )
    with files.whole(path) as part:
        pq.write_table(arrow, part)


def read(path: Path) -> Predictions:
    """Read what `write` wrote.

    Raises:
        MissingInput: there is no such file.
        BadInput: not a predictions file, or one of another version.
    """
    if not path.exists():
        raise MissingInput(f"no predictions at {path}; score the site with `python -m cxrlab score`.")
    try:
        arrow = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInput(f"{path} is not a readable parquet file ({error}); score the site again.") from error
    meta = json.loads((arrow.schema.metadata or {}).get(b"cxrlab", b"{}"))
    if meta.get("format") != FORMAT or meta.get("version") != VERSION:
        raise BadInput(
            f"{path} says {meta.get('format')!r} version {meta.get('version')}; expected {FORMAT!r} version {VERSION}. "
            "Score the site again."
        )
    table = arrow.to_pandas()
    check(table)
    return Predictions(
        table,
        *(meta[k] for k in ("run_id", "site", "spec_digest", "store_digest", "cxrlab_version", "synthetic")),
    )
