"""What the sites hold: their list, and one site's counts, ages, evidence and prevalence beside another's.

In:    open stores and the tables of site_facts.
Out:   drawn parts.
Never: counting: that is site_facts' business.
"""

import pandas as pd
import streamlit as st

from cxrlab import planted
from cxrlab.errors import CxrlabError
from cxrlab.facts import site_facts
from cxrlab.labels import SPACES
from cxrlab.paths import Lab
from cxrlab.ui import cached, choose, words
from cxrlab.ui.figures import base

COUNTS = {
    "n_images": "Images",
    "n_patients": "Patients",
    "images_per_patient": "Images a patient",
    "n_quarantined": "Left out (quarantine)",
    "n_labels": "Labels",
    "age_median": "Age, median (years)",
    "age_low": "Age, lower quartile",
    "age_high": "Age, upper quartile",
    "age_known": "Age known",
    "female": "Female, of known",
    "male": "Male, of known",
    "sex_known": "Sex known",
}


def home_first(sites: list[str]) -> list[str]:
    """Return the sites with the study bar's home first: the one that all others are held against."""
    homes = [home for home in choose.homes(choose.train_runs()) if home in sites]
    home = st.session_state.get("home") if st.session_state.get("home") in sites else next(iter(homes), None)
    return sites if home is None else [home, *(site for site in sites if site != home)]


def listing(sites: list[str]) -> None:
    """Draw the sites of the lab, one row each; a click chooses."""
    rows, damaged = [], []
    for site in sites:
        try:
            read = cached.store(site)
        except CxrlabError as error:
            damaged.append(str(error))
            continue
        facts = summary(site)
        rows.append(
            {
                "site": site,
                "title": read.header.title,
                "images": facts.n_images,
                "patients": facts.n_patients,
                "median age": f"{facts.age_median:.0f}" if words.is_known(facts.age_median) else "not said",
                "labels": facts.n_labels,
                "left out": facts.n_quarantined,
                "kind": kind_of(read.header),
                "disk": words.size(read.path.stat().st_size),
            }
        )
    for sentence in damaged:
        st.error(sentence, icon=":material/error:")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        key="site-list",
        on_select=_choose_row,
        selection_mode="single-row",
        alt="The sites of this lab with their counts",
        column_config={"title": st.column_config.TextColumn("title", width="large")},
    )


def kind_of(header) -> str:
    """Return what a site's pictures are, in words."""
    said = "synthetic" if header.synthetic else "radiographs"
    return ", ".join(filter(None, (said, planted.mark_of(header))))


def _choose_row() -> None:
    chosen, sites = st.session_state["site-list"].selection.rows, home_first(Lab.here().sites())
    if chosen and chosen[0] < len(sites):
        st.session_state["site"] = sites[chosen[0]]


@st.cache_data(max_entries=64, show_spinner=False)
def _summary(key: cached.Stamp, site: str) -> site_facts.Summary:
    return site_facts.summary(cached.store(site))


def summary(site: str) -> site_facts.Summary:
    """Return a site's counts."""
    return _summary(cached.stamp(Lab.here().store(site)), site)


def colours() -> dict[str, str]:
    """Return the sites' colours: home, as the study bar has it, is the first."""
    sites = home_first(Lab.here().sites())
    return words.site_colours(sites[0], sites)


def counts(site: str, beside: str) -> None:
    """Draw the counts of a site, and of the one beside it, in one table."""
    table = site_facts.compare([summary(name) for name in filter(None, (site, beside))])
    worded = table.apply(
        lambda row: [_worded(row.name, value) for value in row], axis=1, result_type="expand"
    )
    worded.columns = table.columns
    worded.insert(0, "fact", [COUNTS.get(name, name.replace("view ", "View ")) for name in table.index])
    base.table(worded, "counts", alt="Counts and demographics", height="content")


def _worded(fact: str, value: float) -> str:
    if fact.startswith("n_"):
        return words.count(value)
    if fact.startswith("age_") and fact != "age_known":
        return f"{value:.0f}" if words.is_known(value) else words.undefined("no ages")
    if fact == "images_per_patient":
        return f"{value:.1f}"
    return words.percent(value, reason="not said")


