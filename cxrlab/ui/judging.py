"""One finding of one run, site by site: what the parts of Generalization look at, and the first of them.

In:    a Look: the study, its run, its sites, a finding.
Out:   figures, tables and the sentence over each.
Never: arithmetic on results; a part that was not asked for.
"""

from dataclasses import dataclass

import streamlit as st

from cxrlab import references
from cxrlab.ui import asked, choose, gated, links, measured, pictures, sayings, told, words
from cxrlab.ui.figures import base
from cxrlab.ui.figures import generalization as figures


@dataclass(frozen=True)
class Look:
    """What is looked at: a run at its scored sites (home first, if it is known), one finding, whence the numbers are."""

    study: choose.Study
    run_id: str
    sites: tuple[str, ...]
    label: str
    tail: str

    @property
    def externals(self) -> tuple[str, ...]:
        """The sites without home."""
        return tuple(site for site in self.sites if site != self.study.home)

    @property
    def cut(self) -> float:
        """The finding's threshold, NaN without one."""
        return self.study.threshold_set.of(self.label) if self.study.threshold_set else float("nan")

    @property
    def why_no_cut(self) -> str:
        """Why there is no threshold."""
        if self.study.threshold_set:
            return self.study.threshold_set.why_not(self.label)
        return (
            "thresholds are tuned after scoring"
            if self.study.home
            else "nothing to tune them on: home is not known"
        )

    def choose_site(self, help_: str = "") -> str:
        """Draw the choice of one site, in the URL; it opens on the last, which training never saw."""
        return st.segmented_control(
            "At", self.sites, default=self.sites[-1], required=True, wrap=True, key="site", bind="query-params",
            help=help_ or None,
        )  # fmt: skip


def finding(look: Look, gaps) -> None:
    """One finding: site by site, its confusions at the threshold, curves with bands, all numbers."""
    study, run_id, sites, label, tail = look.study, look.run_id, look.sites, look.label, look.tail
    points = asked.points(run_id, study.home, sites, label, gaps)
    said = {
        r["site"]: words.interval(r["value"], r["low"], r["high"], r["why_nan"])
        for r in points.to_dict("records")
    }
    left, right = st.columns(2, gap="medium")
    with left:
        base.show(figures.dumbbell(points, study.home, study.colours()), "dumbbell", data=points,
                  caption=f"AUROC of {label}. {tail}", alt=f"AUROC of {label}: {said}")  # fmt: skip
        published(look, points)
    with right:
        if words.is_known(look.cut):
            counts = measured.confusions(run_id, sites, label, look.cut)
            base.show(
                figures.confusion(counts), "confusion", data=counts,
                caption=f"{label} cut at {words.number(look.cut, 3)} ({study.threshold_set.rule}, tuned on "
                f"{study.threshold_set.tuned_on}). {tail}",
                alt=f"Counts of {label} at the threshold: {counts.to_dict('records')}",
            )  # fmt: skip
            images(look)
        else:
            base.empty(f"confusion counts need a threshold: {words.undefined(look.why_no_cut)}.")
        links.draw(("", [("Move the threshold", links.address("thresholds", label=label))]))
    curves(look, said)
    numbers(look)


def images(look: Look) -> None:
    """Lead to the images behind the mistakes, or say why there are none."""
    there = pictures.mapped_sites(look.run_id, look.sites)
    links.failures(there, look.label)
    if not there and choose.is_imported(look.run_id):
        st.caption(
            "No images behind these counts: the scores were imported, so nothing here can draw a heatmap."
        )


