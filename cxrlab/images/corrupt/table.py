"""The strength of each severity of each kind, as it was calibrated.

In:    strengths.csv beside this file, written by dose.
Out:   Step: strength, target dose and dose measured.
Never: measuring.
"""

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path

from cxrlab import files

TABLE = Path(__file__).with_name("strengths.csv")
SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Step:
    """One severity of one kind."""

    kind: str
    severity: int
    measure: str  # "dissimilarity" (1 - SSIM) or "displacement" (sides)
    target: float  # dose
    dose: float  # what the phantoms gave
    strength: float  # in the kind's own unit
    note: str  # why the targets are the kind's own, or ""


def write(path: Path, steps: Iterable[Step]) -> None:
    """Write the table, whole or not at all."""
    with files.whole(path) as part, part.open("w", encoding="utf-8", newline="") as out:
        rows = csv.DictWriter(out, [field.name for field in fields(Step)], lineterminator="\n")
        rows.writeheader()
        rows.writerows(asdict(step) for step in steps)


@lru_cache(maxsize=1)
def read(path: Path = TABLE) -> dict[tuple[str, int], Step]:
    """Return (kind, severity) → its step."""
    with path.open(encoding="utf-8", newline="") as lines:
        found = [
            Step(
                kind=row["kind"],
                severity=int(row["severity"]),
                measure=row["measure"],
                target=float(row["target"]),
                dose=float(row["dose"]),
                strength=float(row["strength"]),
                note=row["note"],
            )
            for row in csv.DictReader(lines)
        ]
    return {(step.kind, step.severity): step for step in found}
