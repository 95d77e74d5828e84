"""What lies under a run's numbers: losses taken apart, calibration, groups, mistakes, second readers.

In:    a judging.Look.
Out:   figures, tables and the sentence over each; only the part that was chosen is drawn.
Never: arithmetic on results.
"""

import streamlit as st

from cxrlab.ui import cached, links, measured, told, words
from cxrlab.ui.figures import base
from cxrlab.ui.figures import calibration as calibration_figures
from cxrlab.ui.figures import judging as judging_figures
from cxrlab.ui.judging import Look, images

METHODS = {
    "Platt": "platt",
    "temperature": "temperature",
    "isotonic": "isotonic",
    "intercept only": "intercept",
}


def lost(look: Look) -> None:
    """What a loss of F1 is made of, and what numbers would be at home's prevalence."""
    if not look.study.home or not words.is_known(look.cut):
        why = look.why_no_cut if look.study.home else "home is not known"
        base.empty(f"a loss is counted at home's threshold: {words.undefined(why)}.")
        return
    if not look.externals:
        base.empty("no external site has been scored yet.")
        return
    cuts, label = look.study.threshold_set, look.label
    table = measured.losses(look.run_id, look.study.home, look.externals, label, cuts)
    st.markdown(told.losses(table, look.study.home, label))
    known = table[table["loss"].notna()].reset_index(drop=True)
    if len(known):
        base.show(
            judging_figures.losses(known), "losses", data=table,
            caption=f"F1 of {label} at {words.number(look.cut, 3)} ({cuts.rule}, tuned on {cuts.tuned_on}); the parts sum to "
            f"the loss exactly and carry no interval. {look.tail}",
            alt=told.losses(table, look.study.home, label),
        )  # fmt: skip
    st.markdown("**As if every site had home's share of positives**")
    same = measured.at_one_prevalence(look.run_id, look.sites, label, look.cut)
    base.table(
        told.at_one_prevalence(same), "at-one-prevalence", alt=f"{label} at one prevalence, one row a site"
    )
    with st.container(horizontal=True, wrap=False):
        st.caption(f"As it is → at home's prevalence; no intervals. {look.tail}", width="stretch")
        base.export(same, "at-one-prevalence")


def calibration(look: Look) -> None:
    """Whether a score means what it says, before and after recalibration at home."""
    label, home = look.label, look.study.home
    name = measured.NONE
    with st.container(horizontal=True, vertical_alignment="bottom"):
        site = look.choose_site()
        if home:
            name = st.segmented_control("Recalibrated at home by", list(METHODS), default="Platt", required=True,
                                        key="mend", bind="query-params", wrap=True)  # fmt: skip
    method = METHODS[name] if home else measured.NONE
    asked_for = (measured.NONE, *METHODS.values()) if home else (measured.NONE,)
    table = measured.calibration(look.run_id, home, site, label, asked_for)
    st.markdown(told.calibration(table, site, label, method))
    left, right = st.columns([5, 6], gap="medium")
    with left:
        bins = measured.reliability(
            look.run_id, home, site, label, tuple(dict.fromkeys((measured.NONE, method)))
        )
        if bins.empty:
            base.empty(f"{site} has no image with a truth and a score for {label}.")
        else:
            base.show(
                calibration_figures.reliability(bins, look.study.colours()[site], name), "reliability", data=bins,
                caption=f"{label} at {site}; bins of equal mass, bars: 95 per cent over patients; dashed: said is seen. "
                f"{look.tail}", alt=told.calibration(table, site, label, method),
            )  # fmt: skip
    with right:
        base.table(told.calibrations(table, METHODS), "calibration", alt=f"Calibration of {label} at {site}")
        with st.container(horizontal=True, wrap=False):
            st.caption(
                f"Fitted on {home}'s validation rows: {words.count(table['fit_pos'].iloc[0], 'positive')}, "
                f"{words.count(table['fit_neg'].iloc[0], 'negative')}. Single numbers carry no interval."
                if home else "Nothing to fit a recalibration on: home is not known.", width="stretch",
            )  # fmt: skip
            base.export(table, "calibration")
    if (
        home
        and len(look.sites) > 1
        and st.toggle("Every site, before and after", key="everywhere", bind="query-params")
    ):
        every = told.before_and_after(
            {
                s: measured.calibration(look.run_id, home, s, label, (measured.NONE, method))
                for s in look.sites
            },
            "ece",
        )
        base.show(
            calibration_figures.moved(every, look.study.colours(), "Expected calibration error, equal mass"), "moved",
            data=every, caption=f"{label}: as scored (hollow) and after {name} (full). {look.tail}",
            alt=f"Calibration error before and after: {every.to_dict('records')}",
        )  # fmt: skip


def groups(look: Look) -> None:
    """Whether it holds for everybody."""
    site = look.choose_site()
    table = measured.subgroups(look.run_id, site, look.label, look.cut)
    if table.empty:
        base.empty(f"{site} says nothing of its patients that tells two groups apart.")
        return
    st.markdown(told.groups(table, site, look.label))
    one = cached.performance(look.run_id, site)
    whole = one.loc[one["label"] == look.label, "auroc"].iloc[0]
    left, right = st.columns([5, 7], gap="medium")
    with left:
        base.show(judging_figures.groups(table, whole), "groups", data=table,
                  caption=f"{look.label} at {site}; bars: 95 per cent over patients. {look.tail}",
                  alt=told.groups(table, site, look.label))  # fmt: skip
    with right:
        base.table(told.group_rows(table), "group-rows", alt=f"{look.label} by group at {site}")
        cut = (
            f"at {words.number(look.cut, 3)}"
            if words.is_known(look.cut)
            else words.undefined(look.why_no_cut)
        )
        st.caption(f"Sensitivity and specificity {cut}. *Against the rest*: AUROC of the group minus that of all others, "
                   "p after Holm over all groups listed.")  # fmt: skip


def mistakes(look: Look) -> None:
    """Which mistakes come together."""
    if look.study.threshold_set is None:
        base.empty(f"a mistake needs a threshold: {words.undefined(look.why_no_cut)}.")
        return
    site = look.choose_site()
    table = measured.co_errors(look.run_id, site, look.label, look.study.threshold_set)
    st.markdown(told.mistakes(table, site, look.label))
    base.table(
        told.mistake_rows(table, look.label),
        "mistakes",
        alt=f"Mistakes that come together at {site}",
    )
    with st.container(horizontal=True, wrap=False):
        st.caption(
            f"Mistakes on {look.label} and on each other finding, the strongest first, among images where both mistakes were "
            "possible; p over patients, after Holm over these pairs; *expected*: as if one mistake knew nothing of the "
            f"other. {look.tail}", width="stretch",
        )  # fmt: skip
        base.export(table, "mistakes")
    images(look)


def second_readers(look: Look) -> None:
    """What another truth does to the numbers."""
    known = measured.readers(look.run_id, look.sites)
    if look.label not in known:
        st.info(
            f"Nobody else says where {look.label} is. Second readers are there for {words.listing(list(known))}."
        )
        links.draw(("", [(f"Look at {label}", links.address("generalization", label=label, look="Second readers"))
                         for label in known]))  # fmt: skip
        return
    table = measured.label_noise(look.run_id, tuple(known[look.label]), look.label)
    st.markdown(told.label_noise(table))
    base.show(judging_figures.readers(table), "readers", data=table,
              caption=f"The same scores of {look.label}, on the rows that both truths cover; bars: 95 per cent over patients. "
              f"{look.tail}", alt=told.label_noise(table))  # fmt: skip
    base.table(told.reader_rows(table), "reader-rows", alt="How far the two truths agree")