def curves(look: Look, said: dict[str, str]) -> None:
    """ROC and precision-recall, with bands at home and at one other site."""
    run_id, label, home = look.run_id, look.label, look.study.home
    table = asked.curves(run_id, look.sites, label)
    if table.empty:
        base.empty(f"no site has both classes of {label}.")
        return
    drawn = tuple(site for site in look.sites if (table["site"] == site).any())
    others = [site for site in drawn if site != home]
    chosen = others[:1]
    if len(others) > 1:
        chosen = [st.segmented_control("Bands at home and at", others, default=others[-1], required=True, wrap=True,
                                       key="band", bind="query-params")]  # fmt: skip
    banded = tuple(site for site in drawn if site == home or site in chosen)
    bands = measured.bands(run_id, banded, label)
    numbers_of = asked.performances(run_id, drawn, None)
    here = numbers_of[numbers_of["label"] == label]
    prevalence = dict(zip(here["site"], here["prevalence"], strict=True))
    precision = dict(zip(here["site"], here["auprc"].map(words.number), strict=True))
    for column, kind, draw in zip(
        st.columns(2, gap="medium"), ("roc", "pr"), (figures.roc, figures.pr), strict=True
    ):
        of = {s: table[(table["site"] == s) & (table["kind"] == kind)] for s in drawn}
        band = {s: bands[(bands["site"] == s) & (bands["kind"] == kind)] for s in banded}
        legend, more = (said, ()) if kind == "roc" else (precision, (prevalence,))
        note = "dashed: chance" if kind == "roc" else "dotted: each site's prevalence, which is chance here"
        with column:
            base.show(
                draw(of, home, look.study.colours(), legend, *more, band), kind, data=table[table["kind"] == kind],
                caption=f"{kind.upper()} of {label}; {note}. Bands at {words.listing(banded)}: pointwise, 95 per cent, "
                f"patients resampled. {look.tail}",
                alt=f"{kind.upper()} curves of {label}, {legend}",
            )  # fmt: skip


def numbers(look: Look) -> None:
    """Every number of one finding at all sites, or of all findings at one site."""
    st.subheader("All numbers", anchor=False)
    which = st.segmented_control("Rows", [look.label, *look.sites], default=look.label, required=True, key="rows",
                                 label_visibility="collapsed", wrap=True)  # fmt: skip
    by = "site" if which == look.label else "label"
    # All findings are measured at once: the next finding then costs nothing.
    part = asked.performances(look.run_id, look.sites if by == "site" else (which,), look.study.threshold_set)
    if by == "site":
        part = part[part["label"] == which].reset_index(drop=True)
    base.table(sayings.performance(part, by), "performance", alt=f"Performance, one row a {by}, for {which}")
    with st.container(horizontal=True, wrap=False):
        st.caption(f"{which}. Numbers at a threshold use the chosen set. {look.tail}", width="stretch")
        base.export(part, "performance")


def published(look: Look, points) -> None:
    """Others' figures for the same data sets, beside ours."""
    table = references.beside(look.study.home, look.sites, look.label)
    if table.empty:
        return
    with st.expander(
        f"{words.count(len(table), 'published figure')} of others for {look.label}",
        icon=":material/menu_book:",
    ):
        base.table(
            told.published(table, points), "published", alt=f"Published AUROC of {look.label} beside ours"
        )
        st.caption(
            "Others' figures: their networks, their splits, their labels, mostly without intervals. They say what to "
            "expect; they are no test of ours."
        )


def normal_or_abnormal(look: Look) -> None:
    """One question, two inputs: the image, or the autoencoder's latents."""
    runs = look.study.runs
    heads = {words.TASKS[t]: runs[t] for t in ("normal", "normal-latents") if t in runs}
    table = asked.heads(heads, look.study.home, look.study.sites)
    named = words.listing([f"`{r}`" for r in heads.values()])
    base.show(figures.heads(table, look.study.home), "heads", data=table,
              caption=f"One question, two inputs: the image, or the autoencoder's latents. Runs {named}; "
              "intervals: 95 per cent over patients.", alt=f"AUROC of {words.listing(list(heads))} at each site")  # fmt: skip
    if look.study.home and heads:
        _at_one_point(look, heads)


def _at_one_point(look: Look, heads: dict[str, str]) -> None:
    """A gate in front, or one flat model? Both are cut at the same sensitivity, chosen on home's validation rows."""
    st.subheader("At one operating point", anchor=False)
    aim = st.segmented_control(
        "Cut where home's validation rows reach a sensitivity of", [".80", ".90", ".95"], default=".90", required=True,
        key="aim", bind="query-params",
    )  # fmt: skip
    flat = look.study.runs.get("labels", "")
    table = asked.at_one_point(heads, flat, look.study.home, look.study.sites, float(aim))
    st.markdown(told.at_one_point(table, aim))
    base.table(
        told.point_rows(table),
        "one-point",
        alt="Sensitivity and specificity of gate and flat model, site by site",
    )
    st.caption(
        f"Runs {words.listing([f'`{run}`' for run in (*heads.values(), *filter(None, (flat,)))])}. The findings model as a "
        "gate: its score of No Finding turned round, on the gate's truth and images. Single numbers carry no interval."
    )
    if flat:
        gated.before(heads, flat, aim)
