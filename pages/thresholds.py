"""Where to cut, and does the cut travel?"""

import streamlit as st

from cxrlab.paths import Lab
from cxrlab.ui import asked, cached, choose, clicks, cut_files, cutting, frame, sayings, words
from cxrlab.ui.figures import base
from cxrlab.ui.figures import thresholds as figures


def page(study: choose.Study, run_id: str) -> None:
    cuts, sites = study.threshold_set, asked.scored(run_id, study.sites)
    rows = asked.cuts(run_id, study.home, cuts)
    spec = cached.run_spec(run_id)
    tail = (
        f"Run `{run_id}`, seed {spec.seed}, uncertain labels: {spec.view.uncertain}; thresholds by "
        f"{cuts.rule}, tuned on {cuts.tuned_on}."
    )
    st.markdown(sayings.cuts(rows, cuts.tuned_on, cuts.rule))
    labels = rows["label"].tolist()
    base.show(
        figures.cuts(rows, st.session_state.get("label", labels[0]))  , "threshold-bars", data=rows, select=clicks.into("threshold-bars", "label", labels),
        caption=f"Bars: 95 per cent bootstrap over patients. F1 on {study.home}'s test rows at the default "
        f"{asked.DEFAULT} (hollow) and at the threshold (full). Click a row to choose it. {tail}",
        alt=f"Thresholds of {words.listing(labels)} beside the default",
    )  # fmt: skip
    st.subheader("One finding", anchor=False)
    with st.container(horizontal=True):
        label = st.selectbox("Finding", labels, key="label", bind="query-params", width=260)
        site = st.segmented_control(
            "Applied at", sites, default=sites[0], required=True, wrap=True, key="site", bind="query-params"
        )
    tuned = cuts.of(label)
    table = asked.transfer(run_id, study.home, sites[1:], label)
    st.markdown(sayings.transfer(table, study.home, label))
    cutting.explore(run_id, site, label, tuned, tail)
    st.subheader("Does the cut travel?", anchor=False)
    frame.badges(oracle=True)
    base.show(
        figures.transfer(table), "transfer", data=table,
        caption=f"F1 of {label}: tuned at the site on the left, applied at the site above. Only the row of "
        f"{study.home} can be used in practice; the others have seen the labels that they are judged on. {tail}",
        alt=sayings.transfer(table, study.home, label),
    )  # fmt: skip
    keep(study, run_id, label, tuned)


def keep(study: choose.Study, run_id: str, label: str, tuned: float) -> None:
    st.subheader("Keep a set", anchor=False)
    lab, here = Lab.here(), cutting.value_of(label, tuned)
    save, give, take = st.columns(3, gap="medium")
    with save, st.form("keep"), frame.caught():
        name = st.text_input("Name", placeholder="screening", help="Small letters, digits and hyphens.")
        st.caption(f"The set above with {label} cut at the slider. It appears in the study bar.")
        if st.form_submit_button("Save this set", icon=":material/save:"):
            by_hand = {} if here == tuned else {label: here}
            cut_files.save(lab, cut_files.moved(study.threshold_set, by_hand, name))
            st.rerun()
    with give, st.container(border=True):
        st.markdown("To a file")
        st.caption("Every finding's threshold with its interval, rule and support, as JSON.")
        text = cut_files.as_json(study.threshold_set)
        file = f"{study.threshold_set.name}-{run_id}.json"
        st.download_button("Export JSON", text, file, "application/json", icon=":material/download:")
    with take, st.form("take", clear_on_submit=True), frame.caught():
        upload = st.file_uploader("From a file", type="json", max_upload_size=1)
        if st.form_submit_button("Import", icon=":material/upload:") and upload is not None:
            cut_files.take_in(lab, upload.name, upload.getvalue(), run_id)
            st.rerun()


def notes() -> None:
    with st.expander("How these thresholds are made"):
        st.markdown(
            "- **Rule**: the exact maximum of F1 over every distinct score of home's validation rows. With too few positive "
            "images that maximum is noise, so the predicted rate is matched to the true one instead, and the row says so.\n"
            "- **Interval**: where the same rule lands on resampled patients. A wide one means that the cut is not settled.\n"
            "- **Oracle**: tuned with an external site's own labels. It shows what re-tuning could give, not what a frozen "
            "model gives.\n"
            "- An image is called positive when its score is at or above the threshold."
        )


with frame.page("Thresholds", "Where to cut, and does the cut travel?"):
    if (found := choose.study()) is not None:
        if "labels" not in found.runs:
            st.info(f"No findings model of {found.home} has scores yet, so there is nothing to cut.")
        elif found.threshold_set is None:
            st.info("The thresholds are tuned when every site is scored. The run has not come that far.")
            frame.link("runs", "See how far it is", icon=":material/list_alt:")
        else:
            page(found, found.runs["labels"])
        notes()
