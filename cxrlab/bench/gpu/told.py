"""What was found, as a person reads it and as a program does.

In:    Found.
Out:   a table of text; plain values for JSON.
Never: measuring.
"""

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cxrlab.bench.gpu.timing import Row, Side
    from cxrlab.bench.gpu.whole import Found

STATES = {True: "holds", False: "FAILS", None: "not tried"}


def table(found: "Found") -> str:
    """Return the whole table."""
    more = f" ({found.devices} of them)" if found.devices > 1 else ""
    lines = [f"{found.device}{more}, torch {found.torch}, timm {found.timm}"]
    lines += [f"  {STATES[check.holds]:9} {check.name}: {check.said}" for check in found.checks]
    if found.times:
        lines += ["", HEAD]
        for row in found.times:
            lines += _lines(row)
    return "\n".join(lines)


_COLUMNS = "  {:<46} {:<5} {:>10} {:>7} {:>9} {:>9} {:>7}"
HEAD = _COLUMNS.format("training", "", "images/s", "MFU", "ms/step", "peak GB", "ratio")


def _lines(row: "Row") -> list[str]:
    how = (
        f"{row.network} {row.image_px} px, {row.batch}, {row.precision}{', compiled' if row.compiled else ''}"
    )
    lines = [
        _COLUMNS.format(how, "ours", *_figures(row.ours), _number(row.ratio, ".3f")),
        _COLUMNS.format("", "timm", *_figures(row.timm), ""),
    ]
    lines += [
        f"    inference {name}: batch {said['batch']:.0f}, p50 {said['p50_ms']:.2f} ms, p95 {said['p95_ms']:.2f} ms, "
        f"{said['images_per_s']:.0f} images/s"
        for name, said in row.inference.items()
    ]
    lines += [f"    no MFU: {row.why_nan}"] if row.why_nan else []
    return lines + [f"    {note}" for note in row.notes]


def _figures(side: "Side") -> tuple[str, ...]:
    return (
        _number(side.images_per_s, ".0f"),
        _number(side.utilisation, ".1%"),
        _number(side.ms_a_step, ".2f"),
        _number(side.peak_bytes / 2**30, ".2f"),
    )


def _number(value: float, how: str) -> str:
    """Return a number as text, a dash where there is none.

    >>> _number(0.4567, ".1%"), _number(float("nan"), ".1%")
    ('45.7%', '–')
    """
    return format(value, how) if math.isfinite(value) else "–"


def plain(found: "Found") -> dict[str, Any]:
    """Return what json.dumps takes: NaN is null."""
    said = asdict(found) | {"holds": found.holds}
    for given, row in zip(said["times"], found.times, strict=True):
        given["ratio"] = row.ratio
    return _without_nan(said)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
