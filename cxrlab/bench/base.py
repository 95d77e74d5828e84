"""What every benchmark gives: our speed beside a peer's, measured in the same run.

In:    nothing.
Out:   Line.
Never: verdicts about a machine; only ratios.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One comparison; `ratio` is always "higher is better" and `bar` is the least that we promise."""

    name: str
    what: str
    ours: float
    peer: float
    unit: str
    ratio: float
    bar: float
    note: str = ""
