"""A matrix of cells that can be clicked, printed and read without colour.

In:    tidy tables, one row a cell.
Out:   Plotly figures made of bars: bars take a hatch, a click and any width, heat maps take none of these.
Never: streamlit, files, arithmetic on results.
"""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from cxrlab.ui import words

# Reads on white and on near-black; words.ACCENT is for fills.
TEAL = "#168690"
INK, PAPER = "#14181D", "#FFFFFF"
LINE = "rgba(128,128,128,0.55)"
GRID = "rgba(128,128,128,0.20)"


@dataclass(frozen=True)
class Look:
    """How cells of one kind are drawn: never by colour alone."""

    sign: str  # stands before the number
    pale: str  # fill of the smallest value
    full: str  # fill of the largest
    hatch: str = ""  # Plotly pattern shape
    line: str = "rgba(0,0,0,0)"  # round the cell


CLEAR = "rgba(0,0,0,0)"
SIGNS, COLOURS = words.VERDICT_SIGNS, words.VERDICT_COLOURS
LOOKS: dict[str, Look] = {
    words.WORSE: Look(SIGNS[words.WORSE], "#F7D3BC", COLOURS[words.WORSE]),
    words.BETTER: Look(SIGNS[words.BETTER], "#BFDDF0", COLOURS[words.BETTER]),
    words.NO_GAP: Look(SIGNS[words.NO_GAP], "#CFD4D9", "#CFD4D9"),
    words.CANNOT_SAY: Look(SIGNS[words.CANNOT_SAY], CLEAR, CLEAR, "/", LINE),
    "undefined": Look("", CLEAR, CLEAR, "", GRID),
}


def mix(pale: str, full: str, share: float) -> str:
    """Return the colour `share` of the way from one #RRGGBB to another.

    >>> mix("#000000", "#FFFFFF", 0.5)
    '#808080'
    """
    a, b = (tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in (pale, full))
    return "#" + "".join(f"{round(x + (y - x) * share + 1e-9):02X}" for x, y in zip(a, b, strict=True))


def ink_on(colour: str) -> str:
    """Return the text colour that reads on a #RRGGBB ground."""
    r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    # WCAG 2 relative luminance, with 2.2 in place of the piecewise curve.
    luminance = 0.2126 * r**2.2 + 0.7152 * g**2.2 + 0.0722 * b**2.2
    return PAPER if (luminance + 0.05) < 0.28 else INK


def matrix(
    cells: pd.DataFrame,
    rows: list[str],
    columns: list[str],
    looks: dict[str, Look],
    *,
    chosen: str = "",
    divide_after: int = 0,
) -> go.Figure:
    """Draw a matrix with the first row on top.

    Args:
        cells: columns row, column, kind (a key of `looks`), share (0 to 1: how strong), text, hover; a pair that is
            absent stays empty.
        rows: names down the side.
        columns: names along the top.
        looks: what each kind looks like.
        chosen: this row gets a frame.
        divide_after: a line under this many rows (0: none).

    Returns:
        A figure whose clicked point carries customdata [row, column].
    """
    at = {name: i for i, name in enumerate(rows)}
    marks: list[dict[str, Any]] = []
    for kind, look in looks.items():
        part = cells[cells["kind"] == kind]
        if len(part):
            marks += _marks(part, kind, look, at, columns)
    names = [f"<b>{r}</b>" if r == chosen else r for r in rows]
    still = {"showgrid": False, "zeroline": False, "fixedrange": True}
    shapes: list[dict[str, Any]] = []
    if chosen in at:
        shapes.append({
            "type": "rect", "x0": -0.5, "x1": len(columns) - 0.5, "y0": at[chosen] - 0.49, "y1": at[chosen] + 0.49,
            "line": {"color": words.ACCENT, "width": 2},
        })  # fmt: skip
    if divide_after:
        shapes.append({
            "type": "line", "x0": 0, "x1": 1, "xref": "x domain", "y0": divide_after - 0.5, "y1": divide_after - 0.5,
            "line": {"color": LINE, "width": 1},
        })  # fmt: skip
    # One dictionary, checked once: Plotly's update_… functions cost a click several times as much.
    layout = {
        "barmode": "overlay", "bargap": 0, "showlegend": False, "height": 46 + 34 * len(rows), "dragmode": False,
        "margin": {"l": 0, "r": 0, "t": 34, "b": 4}, "shapes": shapes,
        "xaxis": {"side": "top", "tickvals": list(range(len(columns))), "ticktext": columns,
                  "range": [-0.5, len(columns) - 0.5], **still},
        "yaxis": {"tickvals": list(range(len(rows))), "ticktext": names, "range": [len(rows) - 0.5, -0.5],
                  "automargin": True, **still},
    }  # fmt: skip
    return go.Figure(marks, layout)


