"""Figures of the page that asks where the model looked.

In:    tidy tables.
Out:   Plotly figures.
Never: streamlit, files, arithmetic on results.
"""

import pandas as pd
import plotly.graph_objects as go

from cxrlab.ui import words
from cxrlab.ui.figures import cells
from cxrlab.ui.figures.cells import LINE, axis

TRUTHS = {1: "present", 0: "absent"}


def scores(table: pd.DataFrame, chosen: str = "") -> go.Figure:
    """Draw all labels' scores of one image as bars, each with its threshold as a tick and the truth in words.

    Args:
        table: label, score, threshold, y (1, 0, NaN); first row on top.
        chosen: this label is printed in bold.
    """
    figure = go.Figure()
    at = list(range(len(table)))
    over = table["score"] >= table["threshold"]
    wrong = table["y"].notna() & table["threshold"].notna() & (over != (table["y"] == 1))
    colours = [words.VERDICT_COLOURS[words.WORSE] if w else cells.TEAL for w in wrong]
    figure.add_bar(
        orientation="h", y=at, x=table["score"], width=0.55, name="score",
        marker={"color": colours, "pattern": cells.hatch("") | {"shape": ["/" if w else "" for w in wrong]}},
        customdata=table[["label"]].to_numpy(), hovertemplate="%{customdata[0]}: score %{x:.2f}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=table["threshold"], y=at, mode="markers", name="threshold", customdata=table[["label"]].to_numpy(),
        marker={"symbol": "line-ns", "size": 22, "line": {"width": 3, "color": words.GREY}},
        hovertemplate="%{customdata[0]}: threshold %{x:.2f}<extra></extra>",
    )  # fmt: skip
    for i, (y, bad) in enumerate(zip(table["y"], wrong, strict=True)):
        text = TRUTHS.get(y, "not labelled") + (" · wrong" if bad else "")
        figure.add_annotation(
            x=1, y=i, text=text, showarrow=False, xanchor="left", xshift=8, font={"size": 12}
        )
    names = [f"<b>{x}</b>" if x == chosen else x for x in table["label"]]
    figure.update_layout(
        height=64 + 27 * len(table),
        margin={"l": 0, "r": 104, "t": 6, "b": 34},
        showlegend=False,
        dragmode=False,
    )
    figure.update_xaxes(**axis(title="score (tick: threshold)", range=[0, 1], dtick=0.25, linecolor=LINE))
    figure.update_yaxes(
        tickvals=at,
        ticktext=names,
        range=[len(table) - 0.5, -0.5],
        fixedrange=True,
        automargin=True,
        showgrid=False,
    )
    return figure
