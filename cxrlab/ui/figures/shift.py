"""Figures of the page that asks how far a site is from home.

In:    tidy tables of cxrlab.report and cxrlab.shift.
Out:   Plotly figures.
Never: streamlit, files, arithmetic on results.
"""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from cxrlab.ui import words
from cxrlab.ui.figures.cells import GRID, LINE, axis


def ridges(density: pd.DataFrame, quantiles: pd.DataFrame, home: str, colours: dict[str, str]) -> go.Figure:
    """Draw each site's distribution of reconstruction error on one axis, over home's middle 90 %.

    Args:
        density: site, re (middle of a bin), height (1 at the site's highest bin); home first.
        quantiles: a row a site: site, n, q05, q25, median, q75, q95, why_nan.
        home: name of the home site.
        colours: site → colour.
    """
    sites = quantiles["site"].tolist()
    figure = go.Figure()
    band = quantiles[quantiles["site"] == home].iloc[0]
    if words.is_known(band["q05"]):
        figure.add_vrect(x0=band["q05"], x1=band["q95"], fillcolor=colours[home], opacity=0.09, line_width=0)
    for y, row in enumerate(quantiles.to_dict("records")):
        site = row["site"]
        part = density[density["site"] == site]
        if part.empty:
            figure.add_annotation(
                x=0.01,
                xref="paper",
                xanchor="left",
                y=y,
                text=words.undefined(row["why_nan"]),
                showarrow=False,
            )
            continue
        figure.add_scatter(
            x=[*part["re"], *part["re"][::-1]], y=[*(y - 0.82 * part["height"]), *[y] * len(part)],
            fill="toself", mode="lines", fillcolor=_see_through(colours[site]), line={"color": colours[site], "width": 2},
            name=site, hoverinfo="skip",
        )  # fmt: skip
        figure.add_scatter(
            x=[row["median"]], y=[y], mode="markers", marker={"size": 10, "color": colours[site]}, name=site,
            customdata=[[site]],
            error_x={"type": "data", "symmetric": False, "array": [row["q75"] - row["median"]],
                     "arrayminus": [row["median"] - row["q25"]], "color": colours[site], "thickness": 5, "width": 0},
            hovertemplate=f"{site}: median {row['median']:.4f}, middle half {row['q25']:.4f} to {row['q75']:.4f}, "
            f"n = {row['n']:,}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=80 + 76 * len(sites),
        margin={"l": 0, "r": 8, "t": 8, "b": 44},
        showlegend=False,
        dragmode=False,
    )
    figure.update_xaxes(**axis(title="RE of an image (band: middle 90 % of home)"))
    names = [f"{s}<br>(home)" if s == home else s for s in sites]
    figure.update_yaxes(
        tickvals=list(range(len(sites))), ticktext=names, range=[len(sites) - 0.6, -1.0], gridcolor=GRID,
        fixedrange=True, automargin=True, zeroline=False,
    )  # fmt: skip
    return figure


def _see_through(colour: str, alpha: float = 0.3) -> str:
    r, g, b = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({r},{g},{b},{alpha})"


def apart(table: pd.DataFrame, colours: dict[str, str]) -> go.Figure:
    """Draw how well reconstruction error alone tells each site from home, beside home against itself.

    Args:
        table: a row an external site: site, auroc_vs_home, low, high, null_auroc (how far from one half parts of
            home stray from one another, drawn as a band), n, why_nan.
        colours: site → colour.
    """
    sites = table["site"].tolist()
    figure = go.Figure()
    figure.add_vline(x=0.5, line={"color": LINE, "dash": "dash", "width": 1})
    for y, row in enumerate(table.to_dict("records")):
        if words.is_known(row["null_auroc"]):
            figure.add_shape(
                type="rect", x0=0.5 - row["null_auroc"], x1=0.5 + row["null_auroc"], y0=y - 0.22, y1=y + 0.22,
                fillcolor=words.GREY, opacity=0.3, line_width=0, name="home against itself",
            )  # fmt: skip
        if not words.is_known(row["auroc_vs_home"]):
            text = words.undefined(row["why_nan"])
            figure.add_annotation(x=0.5, y=y - 0.36, text=text, showarrow=False, font={"size": 12})
            continue
        colour, value = colours[row["site"]], row["auroc_vs_home"]
        error = None
        if words.is_known(row["low"]):
            error = {"type": "data", "symmetric": False, "array": [row["high"] - value],
                     "arrayminus": [value - row["low"]], "color": colour, "width": 5}  # fmt: skip
        text = words.interval(value, row["low"], row["high"])
        figure.add_scatter(
            x=[value], y=[y], mode="markers", marker={"size": 12, "color": colour}, error_x=error,
            customdata=[[row["site"]]], hovertemplate=f"{row['site']}: {text}, n = {row['n']:,}<extra></extra>",
        )  # fmt: skip
        figure.add_annotation(
            x=value, y=y - 0.36, text=text, showarrow=False, font={"size": 12},
            xanchor="right" if value > 0.85 else "center",
        )  # fmt: skip
    low = min([0.4, *table["low"].dropna()])
    figure.update_layout(
        height=80 + 76 * (len(sites) + 1),
        margin={"l": 0, "r": 8, "t": 8, "b": 44},
        showlegend=False,
        dragmode=False,
    )
    figure.update_xaxes(**axis(title="AUROC of RE against home", range=[max(0, low - 0.05), 1.03]))
    figure.update_yaxes(
        tickvals=list(range(len(sites))), ticktext=sites, range=[len(sites) - 0.5, -0.6], showgrid=False,
        fixedrange=True, automargin=True, zeroline=False,
    )  # fmt: skip
    return figure


