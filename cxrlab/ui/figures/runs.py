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
LEAST = 3  # runs from which lines side by side show more than a table
AXES = 6  # fields; more is no figure
LONGEST = 18  # letters of a value beside its axis
START = 0.3  # of the width, where axes begin: their names stand before it, a site's on a phone too


def curves(history: pd.DataFrame, value: str, title: str, names: dict[str, str]) -> go.Figure:
    """Draw one number by epoch, one line a run.

    Args:
        history: run, epoch, and the column `value`.
        value: which column.
        title: of the axis.
        names: run → what the legend calls it.
    """
    figure = go.Figure()
    for k, (run, part) in enumerate(history.dropna(subset=[value]).groupby("run", sort=False)):
        colour = RUN_COLOURS[k % MOST]
        figure.add_scatter(
            x=part["epoch"],
            y=part[value],
            name=names.get(str(run), str(run)),
            mode="lines+markers",
            line={"color": colour, "width": 2, "dash": ("solid", "dash", "dot")[k // 3 % 3]},
            marker={"size": 5},
            hovertemplate=f"{names.get(str(run), run)}<br>{run}<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>",
        )
    figure.update_xaxes(title="epoch", fixedrange=True, dtick=_step(history["epoch"].max()))
    figure.update_yaxes(title=title, fixedrange=True)
    n = history["run"].nunique()
    return base.style(figure, height=280 + 18 * max(0, n - 3), legend=n > 1)


def parallel(table: pd.DataFrame, names: dict[str, str]) -> go.Figure:
    """Draw a line a run down over level axes, one a column: numbers by their size, words in the order in which they come.

    Level, since values then have the figure's width to stand in, on a phone too.

    Args:
        table: run, then what differs (text), then numbers (float; NaN: the line has a hole there).
        names: run → what hovering calls it.
    """
    columns = [name for name in table if name != "run"]
    places = {name: _places(table[name]) for name in columns}
    numbers = [name for name in columns if pd.api.types.is_float_dtype(table[name])]
    rank = table[numbers[0]].rank(pct=True).fillna(0) if numbers else pd.Series(1.0, table.index)
    figure = go.Figure()
    for y, name in enumerate(columns):
        figure.add_shape(
            type="line", x0=START, x1=1, y0=y, y1=y, line={"color": base.CHANCE, "width": 1}, layer="below"
        )
        title = name.rpartition(".")[2] if name not in numbers else name.replace(" at ", " at<br>")
        figure.add_annotation(
            x=START,
            y=y,
            text=title,
            showarrow=False,
            xanchor="right",
            align="right",
            xshift=-10,
            font={"size": 12},
        )
        ends = [places[name].min(), places[name].max()]
        for x, text in dict(zip(places[name], table[name].map(_short), strict=True)).items():
            if pd.notna(x) and (name not in numbers or x in ends):
                anchor = _anchor(x)
                aside = {"left": 6, "right": -6}.get(anchor, 0)  # not under the line that goes straight down
                figure.add_annotation(x=x, y=y, text=text, showarrow=False, yshift=-11, xshift=aside, xanchor=anchor,
                                      font={"size": 11})  # fmt: skip
    for k, row in table.iterrows():
        said = [_short(row[name]) for name in columns]
        figure.add_scatter(
            x=[places[name].loc[k] for name in columns],
            y=list(range(len(columns))),
            name=names.get(row["run"], row["run"]),
            mode="lines+markers",
            line={"color": words.ACCENT, "width": 2},
            marker={"size": 7},
            opacity=0.25 + 0.75 * float(rank.loc[k]),
            customdata=[[name, one] for name, one in zip(columns, said, strict=True)],
            hovertemplate=f"{names.get(row['run'], row['run'])}<br>%{{customdata[0]}}: %{{customdata[1]}}<extra></extra>",
        )
    figure.update_xaxes(visible=False, range=[-0.02, 1.02], fixedrange=True)
    figure.update_yaxes(visible=False, range=[len(columns) - 0.5, -0.6], fixedrange=True)
    return base.style(figure, height=40 + 62 * len(columns))


def _anchor(x: float) -> str:
    return "left" if x < START + 0.1 else "right" if x > 0.8 else "center"


def _places(column: pd.Series) -> pd.Series:
    """Return where each value stands on its axis, up to 1."""
    values = pd.to_numeric(column, errors="coerce")
    if values.isna().all() or (values.isna() & column.astype(bool) & column.notna()).any():
        values = pd.Series(pd.factorize(column.astype(str))[0], column.index, dtype=float)
    low, high = values.min(), values.max()
    return START + (1 - START) * (values - low) / (high - low) if high > low else values * 0 + (1 + START) / 2


def _short(value: object) -> str:
    said = f"{value:.3f}" if isinstance(value, float) else str(value) or "none"
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"


def _step(epochs: float) -> int:
    """Return whole epochs between ticks, at most ten ticks."""
    return max(1, -(-int(epochs or 1) // 10))
