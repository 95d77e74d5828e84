"""A light box: a contact sheet of failures and one radiograph large, with its map, window and scores.

In:    a table of failures (reading.failures), a run, a site.
Out:   widgets and pictures; the chosen image is in the URL.
Never: numbers that are not in its tables.
"""

import pandas as pd
import streamlit as st

from cxrlab.ui import cached, choose, frame, pictures, reading, words
from cxrlab.ui.figures import base, heatmaps

PER_PAGE, ACROSS = 12, 2


def chooser(ids: list[str]) -> str:
    """Draw previous, the image, next, and return the image; the arrow keys do the same."""
    before, after, place = reading.neighbours(ids, st.session_state.get("image", ids[0]))
    with st.container(horizontal=True, vertical_alignment="bottom", wrap=False):
        _step("previous", "Left", before, ":material/chevron_left:")
        chosen = st.selectbox(f"Image {place + 1} of {len(ids)}", ids, key="image", bind="query-params")
        _step("next", "Right", after, ":material/chevron_right:")
    return chosen


def _step(name: str, arrow: str, image_id: str, icon: str) -> None:
    st.button(
        "", icon=icon, key=name, shortcut=arrow, on_click=_choose, args=(image_id,), help=name.capitalize(),
        width=52,
    )  # fmt: skip


def _choose(image_id: str) -> None:
    st.session_state["image"] = image_id


def sheet(run_id: str, site: str, label: str, table: pd.DataFrame, chosen: str, top: float | None) -> None:
    """Draw the contact sheet, a page at a time: each tile its map, its score against the threshold, its kind."""
    pages = -(-len(table) // PER_PAGE)
    at = st.pagination(pages, key="sheet", bind="query-params") if pages > 1 else 1
    shown = table.iloc[PER_PAGE * (at - 1) : PER_PAGE * at].to_dict("records")
    with st.container(key="panel_sheet"):
        places = st.columns(ACROSS, gap="small", wrap=False) * PER_PAGE
        for place, row in zip(places, shown, strict=False):
            said, has_map = in_short(row), words.is_known(row["top"])
            with place, st.container(gap=None):
                st.image(
                    pictures.mapped(run_id, site, row["k"], side=2 * pictures.TILE, top=top),
                    width="stretch",
                    output_format="PNG",
                    alt=f"{row['image_id']}, {label}: {said}, {'with its heatmap' if has_map else 'its map is zero everywhere'}",
                )
                st.button(
                    said if has_map else f"{said} · no map", key=f"tile-{row['k']}", on_click=_choose,
                    args=(row["image_id"],),
                    type="primary" if row["image_id"] == chosen else "tertiary", width="stretch",
                    help=f"Open {row['image_id']}",
                )  # fmt: skip


def in_short(row: dict) -> str:
    """Return a failure's kind, its score and the threshold that it is on the wrong side of.

    >>> in_short({"y": 1, "score": 0.2, "threshold": 0.5})
    'FN .20 < .50'
    """
    called = row["score"] >= row["threshold"]
    kind = "FN" if row["y"] == 1 else "FP"
    return f"{kind} {words.number(row['score'])} {'≥' if called else '<'} {words.number(row['threshold'])}"


@st.fragment
def detail(study: choose.Study, run_id: str, row: dict, site: str, label: str, top: float | None) -> None:
    """Draw one failure large, with its controls, and what the model said of every finding."""
    with frame.caught():
        scores = cached.predictions(run_id, site)
        mask, boxes = pictures.truth_in(cached.as_seen(run_id, site)[0], row["row"], label)
        opacity, level, width, outline = controls(mask is not None or bool(boxes))
        with st.container(key="panel_detail", horizontal_alignment="center"):
            st.image(
                pictures.mapped(
                    run_id, site, row["k"], top=top, opacity=opacity, level=level, width=width, with_truth=outline
                ),
                width="stretch",
                output_format="PNG",  # else it is pressed into a JPEG on the way
                alt=f"Radiograph {row['image_id']} with the heatmap of {label}",
            )  # fmt: skip
            st.image(
                pictures.scale_bar(), width=220, alt="Colours of the map, from nothing to its strongest value"
            )
            st.markdown(f":small[{scale_in_words(row['top'], top)}]", text_alignment="center")
            known = ", ".join(filter(None, (row["image_id"], reading.facts(scores, row["image_id"]))))
            edge = f" Outline: where {label} is." if outline else ""
            st.markdown(f":small[{known}.{edge}]", text_alignment="center")
            for more in (
                pictures.seen_as(run_id, site, row["row"]),
                pictures.doubt(site, row["row"], label, row["y"] == 1),
            ):
                if more:
                    st.markdown(f":small[{more}]", text_alignment="center")
        cuts = study.threshold_set
        said = reading.said(
            scores, row["image_id"], {} if cuts is None else {k: v.threshold for k, v in cuts.labels.items()}
        )
        base.show(
            heatmaps.scores(said, label),
            "scores",
            data=said,
            caption=f"{row['image_id']} at {site}: every finding's score beside its threshold (tick; "
            f"{f'{cuts.rule} on {cuts.tuned_on}' if cuts else 'none tuned yet'}) and the truth. Run {run_id}.",
            alt=f"Scores of all findings for {row['image_id']} beside their thresholds",
        )


def controls(has_truth: bool) -> tuple[float, float, float, bool]:
    """Draw the sliders and return opacity, window level and width as fractions, and whether to outline the truth."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        opacity = st.slider(
            "Opacity of the map", 0, 100, 50, 5, key="opacity", bind="query-params", width=160
        )
        level = st.slider("Window level", 0, 100, 50, 5, key="level", bind="query-params", width=130)
        width = st.slider("Window width", 10, 150, 100, 5, key="width", bind="query-params", width=130)
        outline = has_truth and st.toggle("Outline the truth", True, key="outline", bind="query-params")
    return opacity / 100, level / 100, width / 100, outline


def scale_in_words(own: float, top: float | None) -> str:
    """Say what the colours' right end is worth.

    >>> scale_in_words(1.5, None)
    "Colours run from 0 to this map's own maximum, 1.5 before any scaling."
    """
    if not words.is_known(own):
        return "This map is zero everywhere: nothing in the image raised the score, so nothing is drawn."
    if top is None:
        return f"Colours run from 0 to this map's own maximum, {own:.3g} before any scaling."
    return f"Colours run from 0 to {top:.3g}, the largest of these maps; this one reaches {own:.3g}."
