"""Figures of the page that asks what each site holds.

In:    tidy tables of cxrlab.facts.site_facts.
Out:   Plotly figures.
Never: streamlit, files, arithmetic on results.
"""

import pandas as pd
import plotly.graph_objects as go

from cxrlab.ui import words
from cxrlab.ui.figures import base, cells

# What was said, from certain to unsaid; hatches carry the meaning where colours cannot.
EVIDENCE_LOOKS = {
    "positive": ("#0B6E75", ""),
    "negative": ("#B4C2C3", ""),
    "uncertain": ("#E69F00", "/"),
    "not mentioned": ("rgba(128,140,140,.25)", "."),
    "not annotated": ("rgba(0,0,0,0)", "x"),
}
SHARE = cells.Look("", "#EAF1F1", words.ACCENT)
ROW = 30  # pixels a label


def evidence(counts: pd.DataFrame) -> go.Figure:
    """Draw one stacked bar a label. Clicked bars carry customdata [label, evidence].

    Args:
        counts: site_facts.evidence_counts.
    """
    labels = list(dict.fromkeys(counts["label"]))[::-1]
    figure = go.Figure()
    for word, (colour, hatch) in EVIDENCE_LOOKS.items():
        part = counts[counts["evidence"] == word].set_index("label").loc[labels].reset_index()
        if not part["images"].sum():
            continue
        figure.add_bar(
            orientation="h",
            y=part["label"],
            x=part["share"],
            name=word,
            marker={
                "color": colour,
                "line": {"color": base.GRID, "width": 1},
                "pattern": {
                    "shape": hatch,
                    "fgcolor": base.CHANCE,
                    "size": 6,
                    "solidity": 0.2,
                    "fillmode": "overlay",
                },
            },
            customdata=part[["label", "evidence", "images"]].to_numpy(),
            hovertemplate="%{y}, %{customdata[1]}<br>%{customdata[2]:,} images, %{x:.1%}<extra></extra>",
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(title="share of images", range=[0, 1], tickformat=".0%", fixedrange=True)
    figure.update_yaxes(fixedrange=True)
    return base.style(figure, height=90 + ROW * len(labels), legend=True)


def prevalence(tables: dict[str, pd.DataFrame], colours: dict[str, str]) -> go.Figure:
    """Draw a point with its interval a label and site; an undefined one is written, not drawn.

    Args:
        tables: site → site_facts.prevalence over the same labels.
        colours: site → colour.
    """
    figure = go.Figure()
    labels = list(next(iter(tables.values()))["label"])
    place = {label: len(labels) - 1 - i for i, label in enumerate(labels)}
    step = 0.28
    for k, (site, table) in enumerate(tables.items()):
        shift = step * ((len(tables) - 1) / 2 - k)
        known = table.dropna(subset=["prevalence"])
        figure.add_scatter(
            mode="markers",
            name=site,
            x=known["prevalence"],
            y=known["label"].map(place) + shift,
            marker={"color": colours[site], "size": 9, "symbol": ("circle", "square", "diamond")[k % 3]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": known["high"] - known["prevalence"],
                "arrayminus": known["prevalence"] - known["low"],
                "color": colours[site],
                "thickness": 2,
                "width": 0,
            },
            customdata=known[["label", "n_pos", "n_known", "n_patients", "low", "high"]]
            .assign(site=site)
            .to_numpy(),
            hovertemplate="%{customdata[0]} at %{customdata[6]}<br>%{x:.1%} [%{customdata[4]:.1%}, %{customdata[5]:.1%}]"
            "<br>%{customdata[1]:,} of %{customdata[2]:,} images, %{customdata[3]:,} patients<extra></extra>",
        )
        for row in table[table["prevalence"].isna()].to_dict("records"):
            figure.add_annotation(
                x=1, xref="x domain", y=place[row["label"]] + shift, text=f"{site}: undefined", hovertext=row["why_nan"], showarrow=False,
                xanchor="right", font={"size": 11, "color": words.GREY},
            )  # fmt: skip
    figure.update_yaxes(
        tickvals=list(place.values()), ticktext=list(place), range=[-0.6, len(labels) - 0.4], fixedrange=True
    )
    figure.update_xaxes(
        title="positive share of images", tickformat=".0%", rangemode="tozero", fixedrange=True
    )
    return base.style(figure, height=90 + ROW * len(labels), legend=len(tables) > 1)


def cooccurrence(table: pd.DataFrame) -> go.Figure:
    """Draw, of the images positive for the row's label, the share also positive for the column's.

    Args:
        table: site_facts.cooccurrence.
    """
    labels = list(dict.fromkeys(table["given"]))
    pairs = table[table["given"] != table["also"]]
    known = pairs["share"].notna()
    drawn = pd.DataFrame(
        {
            "row": pairs["given"],
            "column": pairs["also"],
            "kind": known.map({True: "share", False: "undefined"}),
            "share": pairs["share"].fillna(0),
            "text": pairs["share"].map(lambda share: words.percent(share) if words.is_known(share) else "–"),
            "hover": [
                f"of {row['of']:,} {row['given']} images, {row['images']:,} also {row['also']}"
                for row in pairs.to_dict("records")
            ],
        }
    )
    figure = cells.matrix(drawn, labels, labels, {"share": SHARE, "undefined": cells.LOOKS["undefined"]})
    return figure.update_xaxes(tickangle=-35, automargin=True).update_layout(
        margin={"r": 60, "t": 80}, height=150 + 34 * len(labels)
    )


def shares(
    tables: list[pd.DataFrame], colours: dict[str, str], column: str, title: str, height: int = 300
) -> go.Figure:
    """Draw the share of images in each band or kind, one bar a site.

    Args:
        tables: site_facts.ages or .shares, one a site.
        colours: site → colour.
        column: the bands or kinds.
        title: of the axis along them.
        height: pixels.
    """
    figure = go.Figure()
    for k, table in enumerate(tables):
        site = table["site"].iloc[0]
        figure.add_bar(
            x=table[column],
            y=table["share"],
            name=site,
            marker={
                "color": colours[site],
                "pattern": {
                    "shape": ("", "/")[k % 2],
                    "size": 7,
                    "solidity": 0.2,
                    "fillmode": "overlay",
                    "fgcolor": "rgba(255,255,255,.8)",
                },
            },
            customdata=table[["images"]].assign(site=site).to_numpy(),
            hovertemplate="%{customdata[1]}, %{x}<br>%{customdata[0]:,} images, %{y:.1%}<extra></extra>",
        )
    figure.update_xaxes(title=title, type="category", fixedrange=True)
    figure.update_yaxes(title="share of images", tickformat=".0%", rangemode="tozero", fixedrange=True)
    return base.style(figure, height=height, legend=len(tables) > 1)
