"""What a store holds, as plain figures.

In:    an open store.
Out:   counts of images, patients, evidence, splits and of what was left out, ready for JSON or a table.
Never: pixels, targets, files.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cxrlab.labels import Evidence

if TYPE_CHECKING:
    from cxrlab.store import Store


def count_evidence(labels: tuple[str, ...], evidence: np.ndarray) -> pd.DataFrame:
    """Return one row a label: label, positive, negative, uncertain, not_mentioned, not_annotated (images).

    Args:
        labels: names of the columns.
        evidence: (N, len(labels)) int8.
    """
    counts = {code.name.lower(): (evidence == code).sum(axis=0) for code in Evidence}
    return pd.DataFrame({"label": list(labels), **counts})


def count_reasons(reasons: list[str]) -> list[dict[str, Any]]:
    """Return {"reason", "files"} for each reason, commonest first."""
    counts = pd.Series(reasons, dtype=object).value_counts()
    return [{"reason": str(reason), "files": int(n)} for reason, n in counts.items()]


def take(opened: "Store") -> dict[str, Any]:
    """Return one store's facts as plain values: counts, ages, evidence a label, splits, reasons, ledger."""
    rows, header = opened.rows, opened.header
    age = rows["age_years"].dropna()
    return {
        "site": header.site,
        "title": header.title,
        "source": header.source,
        "synthetic": header.synthetic,
        "digest": opened.digest,
        "px": int(opened.image_shape[0]),
        "n_images": len(opened),
        "n_patients": int(rows["patient_id"].nunique()),
        "n_quarantined": len(opened.quarantine),
        "n_boxes": len(opened.boxes),
        "masks": list(opened.mask_names),
        "age_years": {"n": len(age)}
        | (
            {"median": float(age.median()), "low": float(age.min()), "high": float(age.max())}
            if len(age)
            else {}
        ),
        **{
            word: {str(name): int(n) for name, n in rows[column].value_counts().items()}
            for word, column in (("splits", "split_hint"), ("views", "view"), ("sexes", "sex"))
        },
        "evidence": count_evidence(header.labels, opened.evidence).to_dict("records"),
        "ledger": list(header.ledger),
        "quarantine": count_reasons(list(opened.quarantine["reason"])),
        "preprocess": header.preprocess,
    }
