"""Figures of the page that asks where a model holds, label by label.

In:    tidy tables of cxrlab.report.
Out:   Plotly figures.
Never: streamlit, files, arithmetic on results.
"""

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cxrlab.ui import words
from cxrlab.ui.figures import cells
from cxrlab.ui.figures.cells import GRID, LINE, axis

MACRO = "macro"
STRONG = 0.3  # a gap this large is drawn in the full colour


def matrix(gaps: pd.DataFrame, chosen: str = "") -> go.Figure:
    """Draw labels down, external sites across; each cell is a gap with its verdict's sign, colour and hatch.

    Args:
        gaps: a row a (site, label): site, label, internal, external, gap, low, high, p, verdict, n_pos, n_neg, why.
        chosen: the label whose row gets a frame.

    Returns:
        A figure whose clicked bar carries customdata [label, site]; a gap that is NaN reads "undefined".
    """
    labels, sites = _order(gaps["label"]), list(dict.fromkeys(gaps["site"]))
    known = gaps["gap"].notna()
    signs = gaps["verdict"].map(words.VERDICT_SIGNS)
    table = pd.DataFrame(
        {
            "row": gaps["label"],
            "column": gaps["site"],
            "kind": gaps["verdict"].where(known, "undefined"),
            "share": (gaps["gap"].abs() / STRONG).clip(0, 1).fillna(0),
            "text": [
                f"{s} {words.number(g)}" if k else "undefined"
                for s, g, k in zip(signs, gaps["gap"], known, strict=True)
            ],
            "hover": [_hover(row) for row in gaps.to_dict("records")],
        }
    )
    return cells.matrix(
        table, labels, sites, cells.LOOKS, chosen=chosen, divide_after=1 if MACRO in labels else 0
    )


def _order(labels: pd.Series) -> list[str]:
    names = list(dict.fromkeys(labels))
    return [MACRO] * (MACRO in names) + [n for n in names if n != MACRO]


def _hover(row: dict) -> str:
    head = f"<b>{row['label']}</b> at {row['site']}"
    if not words.is_known(row["gap"]):
        return f"{head}<br>{words.undefined(row['why'])}"
    lines = [
        head,
        f"home {words.number(row['internal'])}, here {words.number(row['external'])}",
        f"gap {words.interval(row['gap'], row['low'], row['high'])}: {row['verdict']}",
    ]
    if row["label"] != MACRO:
        lines.append(f"{row['n_pos']:,} positive, {row['n_neg']:,} negative images here")
    return "<br>".join([*lines, row["why"]] if row["why"] else lines)


def dumbbell(points: pd.DataFrame, home: str, colours: dict[str, str], measure: str = "AUROC") -> go.Figure:
    """Draw home's value and, joined to it, each site's, with intervals.

    Args:
        points: a row a site, home first: site, value, low, high, n_pos, n_neg, verdict ("" at home), why_nan.
        home: name of the home site.
        colours: site → colour.
        measure: title of the axis.
    """
    sites = points["site"].tolist()
    figure = go.Figure()
    start = next(iter(points.loc[points["site"] == home, "value"]), None)
    for y, row in enumerate(points.to_dict("records")):
        known = words.is_known(row["value"])
        if known and row["site"] != home and words.is_known(start):
            figure.add_scatter(
                x=[start, row["value"]], y=[y, y], mode="lines", hoverinfo="skip", showlegend=False,
                line={"color": LINE, "width": 5},
            )  # fmt: skip
        verdict = row.get("verdict", "")
        if known:
            symbol = "diamond" if row["site"] == home else words.VERDICT_SYMBOLS.get(verdict, "circle")
            figure.add_scatter(
                x=[row["value"]], y=[y], mode="markers", showlegend=False, customdata=[[row["site"]]],
                marker={"size": 13, "symbol": symbol, "color": colours[row["site"]], "line": {"width": 2, "color": colours[row["site"]]}},
                error_x=_whiskers(row, colours[row["site"]]),
                hovertemplate=f"{row['site']}: {words.interval(row['value'], row['low'], row['high'])}, "
                f"{row['n_pos']:,} positive and {row['n_neg']:,} negative images<extra></extra>",
            )  # fmt: skip
        text = words.interval(row["value"], row["low"], row["high"], row["why_nan"])
        if verdict:
            text += f"   {words.verdict(verdict)}"
        at = row["value"] if known else 0.5
        figure.add_annotation(
            x=at,
            y=y - 0.36,
            xanchor="right" if at > 0.75 else "left",
            text=text,
            showarrow=False,
            font={"size": 12},
        )
    if words.is_known(start):
        figure.add_vline(x=start, line={"color": colours[home], "width": 1, "dash": "dot"})
    figure.add_vline(x=0.5, line={"color": LINE, "width": 1, "dash": "dash"})
    low = min([0.45, *points["low"].dropna(), *points["value"].dropna()])
    figure.update_layout(
        height=70 + 58 * len(sites), margin={"l": 0, "r": 12, "t": 8, "b": 44}, dragmode=False
    )
    figure.update_xaxes(**axis(title=f"{measure} (dashed: chance)", range=[max(0, low - 0.03), 1.02]))
    names = [f"{s}<br>(home)" if s == home else s for s in sites]
    figure.update_yaxes(
        **axis(tickvals=list(range(len(sites))), ticktext=names, range=[len(sites) - 0.5, -0.62])
    )
    figure.update_yaxes(automargin=True, showgrid=False)
    return figure


