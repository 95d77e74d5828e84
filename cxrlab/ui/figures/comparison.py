"""Figures that put two to twelve runs beside one another.

In:    tidy tables of cxrlab.report; short names of runs.
Out:   Plotly figures.
Never: streamlit, files, arithmetic on results.
"""

import pandas as pd
import plotly.graph_objects as go

from cxrlab.ui import words
from cxrlab.ui.figures import cells
from cxrlab.ui.figures.cells import LINE, axis

STRONG = 0.3  # as in the matrix of gaps


def ranks(table: pd.DataFrame, names: dict[str, str]) -> go.Figure:
    """Draw each run's rank with the ranks that it could have, best on top, the share of draws won beside it.

    Args:
        table: name, rank, rank_low, rank_high, first, value; of one question.
        names: run → short name.
    """
    table = table.sort_values(["rank", "first"], ascending=[True, False])
    said = [names[name] for name in table["name"]]
    figure = go.Figure()
    figure.add_scatter(
        x=table["rank"], y=said, mode="markers+text", marker={"size": 11, "color": cells.TEAL},
        error_x={"type": "data", "symmetric": False, "array": table["rank_high"] - table["rank"],
                 "arrayminus": table["rank"] - table["rank_low"], "color": cells.TEAL, "thickness": 2, "width": 5},
        text=[words.number(value) for value in table["value"]], textposition="top center",
        customdata=table[["value", "first"]].to_numpy(),
        hovertemplate="%{y}: rank %{x:.0f}, %{customdata[0]:.3f}; first in %{customdata[1]:.0%} of draws<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        height=76 + 42 * len(table),
        margin={"l": 0, "r": 8, "t": 8, "b": 40},
        showlegend=False,
        dragmode=False,
    )
    figure.update_xaxes(**axis(title="Rank (1: best)", range=[0.5, len(table) + 0.5], dtick=1))
    figure.update_yaxes(
        range=[len(table) - 0.4, -0.8], fixedrange=True, showgrid=False, automargin=True,
        categoryorder="array", categoryarray=said,
    )  # fmt: skip
    return figure


