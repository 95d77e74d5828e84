"""Which setting of a sweep leads at home, and whether training again could change that.

In:    sweep_table.over_seeds.
Out:   the lead: two settings, their distance, how far seeds move it.
Never: external sites: a setting that is chosen by them was chosen with their labels.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from cxrlab.report.sweep_table import HOME, SD, SEEDS

SEVERAL_HOMES = (
    "These settings were trained at different homes, so the column home is not one place: compare them in a column at, at a "
    "site that none of them was trained on."
)


@dataclass(frozen=True)
class Lead:
    """Rows of the first and the second setting at home; `by`: their distance; `moves`: what seeds move it, NaN if unknown."""

    first: int
    second: int
    by: float
    moves: float

    @property
    def is_clear(self) -> bool:
        """Whether the first is ahead by more than training again moves the difference; False where that is not known."""
        return bool(self.by > 2 * self.moves)  # NaN compares false


def lead(table: pd.DataFrame) -> Lead | None:
    """Return who leads at home by mean AUROC over seeds; None with fewer than two settings that have a number.

    `moves` is the standard error of the difference of two means over seeds (Welch), sqrt(sd1²/n1 + sd2²/n2); twice that is
    asked for, since two to five seeds allow no finer test and the first of many is first partly by luck.

    >>> rows = pd.DataFrame({"said": ["a", "b"], "seeds": [3, 3], "home": [0.9, 0.8], "home sd": [0.01, 0.02]})
    >>> found = lead(rows); found.first, round(found.by, 3), found.is_clear
    (0, 0.1, True)
    >>> lead(rows.assign(**{"seeds": 1, "home sd": np.nan})).is_clear
    False
    """
    if HOME not in table:
        return None
    known = table[table[HOME].notna()].sort_values(HOME, ascending=False, kind="stable")
    if len(known) < 2:
        return None
    one, two = known.iloc[0], known.iloc[1]
    errors = [row.get(f"{HOME}{SD}", np.nan) ** 2 / row[SEEDS] for row in (one, two)]
    return Lead(
        int(known.index[0]), int(known.index[1]), float(one[HOME] - two[HOME]), float(np.sqrt(sum(errors)))
    )
