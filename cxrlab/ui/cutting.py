"""The slider that cuts one finding at one site, and everything that moves with it.

In:    a run, a site, a finding, its tuned threshold.
Out:   curves, counts and the images that change side, redrawn alone (a fragment).
Never: numbers that report did not compute.
"""

import pandas as pd
import streamlit as st

from cxrlab.paths import Lab
from cxrlab.ui import asked, cached, frame, links, pictures, words
from cxrlab.ui.figures import base
from cxrlab.ui.figures import thresholds as figures

SHOWN = 8  # images that change side
NUMBERS = (
    ("F1", "f1"),
    ("Sensitivity", "sensitivity"),
    ("Specificity", "specificity"),
    ("PPV", "ppv"),
)


def key_of(label: str, tag: str = "") -> str:
    """Return the slider's key, which is its name in the URL: every finding keeps its own place in every set."""
    return "_".join(["at", label.lower().replace(" ", "_"), *filter(None, [tag])])


def start_of(tuned: float | None) -> float:
    """Return where the slider stands before anyone moves it: the tuned threshold to the slider's last digit."""
    return round(float(tuned), 3) if words.is_known(tuned) else asked.DEFAULT


def value_of(label: str, tuned: float | None, tag: str = "") -> float:
    """Return the threshold that the slider says; untouched, the tuned one with all its digits."""
    at = st.session_state.get(key_of(label, tag), start_of(tuned))
    return float(tuned) if words.is_known(tuned) and at == start_of(tuned) else float(at)


@st.fragment
def explore(run_id: str, site: str, label: str, tuned: float | None, tail: str, tag: str = "") -> None:
    """Draw the slider with curves, counts and the images between it and the tuned threshold."""
    with frame.caught():
        if label not in cached.predictions(run_id, site).labels:
            st.info(f"This model gave no scores of {label} at {site}.")
            return
        table = asked.by_threshold(run_id, site, label)
        if table.empty:
            counts = asked.support(run_id, site, label)
            st.info(f"No curve for {label} at {site}: {words.undefined(counts['why_nan'])}.")
            return
        st.slider(
            f"Threshold for {label} at {site}", 0.0, 1.0, start_of(tuned), 0.001, format="%.3f", key=key_of(label, tag),
            bind="query-params", help="An image is called positive at or above it.",
        )  # fmt: skip
        at = value_of(label, tuned, tag)
        counts = asked.confusion(run_id, site, label, at)
        left, right = st.columns([7, 5], gap="medium")
        with left:
            base.show(
                figures.curve(table, at, tuned), "curve", data=table,
                caption=f"{label} at {site}, {words.count(counts.tp + counts.fn)} positive and "
                f"{words.count(counts.tn + counts.fp)} negative images. {tail}",
                alt=f"F1, sensitivity, specificity and PPV of {label} at {site} over the threshold",
            )  # fmt: skip
        with right:
            with st.container(horizontal=True, gap="medium"):
                for name, attribute in NUMBERS:
                    st.metric(name, words.number(getattr(counts, attribute)), width="content")
            for name, attribute in NUMBERS:
                if why := counts.why_nan(attribute):
                    st.caption(f"{name}: {words.undefined(why)}.")
            st.plotly_chart(
                figures.confusion(vars(counts)), key="counts", config={"displayModeBar": False},
                alt=f"TP {counts.tp:.0f}, FN {counts.fn:.0f}, FP {counts.fp:.0f}, TN {counts.tn:.0f}",
            )  # fmt: skip
            if there := pictures.mapped_sites(run_id, (site,)):
                links.failures(there, label, ("at the tuned threshold",))
        start = tuned if words.is_known(tuned) else asked.DEFAULT
        if at != start:
            change(run_id, site, label, start, at)
        else:
            st.caption("Move the slider to see the images whose call changes.")


def change(run_id: str, site: str, label: str, tuned: float, at: float) -> None:
    """Draw images that the tuned threshold and `at` call differently."""
    table = asked.changed(run_id, site, label, tuned, at)
    now = "negative" if at > tuned else "positive"
    right = int(table["group"].isin(["TP", "TN"]).sum())
    st.markdown(
        f"From {words.number(tuned, 3)} to {words.number(at, 3)}, **{words.count(len(table), 'image')}** turned {now}: "
        f"{words.count(right)} now right, {words.count(len(table) - right)} now wrong."
    )
    if table.empty:
        return
    seen = table[table["row"] >= 0] if Lab.here().store(site).exists() else table.iloc[:0]
    if seen.empty:
        st.caption(
            f"No images to show: the lab holds none of {site} for these scores. Import the site under this name, then the "
            "scores again."
        )
        return
    seen = _examples(seen)
    with st.container(horizontal=True, gap="small", key="panel_changed"):
        for row in seen.to_dict("records"):
            truth = "present" if row["y"] == 1 else "absent"
            st.image(
                pictures.radiograph(site, row["row"]), width=pictures.TILE, output_format="PNG",
                caption=f"{words.number(row['score'])} · {truth} · now {row['group']}",
                alt=f"{row['image_id']}: {label} {truth}, score {words.number(row['score'])}, called {now} now",
            )  # fmt: skip
    if len(table) > len(seen):
        st.caption(
            f"{words.count(len(seen))} of {words.count(len(table))}: the lowest scores of those now right and of those now wrong."
        )


def _examples(table: pd.DataFrame) -> pd.DataFrame:
    """Return at most SHOWN rows, half of them now right and half now wrong where there are so many; in their order."""
    is_right = table["group"].isin(["TP", "TN"])
    right, wrong = table[is_right], table[~is_right]
    of_right = max(SHOWN // 2, SHOWN - len(wrong))
    right = right.head(of_right)
    return pd.concat([right, wrong.head(SHOWN - len(right))]).sort_index()