def _whiskers(row: dict, colour: str) -> dict | None:
    if not words.is_known(row["low"]):
        return None
    return {
        "type": "data", "symmetric": False, "array": [row["high"] - row["value"]],
        "arrayminus": [row["value"] - row["low"]], "color": colour, "thickness": 2, "width": 5,
    }  # fmt: skip


def roc(
    curves: dict[str, pd.DataFrame],
    home: str,
    colours: dict[str, str],
    said: dict[str, str],
    bands: dict[str, pd.DataFrame] | None = None,
) -> go.Figure:
    """Draw one ROC curve a site on a square with the chance line.

    Args:
        curves: site → x (1 - specificity) and y (sensitivity).
        home: name of the home site.
        colours: site → colour.
        said: site → what its legend entry adds, such as the AUROC with its interval.
        bands: site → x, low, high, for the sites that get one.
    """
    figure = go.Figure()
    _bands(figure, bands or {}, colours)
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="chance", line={"color": LINE, "dash": "dash", "width": 1},
        hoverinfo="skip",
    )  # fmt: skip
    _lines(figure, curves, home, colours, said, ("false-positive rate", "sensitivity"))
    return _square(figure, "False-positive rate (1 − specificity)", "Sensitivity")


def pr(
    curves: dict[str, pd.DataFrame],
    home: str,
    colours: dict[str, str],
    said: dict[str, str],
    prevalence: dict[str, float],
    bands: dict[str, pd.DataFrame] | None = None,
) -> go.Figure:
    """Draw one precision-recall curve a site, each with its own prevalence as a dotted line (chance here).

    Args:
        curves: site → x (recall) and y (precision).
        home: name of the home site.
        colours: site → colour.
        said: site → what its legend entry adds.
        prevalence: site → share of positives among labelled images.
        bands: site → x, low, high, for the sites that get one.
    """
    figure = go.Figure()
    _bands(figure, bands or {}, colours)
    for site in curves:
        if words.is_known(prevalence.get(site)):
            figure.add_hline(y=prevalence[site], line={"color": colours[site], "width": 1, "dash": "dot"})
    _lines(figure, curves, home, colours, said, ("recall", "precision"))
    return _square(figure, "Recall (sensitivity)", "Precision (PPV)")


def _bands(figure: go.Figure, bands: dict[str, pd.DataFrame], colours: dict[str, str]) -> None:
    for site, band in bands.items():
        known = band[band["low"].notna()]
        r, g, b = (int(colours[site][i : i + 2], 16) for i in (1, 3, 5))
        figure.add_scatter(
            x=[*known["x"], *known["x"][::-1]], y=[*known["high"], *known["low"][::-1]], mode="lines",
            fill="toself", fillcolor=f"rgba({r},{g},{b},0.16)", line={"width": 0}, hoverinfo="skip",
            showlegend=False, name=f"{site}: band",
        )  # fmt: skip


def _lines(
    figure: go.Figure, curves: dict, home: str, colours: dict, said: dict, names: tuple[str, str]
) -> None:
    for site, curve in curves.items():
        figure.add_scatter(
            x=curve["x"], y=curve["y"], mode="lines", name=f"{site} {said.get(site, '')}".strip(),
            line={"color": colours[site], "width": 3 if site == home else 2, "shape": "linear"},
            hovertemplate=f"{site}<br>{names[0]} %{{x:.2f}}<br>{names[1]} %{{y:.2f}}<extra></extra>",
        )  # fmt: skip