def pairs(table: pd.DataFrame, names: dict[str, str]) -> go.Figure:
    """Draw every difference between two runs with its interval, one row a pair.

    Args:
        table: a, b, difference, low, high, p_holm; of one place.
        names: run → short name.
    """
    said = [f"{names[r['a']]} − {names[r['b']]}" for r in table.to_dict("records")]
    apart = table["p_holm"] < 0.05
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": LINE, "width": 1, "dash": "dash"})
    for is_apart, symbol, name in (
        (True, "circle", "differs by more than chance (Holm)"),
        (False, "circle-open", "cannot be told"),
    ):
        part = table[apart == is_apart]
        if part.empty:
            continue
        figure.add_scatter(
            x=part["difference"], y=[said[i] for i in part.index], mode="markers", name=name,
            marker={"symbol": symbol, "size": 10, "color": cells.TEAL, "line": {"width": 2, "color": cells.TEAL}},
            error_x={"type": "data", "symmetric": False, "array": part["high"] - part["difference"],
                     "arrayminus": part["difference"] - part["low"], "color": cells.TEAL, "thickness": 2, "width": 4},
            customdata=part[["p_holm"]].to_numpy(),
            hovertemplate="%{y}: %{x:+.3f}, p (Holm) %{customdata[0]:.3f}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=100 + 26 * len(said), margin={"l": 0, "r": 8, "t": 30, "b": 40}, dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    figure.update_xaxes(**axis(title="Difference"))
    figure.update_yaxes(
        categoryorder="array", categoryarray=said, range=[len(said) - 0.5, -0.5], fixedrange=True, showgrid=False,
        automargin=True,
    )  # fmt: skip
    return figure


def matrix(table: pd.DataFrame, names: dict[str, str]) -> go.Figure:
    """Draw runs down, sites across: AUROC, with the verdict on its gap to the run's own home.

    Args:
        table: run, site, train_site, is_home, auroc, low, high, gap, gap_low, gap_high, verdict, why, why_nan, n.
        names: run → short name.
    """
    rows = list(dict.fromkeys(names[run] for run in table["run"]))
    sites = list(dict.fromkeys(table["site"]))
    kinds, texts, hovers = [], [], []
    for row in table.to_dict("records"):
        known = words.is_known(row["auroc"])
        kind = "undefined" if not known else "home" if row["is_home"] else row["verdict"] or "no home"
        sign = words.VERDICT_SIGNS.get(kind, "⌂" if kind == "home" else "")
        kinds.append(kind)
        texts.append(f"{sign} {words.number(row['auroc'])}".strip() if known else "undefined")
        lines = [f"<b>{names[row['run']]}</b> at {row['site']}", f"trained at {row['train_site']}",
                 f"AUROC {words.interval(row['auroc'], row['low'], row['high'], row['why_nan'])}, n = {row['n']:,}"]  # fmt: skip
        if words.is_known(row["gap"]):
            lines.append(
                f"gap {words.interval(row['gap'], row['gap_low'], row['gap_high'])}: {row['verdict']}"
            )
        hovers.append("<br>".join([*lines, row["why"]] if row["why"] else lines))
    looks = cells.LOOKS | {
        "home": cells.Look("⌂", "#DCEBEC", "#DCEBEC"),
        "no home": cells.Look("", cells.CLEAR, cells.CLEAR, "", LINE),
    }
    shown = pd.DataFrame(
        {"row": table["run"].map(names), "column": table["site"], "kind": kinds, "text": texts, "hover": hovers,
         "share": (pd.to_numeric(table["gap"]).abs() / STRONG).clip(0, 1).fillna(0)}
    )  # fmt: skip
    return cells.matrix(shown, rows, sites, looks)


def costs(table: pd.DataFrame, names: dict[str, str], cost: str, title: str) -> go.Figure:
    """Draw the mean gap of each run over what it costs, each point named.

    Args:
        table: run, gap, and the column `cost`; rows without NaN.
        names: run → short name.
        cost: a column.
        title: of its axis.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=table[cost], y=table["gap"], mode="markers+text", text=[names[run] for run in table["run"]],
        textposition="top center", marker={"size": 11, "color": cells.TEAL}, cliponaxis=False,
        hovertemplate="%{text}<br>%{x:,.4g}, gap %{y:+.3f}<extra></extra>",
    )  # fmt: skip
    figure.add_hline(y=0, line={"color": LINE, "width": 1, "dash": "dash"})
    figure.update_layout(
        height=360, margin={"l": 8, "r": 40, "t": 24, "b": 40}, showlegend=False, dragmode=False
    )
    wide = len(table) and table[cost].min() > 0 and table[cost].max() / table[cost].min() > 20
    figure.update_xaxes(**axis(title=title, type="log" if wide else "linear"))
    figure.update_yaxes(**axis(title="Mean gap of AUROC over external sites"))
    return figure


def seeds(table: pd.DataFrame, names: dict[str, str]) -> go.Figure:
    """Draw mean ± sd over seeds (thick) and, beside it, the mean interval over patients (thin), a row a site.

    Args:
        table: group, site, seeds, mean, sd, low, high.
        names: run → short name.
    """
    figure = go.Figure()
    said = [f"{names[r['group']]} · {r['site']}" for r in table.to_dict("records")]
    for column, ends, name, width, up in (
        ("mean", ("sd", "sd"), "± sd over seeds", 5, -0.13), ("mean", ("low", "high"), "95 % over patients", 1.5, 0.13),
    ):  # fmt: skip
        spread = ends == ("sd", "sd")
        figure.add_scatter(
            x=table[column], y=[i + up for i in range(len(said))], mode="markers", name=name,
            marker={"size": 9, "color": cells.TEAL, "symbol": "circle" if spread else "circle-open"},
            error_x={"type": "data", "symmetric": False,
                     "array": table["sd"] if spread else table["high"] - table["mean"],
                     "arrayminus": table["sd"] if spread else table["mean"] - table["low"],
                     "color": cells.TEAL, "thickness": width, "width": 5},
            customdata=table[["seeds"]].to_numpy(),
            hovertemplate=f"{name}: %{{x:.3f}}, %{{customdata[0]}} seeds<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=100 + 46 * len(said), margin={"l": 0, "r": 8, "t": 30, "b": 40}, dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    figure.update_xaxes(**axis(title="AUROC"))
    figure.update_yaxes(
        zeroline=False, tickvals=list(range(len(said))), ticktext=said, range=[len(said) - 0.5, -0.5], fixedrange=True,
        showgrid=False, automargin=True,
    )  # fmt: skip
    return figure
