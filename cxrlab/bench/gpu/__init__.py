"""What a machine with a GPU is asked: is everything right there, and how fast is it beside timm's own training step?

In:    nothing for `run`; the arguments of `python -m cxrlab.bench.gpu`.
Out:   Lines for `cxrlab bench`; __main__.py: a table, or JSON.
Never: torch, pydantic or anything else that a bare machine may lack, before needs.py was asked.
"""

import math
import sys

from cxrlab.bench.base import Line
from cxrlab.bench.gpu import needs

BAR = 0.97  # of timm's images a second: the promise of `bench train`, whose peer is fed for nothing too


def run() -> list[Line]:
    """Return one line of checks and one line a network; none, and a sentence, where there is nothing to measure."""
    problem = needs.problem()
    if problem:
        print(problem, file=sys.stderr)
        return []
    from cxrlab.bench.gpu import ground, told, whole

    found = whole.measure(ground.FULL, "cuda")
    print(told.table(found), file=sys.stderr, flush=True)
    tried = [check for check in found.checks if check.holds is not None]
    lines = [
        Line(
            name="gpu",
            what=f"checks that hold on {found.device}",
            ours=float(sum(check.holds for check in tried)),
            peer=float(len(tried)),
            unit="checks",
            ratio=sum(check.holds for check in tried) / len(tried),
            bar=1.0,
        )
    ]
    for row in (row for row in found.times if math.isfinite(row.ratio)):
        mode = "compiled" if row.compiled else "eager"
        lines.append(
            Line(
                name="gpu",
                what=f"training {row.network}, {row.image_px} px, batch {row.batch}, {row.precision}, {mode}",
                ours=row.ours.images_per_s,
                peer=row.timm.images_per_s,
                unit="images/s",
                ratio=row.ratio,
                bar=BAR,
                note="; ".join(("peer: timm's own training step on a constant batch", *row.notes)),
            )
        )
    return lines
