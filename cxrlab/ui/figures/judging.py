"""Figures of one run's losses, groups of patients, mistakes and second readers.

In:    tidy tables of cxrlab.report.
Out:   Plotly figures.
Never: streamlit, files, arithmetic on results.
"""

import pandas as pd
import plotly.graph_objects as go

from cxrlab.ui import words
from cxrlab.ui.figures import cells
from cxrlab.ui.figures.cells import LINE, axis

# The three parts of a loss, in the order in which they are stacked: column → (name, colour, hatch).
PARTS = {
    "ranking": ("ranking", "#D55E00", ""),
    "transfer": ("threshold", "#0072B2", "/"),
    "prevalence": ("prevalence", "#7A7A7A", "x"),
}


def losses(table: pd.DataFrame) -> go.Figure:
    """Draw what a loss of F1 is made of, one stacked bar a site; a gain goes to the left of zero.

    Args:
        table: site, home, outside, loss, ranking, transfer, prevalence; rows without NaN.
    """
    figure = go.Figure()
    sites = [
        f"{r['site']}<br>{words.number(r['home'])} → {words.number(r['outside'])}"
        for r in table.to_dict("records")
    ]
    for column, (name, colour, hatch) in PARTS.items():
        figure.add_bar(
            orientation="h", y=sites, x=table[column], name=name, width=0.5,
            marker={"color": colour, "pattern": cells.hatch(hatch, 0.35), "line": {"width": 0}},
            text=[words.signed(value) for value in table[column]], textposition="inside", textangle=0,
            insidetextanchor="middle", textfont={"color": "#FFFFFF"}, constraintext="inside",
            hovertemplate=f"%{{y}}: {name} %{{x:+.3f}}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=table["loss"], y=sites, mode="markers", name="their sum",
        marker={"symbol": "diamond", "size": 13, "color": cells.PAPER, "line": {"width": 2.5, "color": cells.INK}},
        hovertemplate="%{y}: loss of F1 %{x:+.3f}<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=0, line={"color": LINE, "width": 1})
    figure.update_layout(
        barmode="relative", height=110 + 62 * len(sites), margin={"l": 0, "r": 60, "t": 34, "b": 40}, dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
    )  # fmt: skip
    figure.update_xaxes(**axis(title="F1 at home − F1 there (left of zero: a gain)"))
    figure.update_yaxes(fixedrange=True, autorange="reversed", showgrid=False, automargin=True)
    return figure


def groups(table: pd.DataFrame, whole: float) -> go.Figure:
    """Draw each group's AUROC with its interval under the name of its property; small groups are hollow.

    Args:
        table: by, group, auroc, low, high, n_pos, n_neg, small, why_nan.
        whole: AUROC of all rows, a dotted line.
    """
    figure = go.Figure()
    names = [f"{r['by']}: {r['group']}" for r in table.to_dict("records")]
    known = table["auroc"].notna()
    for small, symbol in ((False, "circle"), (True, "circle-open")):
        part = table[known & (table["small"] == small)]
        if part.empty:
            continue
        figure.add_scatter(
            x=part["auroc"], y=[names[i] for i in part.index], mode="markers",
            name="fewer than ten patients of a class" if small else "supported",
            marker={"symbol": symbol, "size": 10, "color": cells.TEAL, "line": {"width": 2, "color": cells.TEAL}},
            error_x={"type": "data", "symmetric": False, "array": part["high"] - part["auroc"],
                     "arrayminus": part["auroc"] - part["low"], "color": cells.TEAL, "thickness": 2, "width": 4},
            customdata=part[["n_pos", "n_neg"]].to_numpy(),
            hovertemplate="%{y}: %{x:.3f}, %{customdata[0]:,} positive and %{customdata[1]:,} negative images<extra></extra>",
        )  # fmt: skip
    for i in table.index[~known]:
        figure.add_annotation(
            x=0.5, xref="x domain", y=names[i], text=words.undefined(table["why_nan"][i]), showarrow=False
        )
    if words.is_known(whole):
        figure.add_vline(x=whole, line={"color": words.GREY, "width": 1, "dash": "dot"})
    figure.add_vline(x=0.5, line={"color": LINE, "width": 1, "dash": "dash"})
    low = min([0.45, *table["low"].dropna(), *table["auroc"].dropna()])
    figure.update_layout(
        height=90 + 27 * len(names), margin={"l": 0, "r": 8, "t": 30, "b": 40}, dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    figure.update_xaxes(**axis(title="AUROC (dotted: all, dashed: chance)", range=[max(0, low - 0.03), 1.02]))
    figure.update_yaxes(
        categoryorder="array", categoryarray=names, range=[len(names) - 0.5, -0.5], fixedrange=True,
        showgrid=False, automargin=True,
    )  # fmt: skip
    return figure


def readers(table: pd.DataFrame) -> go.Figure:
    """Draw the same scores against two truths, one pair a (site, reader).

    Args:
        table: site, reader, auroc_own, own_low, own_high, auroc_reader, reader_low, reader_high.
    """
    figure = go.Figure()
    names = [f"{r['site']}: {r['reader']}" for r in table.to_dict("records")]
    for i, row in enumerate(table.to_dict("records")):
        figure.add_scatter(
            x=[row["auroc_own"], row["auroc_reader"]], y=[names[i]] * 2, mode="lines", hoverinfo="skip",
            showlegend=False, line={"color": LINE, "width": 5},
        )  # fmt: skip
    for value, prefix, name, symbol in (
        ("auroc_own", "own", "against the site's own truth", "circle-open"),
        ("auroc_reader", "reader", "against the other reader's", "circle"),
    ):
        figure.add_scatter(
            x=table[value], y=names, mode="markers", name=name,
            marker={"symbol": symbol, "size": 12, "color": cells.TEAL, "line": {"width": 2, "color": cells.TEAL}},
            error_x={"type": "data", "symmetric": False, "array": table[f"{prefix}_high"] - table[value],
                     "arrayminus": table[value] - table[f"{prefix}_low"], "color": cells.TEAL, "width": 4},
            hovertemplate=f"%{{y}}: {name} %{{x:.3f}}<extra></extra>",
        )  # fmt: skip
    low = min([0.45, *table["own_low"].dropna(), *table["reader_low"].dropna()])
    figure.add_vline(x=0.5, line={"color": LINE, "width": 1, "dash": "dash"})
    figure.update_layout(
        height=110 + 46 * len(names), margin={"l": 0, "r": 8, "t": 30, "b": 40}, dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    figure.update_xaxes(**axis(title="AUROC (dashed: chance)", range=[max(0, low - 0.03), 1.02]))
    figure.update_yaxes(fixedrange=True, autorange="reversed", showgrid=False, automargin=True)
    return figure