def holds(site: str, beside: str, space: str) -> None:
    """Draw counts, ages, sexes and views, evidence, prevalence and co-occurrence, beside another site where one is named."""
    names = [name for name in (site, beside) if name]
    labels = SPACES.get(space) or tuple(
        dict.fromkeys(label for name in names for label in cached.store(name).header.labels)
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Counts", anchor=False)
        counts(site, beside)
    with right:
        ages(names)
        kinds(names)
    st.subheader("How common", anchor=False)
    prevalence(names, labels)
    for place, name in zip(
        st.columns(len(names), gap="large") if beside else [st.container()], names, strict=True
    ):
        with place:
            said = f"{name}: {words.count(len(cached.store(name)), 'image')}"
            evidence(name, labels, said, chosen=name == site)
            together(name, labels, said)


def ages(names: list[str]) -> None:
    """Draw the ages of the sites beside one another."""
    from cxrlab.ui.figures import sites as figures

    st.subheader("Ages", anchor=False)
    silent = [name for name in names if not summary(name).age_known]
    tables = [site_facts.ages(cached.store(name)) for name in names if name not in silent]
    if silent:
        base.empty(f"{words.listing(silent)} gives no ages.")
    if not tables:
        return
    base.show(
        figures.shares(tables, colours(), "band", "age, years", 260),
        "ages",
        data=pd.concat(tables),
        caption=f"{words.listing([name for name in names if name not in silent])}; images with a known age.",
        alt="Share of images by age band and site",
    )


def kinds(names: list[str]) -> None:
    """Draw sexes and views beside one another."""
    from cxrlab.ui.figures import sites as figures

    for place, column in zip(st.columns(2), ("sex", "view"), strict=True):
        tables = [site_facts.shares(cached.store(name), column) for name in names]
        with place:
            st.subheader({"sex": "Sex", "view": "View"}[column], anchor=False)
            base.show(
                figures.shares(tables, colours(), "value", column, 220),
                f"{column}-shares",
                data=pd.concat(tables),
                caption=f"{words.listing(names)}; all images.",
                alt=f"Share of images by {column} and site",
            )


def evidence(site: str, labels: tuple[str, ...], said: str, *, chosen: bool) -> None:
    """Draw what the labeller said of each label; a click opens the images of the chosen site."""
    from cxrlab.ui.figures import sites as figures

    st.subheader(f"What the labeller said at {site}", anchor=False)
    table = site_facts.evidence_counts(cached.store(site), labels)
    base.show(
        figures.evidence(table),
        "evidence-bars" if chosen else "evidence-bars-beside",
        data=table,
        caption=f"{said}." + (" Click a part to see its images." if chosen else ""),
        alt=f"Evidence a label at {site}: positive, negative, uncertain, not mentioned, not annotated",
        select=_open_images if chosen else None,
    )


def prevalence(names: list[str], labels: tuple[str, ...]) -> None:
    """Draw how common each label is, with intervals over patients."""
    from cxrlab.ui.figures import sites as figures

    tables = {name: site_facts.prevalence(cached.store(name), labels) for name in names}
    base.show(
        figures.prevalence(tables, colours()),
        "prevalence",
        data=pd.concat([table.assign(site=name) for name, table in tables.items()]),
        caption=f"{words.listing(names)}; unmentioned counts as negative, uncertain is left out; intervals over "
        "patients (Wilson at the effective number of patients).",
        alt="Prevalence of each label with its interval, by site",
    )


def together(site: str, labels: tuple[str, ...], said: str) -> None:
    """Draw which labels come together, among those that the site annotates."""
    from cxrlab.ui.figures import sites as figures

    st.subheader(f"Labels that come together at {site}", anchor=False)
    here = tuple(label for label in labels if label in cached.store(site).header.labels)
    if len(here) < 2:
        base.empty(f"{site} annotates {len(here)} of these labels; two are needed.")
        return
    table = site_facts.cooccurrence(cached.store(site), here)
    base.show(
        figures.cooccurrence(table),
        f"together-{site}",
        data=table,
        caption=f"{said}. Of the images positive for the row's label, the share also positive for the column's; "
        "images that do not say are left out.",
        alt=f"Matrix of labels that come together at {site}",
    )


def _open_images() -> None:
    points = st.session_state["evidence-bars"].selection.points
    if points:
        label, word = points[0]["customdata"][:2]
        st.session_state.update({"label": label, "evidence": word, "about": "Images", "leaf": 1})
        # Widgets that are not on the page now do not write the URL when they appear with a value.
        st.query_params.update({"label": label, "evidence": word})
