"""Where does it hold, label by label?"""

import streamlit as st

from cxrlab import report
from cxrlab.ui import asked, cached, choose, clicks, frame, links, pictures, sayings, words
from cxrlab.ui.figures import base
from cxrlab.ui.figures import generalization as figures

KEY = (
    "▼ worse outside · ▲ better outside · = no gap · ? cannot say (hatched). Gap: AUROC at home minus there."
)


def about(study: choose.Study, run_id: str) -> str:
    """The tail of every caption: where its numbers come from."""
    spec = cached.run_spec(run_id)
    return (
        f"Run `{run_id}`, seed {spec.seed}; home {study.home} (test rows); uncertain labels: {spec.view.uncertain}, "
        f"unmentioned: {spec.view.blank}. Intervals: 95 per cent over patients."
    )


def findings(study: choose.Study, run_id: str) -> None:
    sites = asked.scored(run_id, study.sites)
    gaps = cached.gaps(run_id, study.home, sites[1:])
    st.markdown(report.headline(gaps, study.home))
    labels = list(cached.predictions(run_id, study.home).labels)
    worst = sayings.worst_label(gaps)
    if len(gaps):
        base.show(
            figures.matrix(gaps, st.session_state.get("label", worst)), "gap-matrix", data=gaps,
            caption=f"{KEY} Margin ±{words.number(gaps['margin'].iloc[0])}. Click a cell to choose its finding. {about(study, run_id)}",
            alt=f"Gaps of {words.count(len(labels), 'finding')} at {words.listing(sites[1:])}. {report.headline(gaps, study.home)}",
            select=clicks.into("gap-matrix", "label", labels),
        )  # fmt: skip
    st.subheader("One finding", anchor=False)
    first = labels.index(worst) if worst in labels else 0
    label = st.selectbox("Finding", labels, index=first, key="label", bind="query-params", width=260)
    one_finding(study, run_id, sites, gaps, label)


def one_finding(study: choose.Study, run_id: str, sites: tuple, gaps, label: str) -> None:
    if len(gaps):
        st.markdown(report.headline(gaps, study.home, label))
    points = asked.points(run_id, study.home, sites, label, gaps)
    said = {
        r["site"]: words.interval(r["value"], r["low"], r["high"], r["why_nan"])
        for r in points.to_dict("records")
    }
    tail = about(study, run_id)
    left, right = st.columns(2, gap="medium")
    with left:
        base.show(figures.dumbbell(points, study.home, study.colours()), "dumbbell", data=points, caption=f"AUROC of {label}. {tail}",
                  alt=f"AUROC of {label}: {said}")  # fmt: skip
    with right:
        cut = study.threshold_set.of(label) if study.threshold_set else None
        if words.is_known(cut):
            counts = asked.confusions(run_id, sites, label, cut)
            base.show(
                figures.confusion(counts), "confusion", data=counts,
                caption=f"{label} cut at {words.number(cut, 3)} ({study.threshold_set.rule}, tuned on "
                f"{study.threshold_set.tuned_on}). {tail}",
                alt=f"Counts of {label} at the threshold: {counts.to_dict('records')}",
            )  # fmt: skip
            links.failures(pictures.mapped_sites(run_id, sites), label)
        else:
            why = (
                study.threshold_set.why_not(label)
                if study.threshold_set
                else "thresholds are tuned after scoring"
            )
            base.empty(f"confusion counts need a threshold: {words.undefined(why)}.")
        links.draw(("", [("Move the threshold", links.address("thresholds", label=label))]))
    curves = asked.curves(run_id, sites, label)
    if curves.empty:
        base.empty(f"no site has both classes of {label}.")
        return
    performance = asked.performances(run_id, sites, study.threshold_set)
    here = performance[performance["label"] == label]
    prevalence = dict(zip(here["site"], here["prevalence"], strict=True))
    precision = dict(zip(here["site"], here["auprc"].map(words.number), strict=True))
    for column, kind, draw in zip(
        st.columns(2, gap="medium"), ("roc", "pr"), (figures.roc, figures.pr), strict=True
    ):
        of = {s: curves[(curves["site"] == s) & (curves["kind"] == kind)] for s in sites}
        of = {s: c for s, c in of.items() if len(c)}
        more = (prevalence,) if kind == "pr" else ()
        note = "dashed: chance" if kind == "roc" else "dotted: each site's prevalence, which is chance here"
        with column:
            base.show(draw(of, study.home, study.colours(), precision if kind == "pr" else said, *more), kind,
                      data=curves[curves["kind"] == kind], caption=f"{kind.upper()} of {label}; {note}. {tail}",
                      alt=f"{kind.upper()} curves of {label}, {precision if kind == 'pr' else said}")  # fmt: skip
    tables(study, performance, sites, label, tail)


def tables(study: choose.Study, performance, sites: tuple, label: str, tail: str) -> None:
    st.subheader("All numbers", anchor=False)
    which = st.segmented_control("Rows", [label, *sites], default=label, required=True, key="rows",
                                 label_visibility="collapsed")  # fmt: skip
    by = "site" if which == label else "label"
    part = performance[performance["label" if by == "site" else "site"] == which]
    base.table(sayings.performance(part, by), "performance", alt=f"Performance, one row a {by}, for {which}")
    with st.container(horizontal=True, wrap=False):
        st.caption(f"{which}. Numbers at a threshold use the chosen set. {tail}", width="stretch")
        base.export(part, "performance")


def normal_or_abnormal(study: choose.Study) -> None:
    heads = {words.TASKS[t]: study.runs[t] for t in ("normal", "normal-latents") if t in study.runs}
    if not heads:
        return
    st.subheader("Normal or abnormal", anchor=False)
    table = asked.heads(heads, study.home, study.sites)
    runs = words.listing([f"`{r}`" for r in heads.values()])
    base.show(figures.heads(table, study.home), "heads", data=table,
              caption=f"One question, two inputs: the image, or the autoencoder's latents. Runs {runs}; "
              "intervals: 95 per cent over patients.", alt=f"AUROC of {words.listing(list(heads))} at each site")  # fmt: skip


def notes() -> None:
    with st.expander("How these numbers are made"):
        st.markdown(
            "- **Interval**: over patients, not images; a patient with many images counts once in the variance.\n"
            "- **Verdict**: *worse* or *better* when the interval of the gap leaves zero out; *no gap* when two one-sided "
            "tests place it inside the margin; else, or with too few positive or negative patients, *cannot say*.\n"
            "- **Macro**: the mean over the labels that are defined at both sites.\n"
            "- **Multiplicity**: the macro gap is the primary question; `p_holm` in the data corrects the single labels.\n"
            "- **Thresholds** come from home's validation rows only."
        )


with frame.page("Generalization", "Where does it hold, label by label?"):
    if (found := choose.study()) is not None:
        if "labels" in found.runs:
            findings(found, found.runs["labels"])
        else:
            st.info(f"No findings model of {found.home} has scores yet, so there are no gaps to show.")
        normal_or_abnormal(found)
        notes()
