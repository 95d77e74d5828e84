"""Figures that ask whether a score of .3 means three in ten.

In:    tidy tables of cxrlab.report.
Out:   Plotly figures.
Never: streamlit, files, arithmetic on results.
"""

import pandas as pd
import plotly.graph_objects as go

from cxrlab.ui import words
from cxrlab.ui.figures import cells
from cxrlab.ui.figures.cells import LINE, axis

BEFORE = "none"


def reliability(bins: pd.DataFrame, colour: str, after: str) -> go.Figure:
    """Draw what was seen over what was said, before (hollow) and after one recalibration, with intervals.

    Args:
        bins: method ("none" is before), said, seen, low, high, n, n_patients; a row a bin of equal mass.
        colour: of the site.
        after: what the recalibration is called.
    """
    figure = go.Figure()
    top = max(0.02, *bins["said"], *bins["high"].dropna(), *bins["seen"].dropna())
    end = min(1.0, top * 1.06)
    figure.add_scatter(
        x=[0, end], y=[0, end], mode="lines", name="said is seen", hoverinfo="skip",
        line={"color": LINE, "dash": "dash", "width": 1},
    )  # fmt: skip
    for method in dict.fromkeys(bins["method"]):
        part, before = bins[bins["method"] == method], method == BEFORE
        shade = words.GREY if before else colour
        figure.add_scatter(
            x=part["said"], y=part["seen"], mode="lines+markers", name="as scored" if before else f"after {after}",
            line={"color": shade, "width": 1 if before else 2, "dash": "dot" if before else "solid"},
            marker={"symbol": "circle-open" if before else "circle", "size": 9, "color": shade},
            error_y={"type": "data", "symmetric": False, "array": part["high"] - part["seen"],
                     "arrayminus": part["seen"] - part["low"], "color": shade, "thickness": 1.5, "width": 4},
            customdata=part[["n", "n_patients"]].to_numpy(),
            hovertemplate="said %{x:.3f}, seen %{y:.3f}<br>%{customdata[0]:,} images of %{customdata[1]:,} patients<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=420, margin={"l": 8, "r": 8, "t": 34, "b": 8}, dragmode=False, hovermode="closest",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    figure.update_xaxes(
        **axis(title="Mean score of a bin (said)", range=[-0.02 * end, end], constrain="domain")
    )
    figure.update_yaxes(
        **axis(title="Share with the finding (seen)", range=[-0.02 * end, end], scaleanchor="x")
    )
    return figure


def moved(table: pd.DataFrame, colours: dict[str, str], measure: str) -> go.Figure:
    """Draw one measure of calibration before (hollow) and after, a row a site.

    Args:
        table: site, before, after.
        colours: site → colour.
        measure: title of the axis.
    """
    figure = go.Figure()
    for row in table.to_dict("records"):
        colour = colours[row["site"]]
        figure.add_scatter(
            x=[row["before"], row["after"]], y=[row["site"]] * 2, mode="lines+markers", showlegend=False,
            line={"color": LINE, "width": 4},
            marker={"symbol": ["circle-open", "circle"], "size": 12, "color": colour, "line": {"width": 2}},
            customdata=[["as scored"], ["after"]],
            hovertemplate="%{y}, %{customdata[0]}: %{x:.3f}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=80 + 40 * len(table), margin={"l": 0, "r": 8, "t": 8, "b": 40}, dragmode=False
    )
    figure.update_xaxes(**axis(title=measure, rangemode="tozero"))
    figure.update_yaxes(fixedrange=True, autorange="reversed", showgrid=False, automargin=True)
    return cells.small_titles(figure)
