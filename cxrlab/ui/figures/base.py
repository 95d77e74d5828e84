"""How every figure looks and how it is put on a page.

In:    a Plotly figure and the table behind it.
Out:   the chart with its caption, its pictures (PNG, SVG) and its data (CSV).
Never: a number that is not in the table.
"""

from collections.abc import Callable

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from cxrlab.ui import words

GRID = "rgba(128,140,140,.22)"
CLEAR = "rgba(0,0,0,0)"
CHANCE = "rgba(128,140,140,.8)"


def style(fig: go.Figure, *, height: int = 340, legend: bool = False) -> go.Figure:
    """Give a figure the house's look: quiet grid, room for labels, unified fonts. Returns the same figure."""
    fig.update_layout(
        height=height,
        margin={"l": 8, "r": 16, "t": 64 if legend else 28, "b": 8},
        showlegend=legend,
        legend={
            "orientation": "h",
            "y": 1.02,
            "yanchor": "bottom",
            "x": 0,
            "title": None,
            "traceorder": "normal",
        },
        bargap=0.25,
    )
    fig.update_xaxes(gridcolor=GRID, zeroline=False, automargin=True, title_standoff=8)
    fig.update_yaxes(gridcolor=GRID, zeroline=False, automargin=True, title_standoff=14)
    return fig


def _ground(fig: go.Figure) -> None:
    """Give a figure what all have in common, whoever made it; its own margins and heights stay."""
    fig.update_layout(
        hoverlabel={"namelength": -1},
        plot_bgcolor=CLEAR,
        paper_bgcolor=CLEAR,
        modebar={"orientation": "h", "bgcolor": CLEAR, "color": CHANCE, "activecolor": words.ACCENT},
    )
    if fig.layout.margin.t is None:
        fig.update_layout(margin={"l": 8, "r": 16, "t": 28, "b": 8})


def show(
    fig: go.Figure,
    key: str,
    *,
    data: pd.DataFrame,
    caption: str,
    alt: str,
    select: bool | Callable[[], None] = False,
    selection_mode: str | tuple[str, ...] = "points",
) -> list[dict]:
    """Draw a figure with its caption and its exports.

    Args:
        fig: a Plotly figure, already binned; colours are its own, fonts and ground follow the theme.
        key: unique on the page; also the name of downloaded files.
        data: what is drawn, one row a mark; the CSV.
        caption: run, sites, n, seed, label policy, kind of interval.
        alt: what a person who cannot see the figure should know.
        select: whether a click on a mark reruns the page; a function is called before that rerun.
        selection_mode: see st.plotly_chart.

    Returns:
        The selected points, each with "x", "y", "customdata"; [] when nothing is selected.
    """
    _ground(fig)
    picture = st.session_state.get(f"{key}-picture") or "png"
    config = {
        "displaylogo": False,
        "responsive": True,
        "modeBarButtons": [["toImage", "resetScale2d"]],
        "toImageButtonOptions": {"format": picture, "filename": key, "scale": 2 if picture == "png" else 1},
    }
    event = st.plotly_chart(
        fig,
        key=key,
        on_select=select if callable(select) else ("rerun" if select else "ignore"),
        selection_mode=selection_mode,
        config=config,
        alt=alt,
    )
    with st.container(horizontal=True, vertical_alignment="center", wrap=False, key=f"{key}-under"):
        st.caption(caption, width="stretch")
        export(data, key)
    return list(event.selection.points) if select else []


def export(data: pd.DataFrame, key: str) -> None:
    """Draw the small menu that saves a figure's data and chooses its picture's format."""
    with st.popover("Save", type="tertiary", help="Data as CSV, picture as PNG or SVG"):
        st.download_button(
            "Data as CSV",
            data=lambda: data.to_csv(index=False),
            file_name=f"{key}.csv",
            mime="text/csv",
            key=f"{key}-csv",
            on_click="ignore",
            icon=":material/download:",
        )
        st.segmented_control(
            "The camera above the figure saves",
            ["png", "svg"],
            default="png",
            format_func=str.upper,
            key=f"{key}-picture",
        )


def table(data: pd.DataFrame, key: str, *, columns: dict | None = None, alt: str = "", **more) -> object:
    """Draw a table that sorts, searches and downloads as CSV. `columns` is st.column_config by column."""
    return st.dataframe(data, key=key, hide_index=True, column_config=columns, alt=alt or None, **more)


def empty(reason: str) -> None:
    """Say why there is no figure here, at about a figure's place."""
    st.caption(f"No figure: {reason}")
