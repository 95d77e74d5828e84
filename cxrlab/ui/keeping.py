"""What becomes of a threshold set: kept under a name, sent as a file, taken from one.

In:    the set that the page shows, and where the slider stands.
Out:   sets in the lab (cut_files writes them), an export.
Never: tuning.
"""

import streamlit as st

from cxrlab.metrics.thresholds import ThresholdSet
from cxrlab.paths import Lab
from cxrlab.ui import cut_files, frame, links


def draw(cuts: ThresholdSet, run_id: str, label: str, here: float) -> None:
    """Draw the three ways; `here` is the threshold of `label` at the slider."""
    lab, tuned = Lab.here(), cuts.of(label)
    if name := st.session_state.pop("kept-set", ""):
        st.success(f"Kept as {name}; it stands in the study bar.", icon=":material/check:")
        pages = (("Generalization", "generalization"), ("Heatmaps", "heatmaps"))
        links.draw(("Cut with it on", [(text, links.address(to, cuts=name)) for text, to in pages]))
    save, give, take = st.columns(3, gap="medium")
    with save, st.form("keep"), frame.caught():
        name = st.text_input("Name", placeholder="screening", help="Small letters, digits and hyphens.")
        st.caption(f"The set above with {label} cut at the slider. It appears in the study bar.")
        if st.form_submit_button("Save this set", icon=":material/save:"):
            cut_files.save(lab, cut_files.moved(cuts, {} if here == tuned else {label: here}, name))
            st.session_state["kept-set"] = name
            st.rerun()
    with give, st.container(border=True):
        st.markdown("To a file")
        st.caption("Every finding's threshold with its interval, rule and support, as JSON.")
        st.download_button("Export JSON", lambda: cut_files.as_json(cuts), f"{cuts.name}-{run_id}.json", "application/json",
                           icon=":material/download:", on_click="ignore")  # fmt: skip
    with take, st.form("take", clear_on_submit=True), frame.caught():
        upload = st.file_uploader("From a file", type="json", max_upload_size=1)
        if st.form_submit_button("Import", icon=":material/upload:") and upload is not None:
            st.session_state["kept-set"] = cut_files.take_in(lab, upload.name, upload.getvalue(), run_id).stem
            st.rerun()
