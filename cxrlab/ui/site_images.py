"""The image browser of one site: filters, a contact sheet, pages.

In:    an open store and what a person asks for.
Out:   drawn images; the choices stand in the URL.
Never: counting: that is site_facts' business.
"""

import numpy as np
import streamlit as st

from cxrlab.facts import site_facts
from cxrlab.paths import Lab
from cxrlab.ui import cached, strips, words

A_PAGE = 24  # images
COLUMNS = 8
EVIDENCE = list(site_facts.EVIDENCE_WORDS.values())
FEWEST_OF_A_FACT, MOST_OF_A_FACT = 2, 40  # values that a choice can offer


@st.cache_resource(max_entries=16, show_spinner=False)
def _splits(key: cached.Stamp, site: str) -> np.ndarray:
    # A hash a patient: a tenth of a second at a hundred thousand images, too long for every click.
    return site_facts.splits(cached.store(site))


@st.cache_resource(max_entries=16, show_spinner=False)
def _choices(key: cached.Stamp, site: str) -> dict[str, list[str]]:
    """Return column or fact → its values, commonest first, of those that a choice can offer."""
    read = cached.store(site)
    found = {
        name: list(site_facts.shares(read, name)["value"])
        for name in ("sex", "view")
        if read.rows[name].nunique() > 1
    }
    for name in read.facts:
        values = read.facts[name].value_counts().index.to_list()
        if FEWEST_OF_A_FACT <= len(values) <= MOST_OF_A_FACT:
            found[f"fact:{name}"] = values
    return found


def wanted_of(site: str) -> site_facts.Wanted:
    """Draw the filters and return what they say."""
    read = cached.store(site)
    choices = _choices(cached.stamp(Lab.here().store(site)), site)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = _one_of("Label", list(read.header.labels), "label", 220)
        word = st.selectbox(
            "Evidence", EVIDENCE, key="evidence", bind="query-params", width=180, disabled=not label
        )
        split = st.segmented_control(
            "Split, were this home", ["train", "val", "test"], key="split", bind="query-params"
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        sex = _one_of("Sex", choices["sex"], "sex", 120) if "sex" in choices else ""
        view = _one_of("View", choices["view"], "view", 140) if "view" in choices else ""
        fact = _fact(choices)
        age = _age(read)
        said = st.text_input(
            "Contains", key="said", bind="query-params", width=220, placeholder="image, patient or own label",
            help="A part of the image's or patient's name, or of the site's own label.",
        )  # fmt: skip
    return site_facts.Wanted(label, word if label else "", split or "", sex, view, age, said.strip(), fact)


def _one_of(title: str, options: list[str], key: str, width: int) -> str:
    return st.selectbox(
        title,
        ["", *options],
        key=key,
        bind="query-params",
        width=width,
        format_func=lambda name: name or "any",
    )


def _fact(choices: dict[str, list[str]]) -> tuple[str, str] | None:
    names = [name.removeprefix("fact:") for name in choices if name.startswith("fact:")]
    if not names:
        return None
    pairs = [f"{name}: {value or 'not said'}" for name in names for value in choices[f"fact:{name}"]]
    chosen = _one_of("Further facts", pairs, "fact", 220)
    if not chosen:
        return None
    name, _, value = chosen.partition(": ")
    return name, "" if value == "not said" else value


def _age(read) -> tuple[float, float] | None:
    known = read.rows["age_years"].dropna()
    if known.nunique() < 2:
        return None
    low, high = int(known.min()), int(np.ceil(known.max()))
    asked = st.slider("Age, years", low, high, (low, high), key="ages", bind="query-params", width=220)
    return None if asked == (low, high) else (float(asked[0]), float(asked[1]))


def draw(site: str) -> None:
    """Draw the filters and a page of the images that fit them."""
    read, wanted = cached.store(site), wanted_of(site)
    split = _splits(cached.stamp(Lab.here().store(site)), site) if wanted.split else None
    rows = site_facts.find(read, wanted, split)
    if not len(rows):
        st.info(f"No image of {site} fits {_worded(wanted)}. Widen a filter to see some.")
        return
    n_pages = -(-len(rows) // A_PAGE)
    leaf = st.pagination(n_pages, key="leaf", bind="query-params") if n_pages > 1 else 1
    shown = rows[(min(leaf, n_pages) - 1) * A_PAGE :][:A_PAGE]
    strips.sheet(
        read.images(shown),
        [caption_of(read, row) for row in shown],
        [f"Radiograph {read.rows['image_id'][row]} of {site}: {said_of(read, row)}" for row in shown],
        COLUMNS,
        "browser",
    )
    st.caption(f"{words.count(len(rows), 'image')} of {len(read):,} at {site}.")


def _worded(wanted: site_facts.Wanted) -> str:
    """Return the filters that are set, in words."""
    age = f"{wanted.age[0]:.0f} to {wanted.age[1]:.0f} years" if wanted.age else ""
    fact = f"{wanted.fact[0]} {wanted.fact[1] or 'not said'}" if wanted.fact else ""
    said = f"“{wanted.said}”" if wanted.said else ""
    label = f"{wanted.evidence} for {wanted.label}" if wanted.label else ""
    return (
        ", ".join(filter(None, (label, wanted.split, wanted.sex, wanted.view, fact, age, said)))
        or "these filters"
    )


def said_of(read, row: int) -> str:
    """Return what is positive on an image, in words."""
    return ", ".join(site_facts.positives_of(read, row)) or "nothing positive"


def caption_of(read, row: int) -> str:
    """Return age, sex and view in one short line."""
    facts = read.rows.iloc[row]
    age = f"{facts['age_years']:.0f} y" if words.is_known(facts["age_years"]) else ""
    return " ".join(filter(None, (age, facts["sex"], facts["view"]))) or facts["image_id"]
