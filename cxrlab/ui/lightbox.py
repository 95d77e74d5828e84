"""A light box: a contact sheet of failures and one radiograph large, with its map, window and scores.

In:    a table of failures (reading.failures), a run, a site.
Out:   widgets and pictures; the chosen image is in the URL.
Never: numbers that are not in its tables.
"""

import pandas as pd
import streamlit as st

from cxrlab.ui import cached, choose, frame, pictures, reading, words
from cxrlab.ui.figures import base, heatmaps

PER_PAGE = 12


def chooser(ids: list[str]) -> str:
    """Previous, the image, next; the arrow keys do the same."""
    before, after, place = reading.neighbours(ids, st.session_state.get("image", ids[0]))
    with st.container(horizontal=True, vertical_alignment="bottom", wrap=False):
        go = {"on_click": choose_image, "width": 44}
        st.button(
            "",
            icon=":material/chevron_left:",
            key="previous",
            shortcut="Left",
            args=(before,),
            help="Previous",
            **go,
        )
        chosen = st.selectbox(
            f"Image {place + 1} of {len(ids)}", ids, key="image", bind="query-params", width="stretch"
        )
        st.button(
            "",
            icon=":material/chevron_right:",
            key="next",
            shortcut="Right",
            args=(after,),
            help="Next",
            **go,
        )
    return chosen


def choose_image(image_id: str) -> None:
    st.session_state["image"] = image_id


def sheet(run_id: str, site: str, label: str, table: pd.DataFrame, chosen: str, top: float | None) -> None:
    pages = -(-len(table) // PER_PAGE)
    at = st.pagination(pages, key="sheet", bind="query-params") if pages > 1 else 1
    with st.container(horizontal=True, gap="small", key="panel_sheet"):
        for row in table.iloc[PER_PAGE * (at - 1) : PER_PAGE * at].to_dict("records"):
            with st.container(width=pictures.TILE, gap=None):
                said = f"{words.number(row['score'])} {'≥' if row['score'] >= row['threshold'] else '<'} {words.number(row['threshold'])}"
                truth = "present" if row["y"] == 1 else "absent"
                empty = "" if words.is_known(row["top"]) else " The map is zero everywhere."
                st.image(
                    pictures.mapped(run_id, site, row["k"], side=pictures.TILE, top=top),
                    width=pictures.TILE,
                    alt=f"{row['image_id']}: {label} {truth}, score {said}, with its heatmap.{empty}",
                )
                st.button(
                    f"{said} · {truth}" + (" · no map" if empty else ""),
                    key=f"tile-{row['k']}",
                    type="primary" if row["image_id"] == chosen else "tertiary",
                    on_click=choose_image,
                    args=(row["image_id"],),
                    width="stretch",
                    help=f"Open {row['image_id']}",
                )


@st.fragment
def detail(study: choose.Study, run_id: str, row: dict, site: str, label: str, top: float | None) -> None:
    with frame.caught():
        mask, boxes = pictures.truth(site, row["row"], label)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            opacity = st.slider(
                "Opacity of the map", 0, 100, 50, 5, key="opacity", bind="query-params", width=190
            )
            level = st.slider("Window level", 0, 100, 50, 5, key="level", bind="query-params", width=150)
            width = st.slider("Window width", 10, 150, 100, 5, key="width", bind="query-params", width=150)
            outline = False
            if mask is not None or boxes:
                outline = st.toggle("Outline the finding", True, key="outline", bind="query-params")
        with st.container(key="panel_detail", horizontal_alignment="center"):
            st.image(
                pictures.mapped(
                    run_id, site, row["k"], top=top, opacity=opacity / 100, level=level / 100, width=width / 100,
                    with_truth=outline,
                ),
                width="stretch",
                alt=f"Radiograph {row['image_id']} with the heatmap of {label}.",
            )  # fmt: skip
            strongest = (
                f"raw maximum {row['top']:.3g}"
                if words.is_known(row["top"])
                else "the map is zero everywhere"
            )
            st.image(
                pictures.scale_bar(), width=200, alt="Colours of the map, from nothing to its strongest value"
            )
            st.caption(
                f"0 to {top:.3g} for all maps; here {strongest}" if top else f"0 to its own; {strongest}"
            )
        thresholds = (
            {}
            if study.threshold_set is None
            else {k: v.threshold for k, v in study.threshold_set.labels.items()}
        )
        said = reading.said(cached.predictions(run_id, site), row["image_id"], thresholds)
        base.show(
            heatmaps.scores(said, label),
            "scores",
            data=said,
            caption=f"{row['image_id']} at {site}: every finding's score, its threshold and the truth. Run {run_id}.",
            alt=f"Scores of all findings for {row['image_id']} beside their thresholds.",
        )