def _square(figure: go.Figure, x: str, y: str) -> go.Figure:
    figure.update_layout(
        height=430, margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False, hovermode="closest",
        legend={"orientation": "h", "y": -0.17, "yanchor": "top", "x": 0, "title": None},
    )  # fmt: skip
    figure.update_xaxes(
        **axis(title=x, range=[-0.01, 1.01], dtick=0.25, constrain="domain", showline=True, linecolor=LINE)
    )
    figure.update_yaxes(
        **axis(title=y, range=[-0.01, 1.02], dtick=0.25, showline=True, linecolor=LINE, scaleanchor="x")
    )
    return figure


def confusion(counts: pd.DataFrame) -> go.Figure:
    """Draw what became of positives and of negatives at one threshold, as shares, with the counts on the bars.

    Args:
        counts: a row a site: site, tp, fn, tn, fp; NaN where there is no threshold.

    Returns:
        A figure whose clicked bar carries customdata [site, group]; the wrong parts are hatched.
    """
    figure = make_subplots(
        rows=1, cols=2, shared_yaxes=True, horizontal_spacing=0.1,
        subplot_titles=("with the finding", "without it"),
    )  # fmt: skip
    parts = ((1, "tp", "TP", "found"), (1, "fn", "FN", "missed"), (2, "tn", "TN", "passed"), (2, "fp", "FP", "false alarm"))  # fmt: skip
    for column, key, group, name in parts:
        wrong = group in ("FN", "FP")
        of = counts["tp"] + counts["fn"] if column == 1 else counts["tn"] + counts["fp"]
        share = counts[key] / of.where(of > 0)
        figure.add_bar(
            row=1, col=column, orientation="h", y=counts["site"], x=share, name=name, width=0.72,
            text=[f"{group} {n:,.0f}" if words.is_known(n) else "" for n in counts[key]],
            textposition="inside", insidetextanchor="start", textangle=0,
            customdata=[[site, group] for site in counts["site"]],
            marker={
                "color": words.VERDICT_COLOURS[words.WORSE] if wrong else words.ACCENT,
                "pattern": cells.hatch("/" if wrong else ""),
                "line": {"width": 0},
            },
            textfont={"color": "#FFFFFF"},
            unselected={"marker": {"opacity": 1}},
            hovertemplate="%{customdata[0]}: " + name + ", %{text}, %{x:.0%}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        barmode="stack", showlegend=False, height=70 + 38 * len(counts), dragmode=False,
        margin={"l": 0, "r": 8, "t": 30, "b": 30},
    )  # fmt: skip
    cells.small_titles(figure)
    figure.update_xaxes(**axis(range=[0, 1], tickformat=".0%", dtick=0.5))
    figure.update_yaxes(fixedrange=True, autorange="reversed", showgrid=False, automargin=True)
    return figure


def heads(points: pd.DataFrame, home: str) -> go.Figure:
    """Draw the AUROC of several heads for the same question, site by site.

    Args:
        points: a row a (head, site): head, site, value, low, high, n_pos, n_neg, why_nan.
        home: name of the home site.
    """
    figure = go.Figure()
    sites = list(dict.fromkeys(points["site"]))
    shades = (cells.TEAL, words.SITE_COLOURS[1], words.SITE_COLOURS[3])
    for i, (head, part) in enumerate(points.groupby("head", sort=False)):
        known = part[part["value"].notna()]
        y = [sites.index(s) + 0.26 * (i - 0.5) for s in known["site"]]
        figure.add_scatter(
            x=known["value"], y=y, mode="markers", name=str(head),
            marker={"size": 11, "symbol": ("circle", "diamond-open", "square")[i % 3], "color": shades[i % 3]},
            error_x={"type": "data", "symmetric": False, "array": known["high"] - known["value"],
                     "arrayminus": known["value"] - known["low"], "color": shades[i % 3], "width": 4},
            customdata=known[["site", "n_pos", "n_neg"]].to_numpy(),
            hovertemplate=f"{head} at %{{customdata[0]}}: %{{x:.2f}}, %{{customdata[1]:,}} abnormal and "
            "%{customdata[2]:,} normal images<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=0.5, line={"color": LINE, "width": 1, "dash": "dash"})
    low = min([0.45, *points["low"].dropna()])
    figure.update_layout(
        height=90 + 48 * len(sites), margin={"l": 0, "r": 8, "t": 30, "b": 40}, dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    figure.update_xaxes(**axis(title="AUROC (dashed: chance)", range=[max(0, low - 0.03), 1.02]))
    names = [f"{s} (home)" if s == home else s for s in sites]
    figure.update_yaxes(
        tickvals=list(range(len(sites))), ticktext=names, range=[len(sites) - 0.5, -0.5], gridcolor=GRID,
        fixedrange=True, automargin=True, showgrid=False,
    )  # fmt: skip
    return figure
