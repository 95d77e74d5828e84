"""Where does it hold, label by label?"""

import streamlit as st

from cxrlab.facts import run_facts
from cxrlab.ui import (
    asked,
    cached,
    choose,
    clicks,
    comparing,
    dissecting,
    frame,
    gated,
    judging,
    measured,
    sayings,
    told,
    words,
)
from cxrlab.ui.figures import base
from cxrlab.ui.figures import generalization as figures

KEY = (
    "▼ worse outside · ▲ better outside · = no gap · ? cannot say (hatched). Gap: AUROC at home minus there."
)
RUNS, HEADS, READERS = "Compare runs", "Normal or abnormal", "Second readers"


def about(study: choose.Study, run_id: str) -> str:
    """The tail of every caption: where its numbers come from."""
    home = f"home {study.home} (test rows)" if study.home else "home not known"
    return f"Run `{run_id}`, {cached.policy_of(run_id)}; {home}. Intervals: 95 per cent over patients."


def chosen_by(run_id: str) -> str:
    """Which weights of a run were kept, and by what."""
    spec = cached.run_spec(run_id)
    if spec.kind == "import":
        return "Model selection: not known, the scores were imported."
    if spec.kind == "brought":
        return f"Model selection: not known, the network was trained elsewhere ({spec.file.name})."
    return f"Model selection: best {run_facts.RULES[spec.task]} at home; no external site was looked at."


def findings(study: choose.Study, run_id: str) -> None:
    sites = asked.scored(run_id, study.sites)
    if not sites:
        st.info("None of the chosen sites has scores of this run; choose others in the study bar.")
        return
    gaps = cached.gaps(run_id, study.home, tuple(site for site in sites if site != study.home))
    if study.home:
        first = cached.headline(gaps, study.home)
    else:
        first = told.without_home(asked.performances(run_id, sites, None), run_id)
    st.markdown(first)
    if doubt := told.untrained(cached.performance(run_id, sites[0], study.threshold_set), sites[0]):
        st.warning(doubt)
    labels, worst = list(cached.predictions(run_id, sites[0]).labels), sayings.worst_label(gaps)
    tail = about(study, run_id)
    if len(gaps):
        base.show(
            figures.matrix(gaps, st.session_state.get("label") or st.query_params.get("label", worst)), "gap-matrix", data=gaps,
            caption=f"{KEY} Margin ±{words.number(gaps['margin'].iloc[0])}. Click a cell to choose its finding. {tail} "
            f"{chosen_by(run_id)}",
            alt=f"Gaps of {words.count(len(labels), 'finding')} at {words.listing(sites[1:])}. {first}",
            select=clicks.into("gap-matrix", "label", labels),
        )  # fmt: skip
    parts = {
        "One finding": lambda look: judging.finding(look, gaps), "What was lost": dissecting.lost,
        "Calibration": dissecting.calibration, "Groups": dissecting.groups, "Mistakes": dissecting.mistakes,
        RUNS: lambda look: comparing.runs(look.run_id, look.label),
    }  # fmt: skip
    if measured.readers(run_id, sites):
        parts[READERS] = dissecting.second_readers
    if any(task in study.runs for task in ("normal", "normal-latents")):
        parts[HEADS] = judging.normal_or_abnormal
    if gated.has_gate(run_id):
        parts[gated.TITLE] = gated.own
    at = labels.index(worst) if worst in labels else 0
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.selectbox("Finding", labels, index=at, key="label", bind="query-params", width=260)
        part = st.segmented_control("Look at", list(parts), default="One finding", required=True, wrap=True, key="look",
                                    bind="query-params")  # fmt: skip
    if len(gaps) and part not in (RUNS, HEADS, gated.TITLE):
        st.markdown(cached.headline(gaps, study.home, label))
    parts[part](judging.Look(study, run_id, sites, label, tail))


def without_findings(study: choose.Study) -> None:
    st.info(f"No findings model of {study.said_home} has scores yet, so there are no gaps to show.")
    if any(task in study.runs for task in ("normal", "normal-latents")):
        st.subheader(HEADS, anchor=False)
        judging.normal_or_abnormal(judging.Look(study, "", (), "", ""))


def notes() -> None:
    with st.expander("How these numbers are made"):
        st.markdown(
            "- **Interval**: over patients, not images; a patient with many images counts once in the variance.\n"
            "- **Verdict**: *worse* or *better* when the interval of the gap leaves zero out; *no gap* when two one-sided "
            "tests place it inside the margin; else, or with too few positive or negative patients, *cannot say*.\n"
            "- **Macro**: the mean over the labels with enough patients for a verdict at both sites.\n"
            "- **Multiplicity**: the macro gap is the primary question; `p_holm` in the data corrects the single labels.\n"
            "- **Thresholds** come from home's validation rows only, and so does every recalibration.\n"
            "- **What was lost**: *ranking*: the scores order images less well there. *Threshold*: home's cut is not the best "
            "one there. *Prevalence*: F1 moves with the share of positives, whatever the model does.\n"
            "- **Calibration error**: mean distance of said and seen over bins with equally many images. *Skill*: how much "
            "better than always saying the prevalence. *Slope* below one: too sure. *Intercept* below zero: says too much.\n"
            "- **Groups**: a group against all others together; a patient in both counts as one. No verdict on fairness.\n"
            "- **Runs**: on the rows that all of them scored. Ranks vary over draws of patients, the same for all runs; the "
            "seed of training is another doubt and is shown apart.\n"
            "- **Second readers**: the scores stay, the truth changes. It says how much of a gap labels alone can make."
        )


with frame.page("Generalization", "Where does it hold, label by label?"):
    if (found := choose.study()) is not None:
        if "labels" in found.runs:
            findings(found, found.runs["labels"])
        else:
            without_findings(found)
        notes()
