"""The figure of a sweep: how every setting does at home and elsewhere, over seeds.

In:    report.sweep_table.over_seeds, with the column `said` that names a setting.
Out:   a Plotly figure.
Never: streamlit, files, arithmetic on results.
"""

import textwrap

import pandas as pd
import plotly.graph_objects as go

from cxrlab.report.sweep_table import AT, HOME, SD
from cxrlab.ui import words
from cxrlab.ui.figures import base

MOST = 40  # settings; more are a table's work
CHANCE = 0.5
WIDEST = 18  # letters of a line beside a row
LINE, PADDING = 15, 12  # px of a row
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "x", "star")


def settings(table: pd.DataFrame) -> go.Figure:
    """Draw a row a setting: a point a site, its bar the sd over seeds, home's first.

    Args:
        table: said, seeds, "home", "at <site>" and the sd of each.
    """
    figure = go.Figure()
    there = [name for name in table if name.startswith(AT) and not name.endswith(SD)]
    # Runs of several homes: each site has its own column, and "home" would be a second mark on one of them.
    is_said = any((table[name] == table[HOME]).any() for name in there)
    places = there if is_said else [HOME, *there]
    rows = table["said"].map(wrapped)
    heights = rows.map(lambda row: PADDING + LINE * (row.count("<br>") + 1))
    middles = heights.cumsum() - heights / 2  # rows as high as their names
    for k, name in enumerate(places[: len(words.SITE_COLOURS)]):
        colour = words.SITE_COLOURS[k]
        figure.add_scatter(
            x=table[name],
            y=middles,
            name=name.removeprefix(AT),
            mode="markers",
            marker={"color": colour, "size": 9, "symbol": SYMBOLS[k]},
            error_x={"type": "data", "array": table[f"{name}{SD}"].fillna(0), "color": colour, "thickness": 1.5, "width": 3},
            customdata=table[["seeds", f"{name}{SD}", "said"]].to_numpy(),
            hovertemplate=f"%{{customdata[2]}}<br>{name}: %{{x:.3f}}, sd %{{customdata[1]:.3f}} over %{{customdata[0]}}<extra></extra>",
        )  # fmt: skip
    drawn = table[places].to_numpy(float)
    if (drawn < CHANCE + 0.02).any():  # the line says something only where points are near it
        figure.add_vline(x=CHANCE, line={"color": base.CHANCE, "width": 1, "dash": "dash"})
    figure.update_xaxes(title="AUROC, mean over labels", fixedrange=True)
    figure.update_yaxes(
        range=[heights.sum(), 0], tickvals=list(middles), ticktext=list(rows), fixedrange=True
    )
    return base.style(figure, height=120 + int(heights.sum()), legend=True)


def wrapped(said: str) -> str:
    """Return a setting's name in short lines, so that it leaves the figure room on a phone.

    >>> wrapped("budget, shares coast:0.25+north:0.75")
    'budget, shares<br>coast:0.25+<br>north:0.75'
    """
    return "<br>".join(
        textwrap.wrap(said.replace("+", "+ "), WIDEST, break_long_words=False, break_on_hyphens=False)
    ).replace("+ ", "+")
