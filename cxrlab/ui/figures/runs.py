"""Figures of the page that asks what is happening and what came out.

In:    tables of progress lines.
Out:   Plotly figures.
Never: streamlit, files, arithmetic on results.
"""

import pandas as pd
import plotly.graph_objects as go

from cxrlab.ui import words
from cxrlab.ui.figures import base

# At most seven runs in one figure; more are a table's work.
RUN_COLOURS = words.SITE_COLOURS
MOST = len(RUN_COLOURS)


def curves(history: pd.DataFrame, value: str, title: str) -> go.Figure:
    """Draw one number by epoch, one line a run, named at its end.

    Args:
        history: run, epoch, and the column `value`.
        value: which column.
        title: of the axis.
    """
    figure = go.Figure()
    for k, (run, part) in enumerate(history.dropna(subset=[value]).groupby("run", sort=False)):
        colour = RUN_COLOURS[k % MOST]
        figure.add_scatter(
            x=part["epoch"],
            y=part[value],
            name=str(run),
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": ("solid", "dash", "dot")[k // 3 % 3]},
            marker={"size": 5},
            hovertemplate=f"{run}<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>",
        )
    figure.update_xaxes(
        title="epoch", rangemode="tozero", fixedrange=True, dtick=_step(history["epoch"].max())
    )
    figure.update_yaxes(title=title, fixedrange=True)
    return base.style(figure, height=280, legend=history["run"].nunique() > 1)


def _step(epochs: float) -> int:
    """Return whole epochs between ticks, at most ten ticks."""
    return max(1, -(-int(epochs or 1) // 10))