def _marks(
    part: pd.DataFrame, kind: str, look: Look, at: dict[str, int], columns: list[str]
) -> list[dict[str, Any]]:
    """Return the bars of one kind of cell; where they are clear, their texts as marks of their own."""
    opaque = look.full.startswith("#")
    fill = [mix(look.pale, look.full, s) if opaque else look.full for s in part["share"]]
    across, down = [columns.index(c) for c in part["column"]], [at[r] for r in part["row"]]
    bars = {
        "type": "bar", "name": f"{look.sign} {kind}".strip(), "orientation": "h", "y": down,
        "base": [x - 0.48 for x in across], "x": [0.96] * len(part), "width": 0.92,
        "marker": {"color": fill, "line": {"color": look.line, "width": 1}, "pattern": hatch(look.hatch, 0.2)},
        "textposition": "inside", "insidetextanchor": "middle", "textangle": 0, "constraintext": "none",
        "customdata": part[["row", "column"]].to_numpy(), "hovertext": part["hover"].tolist(),
        "hovertemplate": "%{hovertext}<extra></extra>",
        "unselected": {"marker": {"opacity": 1}},  # a click chooses; it must not fade the rest
    }  # fmt: skip
    if opaque:
        ink = {"size": 13, "color": [ink_on(c) for c in fill]}
        return [bars | {"text": part["text"].tolist(), "textfont": ink}]
    # Plotly would choose an ink for a colour that is not there; text marks take the theme's own.
    said = {
        "type": "scatter", "mode": "text", "x": across, "y": down, "text": part["text"].tolist(),
        "textfont": {"size": 13}, "hoverinfo": "skip",
    }  # fmt: skip
    return [bars, said]


def hatch(shape: str, opacity: float = 0.45) -> dict[str, Any]:
    """Return a pattern laid over a bar's own colour; "" is none."""
    return {
        "shape": shape,
        "fillmode": "overlay",
        "fgcolor": "#4A2A10" if opacity > 0.3 else "#808080",
        "fgopacity": opacity,
        "size": 8,
        "solidity": 0.25,
    }


def small_titles(figure: go.Figure) -> go.Figure:
    """Set the titles of subplots as large as an axis title; Plotly makes them a heading. Returns the same figure."""
    return figure.for_each_annotation(lambda a: a.update(font={"size": 13}))


def say_nothing(sentence: str, height: int = 120) -> go.Figure:
    """Return a figure that holds one sentence instead of axes without data."""
    figure = go.Figure()
    figure.add_annotation(text=sentence, showarrow=False, x=0.5, y=0.5, xref="paper", yref="paper")
    figure.update_layout(height=height, xaxis={"visible": False}, yaxis={"visible": False})
    return figure


def axis(**more: Any) -> dict[str, Any]:  # Plotly's own options
    """Return options of an axis that cannot be dragged away, with a quiet grid."""
    return {"showgrid": True, "gridcolor": GRID, "zeroline": False, "fixedrange": True, **more}
