"""What does each site hold, and what did we do to it?"""

import streamlit as st

from cxrlab.labels import SPACES
from cxrlab.paths import Lab
from cxrlab.ui import (
    cached,
    fetch_form,
    frame,
    import_form,
    marks,
    score_form,
    site_changes,
    site_images,
    site_parts,
)

LOOK, IMPORT = "Look at the sites", import_form.DO
TABS = ("What it holds", "Images", "What we did to it")


def chosen_site(sites: list[str]) -> None:
    site_parts.listing(sites)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        site = st.selectbox("Site", sites, key="site", bind="query-params", width=220)
        others = ["", *(name for name in sites if name != site)]
        beside = st.selectbox(
            "Beside",
            others,
            key="beside",
            bind="query-params",
            width=220,
            format_func=lambda name: name or "no other",
        )
        space = st.selectbox("Labels", ["", *SPACES], key="space", bind="query-params", width=220,
                             format_func=lambda name: name or "those of the site")  # fmt: skip
    cached.store(site)  # a damaged store is one sentence for the whole page
    marks.draw(filter(None, (site, beside)))
    holds, images, changes = st.tabs(TABS, key="about", bind="query-params")
    if holds.open:
        with holds:
            site_parts.holds(site, beside, space)
    if images.open:
        with images:
            site_images.draw(site)
    if changes.open:
        with changes:
            site_changes.draw(site)


with frame.page("Sites", "What does each site hold, and what did we do to it?"):
    names = site_parts.home_first(Lab.here().sites())
    if not names:
        st.info("No site in this lab yet. Import one here, or build the demo study on Home.")
    do = st.segmented_control(
        "Do",
        [LOOK, IMPORT, fetch_form.DO, score_form.DO],
        default=LOOK if names else IMPORT,
        required=True,
        key="do",
        bind="query-params",
        label_visibility="collapsed",
    )
    if do == score_form.DO:
        score_form.draw()
    elif do == fetch_form.DO:
        fetch_form.draw()
    elif do == IMPORT or not names:
        import_form.draw()
    else:
        chosen_site(names)