def relation(
    points: pd.DataFrame, home: str, colours: dict[str, str], y_title: str, repeats: Sequence[str] = ()
) -> go.Figure:
    """Draw one named point a site: reconstruction error against performance.

    Args:
        points: site, re, value, and where known low, high of the value.
        home: name of the home site.
        colours: site → colour.
        y_title: name of the measure.
        repeats: sites that do not count as sites of their own; hollow.
    """
    figure = go.Figure()
    known = points.dropna(subset=["re", "value"])
    upper = known["value"] >= known["value"].median()
    far_right = known["re"] > known["re"].min() + 0.7 * (known["re"].max() - known["re"].min())
    # Names stand away from their neighbours: above the upper half, left of those at the right edge; a copy's, which is
    # likely to lie beside its original, on the other side.
    beside = [
        f"{'top' if u != (site in repeats) else 'bottom'} {'left' if r else 'right'}"
        for u, r, site in zip(upper, far_right, known["site"], strict=True)
    ]
    for row, side in zip(known.to_dict("records"), beside, strict=True):
        colour = colours[row["site"]]
        error = None
        if words.is_known(row.get("low")):
            error = {"type": "data", "symmetric": False, "array": [row["high"] - row["value"]],
                     "arrayminus": [row["value"] - row["low"]], "color": colour, "width": 5}  # fmt: skip
        name = f"{row['site']} (home)" if row["site"] == home else row["site"]
        figure.add_scatter(
            x=[row["re"]], y=[row["value"]], mode="markers+text", text=[name], textposition=side, error_y=error,
            marker={"size": 13, "color": colour, "symbol": _symbol(row["site"], home, repeats), "line": {"width": 2, "color": colour}},
            customdata=[[row["site"]]], hovertemplate=f"{name}<br>median RE %{{x:.4f}}<br>{y_title} %{{y:.2f}}<extra></extra>",
        )  # fmt: skip
    xs = points["re"].dropna()
    span = (xs.max() - xs.min()) or 1e-3 if len(xs) else 1
    figure.update_layout(
        height=360, margin={"l": 8, "r": 8, "t": 8, "b": 8}, showlegend=False, dragmode=False
    )
    if len(xs):
        figure.update_xaxes(range=[xs.min() - 0.12 * span, xs.max() + 0.12 * span])
    figure.update_xaxes(**axis(title="median reconstruction error of the site"))
    figure.update_yaxes(**axis(title=y_title))
    return figure


def _symbol(site: str, home: str, repeats: Sequence[str]) -> str:
    return ("diamond" if site == home else "circle") + "-open" * (site in repeats)


def latents(
    points: pd.DataFrame, home: str, colours: dict[str, str], shares: tuple[float, float]
) -> go.Figure:
    """Draw a sample of images on home's first two principal axes of the latents.

    Args:
        points: site, x, y, row (index in the store).
        home: name of the home site; drawn first, under the others.
        colours: site → colour.
        shares: part of home's variance along each axis.
    """
    figure = go.Figure()
    sites = list(dict.fromkeys(points["site"]))
    symbols = ("circle", "diamond", "square", "cross", "triangle-up", "x", "star")
    for site in sites:
        part = points[points["site"] == site]
        figure.add_scatter(
            x=part["x"], y=part["y"], mode="markers", name=f"{site} (home)" if site == home else site,
            marker={"size": 6, "color": colours[site], "opacity": 0.6, "symbol": symbols[list(colours).index(site) % len(symbols)]},
            customdata=part[["site", "row"]].to_numpy(), hovertemplate=f"{site}, image %{{customdata[1]}}<extra></extra>",
        )  # fmt: skip
    figure.update_layout(
        height=440, margin={"l": 8, "r": 8, "t": 8, "b": 8}, dragmode=False,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "itemsizing": "constant"},
    )  # fmt: skip
    first, second = (words.percent(s) for s in shares)
    figure.update_xaxes(**axis(title=f"first axis ({first} of home's variance)"))
    figure.update_yaxes(**axis(title=f"second axis ({second})", scaleanchor="x"))
    return figure
