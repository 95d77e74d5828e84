"""Where to cut, and does the cut travel?"""

import streamlit as st

from cxrlab import report
from cxrlab.ui import (
    asked,
    asked_cuts,
    cached,
    choose,
    clicks,
    cutting,
    frame,
    keeping,
    ruling,
    sayings,
    words,
)
from cxrlab.ui.figures import base
from cxrlab.ui.figures import thresholds as figures

TRAVELS, WORTH, KEEP = "Does the cut travel?", "Is it worth using?", "Keep a set"
MEASURES = {"F1": "f1", "sensitivity": "sensitivity", "specificity": "specificity"}


def page(study: choose.Study, run_id: str) -> None:
    sites = asked.scored(run_id, study.sites)
    cuts = ruling.chosen(study, run_id, sites[0])
    rows = asked.cuts(run_id, sites[0], cuts)
    tail = f"Run `{run_id}`; {cached.policy_of(run_id)}; thresholds by {cuts.rule}, tuned on {cuts.tuned_on}."
    st.markdown(sayings.cuts(rows, cuts.tuned_on, cuts.rule))
    labels = rows["label"].tolist()
    base.show(
        figures.cuts(rows, st.session_state.get("label") or st.query_params.get("label", labels[0])), "threshold-bars", data=rows,
        select=clicks.into("threshold-bars", "label", labels),
        caption=f"Bars: 95 per cent bootstrap over patients. F1 on {sites[0]}'s {'test ' if study.home else ''}rows at the default "
        f"{asked.DEFAULT} (hollow) and at the threshold (full). Click a row to choose it. {tail}",
        alt=f"Thresholds of {words.listing(labels)} beside the default",
    )  # fmt: skip
    st.subheader("One finding", anchor=False)
    with st.container(horizontal=True):
        label = st.selectbox("Finding", labels, key="label", bind="query-params", width=260)
        site = st.segmented_control(
            "Applied at", sites, default=sites[0], required=True, wrap=True, key="site", bind="query-params"
        )
    tuned, tag = cuts.of(label), ruling.tag(cuts, study)
    cutting.explore(run_id, site, label, tuned, tail, tag)
    section = st.segmented_control(
        "Look at", [TRAVELS, WORTH, KEEP], default=TRAVELS, required=True, wrap=True, key="section", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip
    if section == TRAVELS:
        travels(study, run_id, sites, label, cuts, tail)
    elif section == WORTH:
        worth(study, run_id, site, label, tail)
    else:
        keeping.draw(cuts, run_id, label, cutting.value_of(label, tuned, tag))


def travels(study: choose.Study, run_id: str, sites: tuple, label: str, cuts, tail: str) -> None:
    if not study.home or label not in cached.predictions(run_id, study.home).labels:
        base.empty(f"{study.said_home} has no validation rows of {label}, so no cut sets out from there.")
        return
    if len(sites) == 1:
        base.empty(
            f"no other site than {study.home} is chosen above and scored by this run, so no cut has travelled."
        )
        return
    table = asked_cuts.transfer(run_id, study.home, sites[1:], label, cuts)
    st.markdown(sayings.transfer(table, study.home, label))
    frame.badges(oracle=True)
    measure = st.segmented_control("Number", list(MEASURES), default="F1", required=True, key="measure",
                                   bind="query-params", label_visibility="collapsed")  # fmt: skip
    base.show(
        figures.transfer(table, MEASURES[measure]), "transfer", data=table,
        caption=f"{measure} of {label}: tuned at the site on the left, applied at the site above; in brackets, what that is "
        f"against tuning there. Only the row of {study.home} can be used in practice; the others have seen the labels that "
        f"they are judged on. Click a cell to go to its site. {tail}",
        alt=sayings.transfer(table, study.home, label), select=clicks.into("transfer", "site", sites, place=1),
    )  # fmt: skip


def worth(study: choose.Study, run_id: str, site: str, label: str, tail: str) -> None:
    table = asked_cuts.benefit(run_id, study.home, site, label)
    if table.empty:
        base.empty(f"{words.undefined(asked.support(run_id, site, label)['why_nan'])}, {label} at {site}.")
        return
    has = asked_cuts.METHOD in set(table["method"])
    said = sayings.worth(
        *report.worth(table, asked_cuts.METHOD if has else "none"), site, label, recalibrated=has
    )
    st.markdown(said)
    base.show(
        figures.benefit(table, asked_cuts.METHOD), "benefit", data=table, alt=said,
        caption=f"Net benefit of {label} at {site}: found, minus false alarms weighed by the odds of the probability from which "
        f"one would act. Recalibrated: {asked_cuts.METHOD}, on home's validation rows. {tail}",
    )  # fmt: skip


def notes() -> None:
    with st.expander("How these thresholds are made"):
        st.markdown(
            "- **Rules** try every distinct score of home's validation rows. With too few positive images the largest F1 is "
            "noise: chosen as a rule it refuses; the run's own set matches the predicted rate to the true one, and says so.\n"
            "- **Interval**: where the same rule lands on resampled patients. A wide one means that the cut is not settled.\n"
            "- **Oracle**: tuned with an external site's own labels. It shows what re-tuning could give, not what a frozen "
            "model gives.\n"
            "- **Cost** is counted on the validation rows; on calibrated scores it is the cut at 1 / (1 + worth of a miss).\n"
            "- An image is called positive when its score is at or above the threshold."
        )


with frame.page("Thresholds", "Where to cut, and does the cut travel?"):
    if (found := choose.study()) is not None:
        if "labels" not in found.runs:
            st.info(f"No findings model of {found.said_home} has scores yet, so there is nothing to cut.")
        elif found.threshold_set is None and found.home:
            st.info("The thresholds are tuned when every site is scored. The run has not come that far.")
            frame.link("runs", "See how far it is", icon=":material/list_alt:")
        else:
            page(found, found.runs["labels"])
            asked_cuts.warm()
        notes()
