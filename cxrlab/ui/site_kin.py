"""What a site shares with others, what it holds twice, and which prepared copies of its images the lab keeps.

In:    open stores; the caches of cxrlab.leaks and cxrlab.variants.
Out:   drawn parts, each pair of copies as two pictures.
Never: comparing many images without being asked: that is a button.
"""

import numpy as np
import pandas as pd
import streamlit as st

from cxrlab import variants as variants_room
from cxrlab.leaks import pairs, survey
from cxrlab.paths import Lab
from cxrlab.ui import cached, frame, strips, words
from cxrlab.ui.figures import base

QUICK = 3_000  # images of both sites together that are compared without being asked
SHOWN = 4  # pairs of copies as pictures


def shared(site: str) -> None:
    """Draw what the site shares with every other site, and what it holds under two patients' names."""
    st.subheader("What it shares with other sites", anchor=False)
    lab = Lab.here()
    others = [name for name in lab.sites() if name != site]
    slow = [name for name in [site, *others] if not _is_quick(lab, site, name)]
    asked = st.session_state.setdefault("compared", set())
    if slow and site not in asked:
        st.caption(f"Not compared image by image yet: {words.listing(slow)}.")
        if st.button(
            "Compare now", key="compare", help="Minutes at a hundred thousand images; kept afterwards."
        ):
            asked.add(site)
            st.rerun()
    names = [name for name in others if name not in slow or site in asked]
    with frame.caught(), st.spinner("Comparing images", show_time=True):
        rows = [survey.between(lab, cached.store(site), cached.store(name)) for name in names]
        here = survey.within(lab, cached.store(site)) if site not in slow or site in asked else None
        _draw_between(rows)
        if here is not None:
            _draw_within(here)


def _is_quick(lab: Lab, site: str, other: str) -> bool:
    a, b = cached.store(site), cached.store(other)
    return pairs.is_there(lab, a, b) or len(a) + len(b) <= QUICK


def _draw_between(rows: list[survey.Between]) -> None:
    if not rows:
        return
    table = pd.DataFrame(
        {
            "site": [row.b for row in rows],
            "known kinship": [row.kin or "none known" for row in rows],
            "patients in both": [
                f"{row.n_patients:,}" if row.patients_comparable else "not comparable" for row in rows
            ],
            "images found here too": [f"{row.n_copies_a:,} of {row.n_a:,}" for row in rows],
            "images found there too": [f"{row.n_copies_b:,} of {row.n_b:,}" for row in rows],
        }
    )
    base.table(table, "shared", alt="What this site shares with each other site", height="content")
    st.caption(
        "Copies are found by fingerprint and pixels; a study refuses such a site as external unless it is allowed."
    )
    for row in rows:
        if row.pairs:
            _pictures(row.a, row.b, [(one, other) for one, other, _ in row.pairs])


def _draw_within(here: survey.Within) -> None:
    if not here.pairs:
        st.caption("No image is held under two patients' names.")
        return
    st.caption(
        f"{words.count(len(here.pairs), 'pair')} of images look the same under two patients' names; "
        f"{here.n_across} of them would fall into different splits, were this home."
    )
    _pictures(here.site, here.site, [(one.image, one.other) for one in here.pairs])


def _pictures(a: str, b: str, named: list[tuple[str, str]]) -> None:
    """Draw the surest pairs side by side."""
    one, other = cached.store(a), cached.store(b)
    shown = named[:SHOWN]
    images, captions = [], []
    for left, right in shown:
        for opened, name in ((one, left), (other, right)):
            row = int(np.flatnonzero(opened.rows["image_id"].to_numpy() == name)[0])
            images.append(strips.squared(opened.image(row), 160))
            captions.append(f"{opened.site}: {name}"[:34])
    st.markdown(f"**{a} and {b}**, {len(shown)} of {words.count(len(named), 'pair')}, the surest first")
    strips.sheet(np.stack(images), captions, captions, 2 * SHOWN, f"pairs-{a}-{b}")


def prepared(site: str) -> None:
    """Draw the prepared copies of this site's images."""
    st.subheader("Prepared copies of its images", anchor=False)
    here = [one for one in variants_room.listed(Lab.here()) if one.site == site]
    if not here:
        st.caption("None. A run that asks for a crop, a contrast or another shape makes one and keeps it.")
        return
    table = pd.DataFrame(
        {
            "what was done": [one.words for one in here],
            "images": [f"{one.n_images:,}" for one in here],
            "disk": [words.size(one.n_bytes) for one in here],
            "lungs not found": [
                words.percent(one.fallback_rate) if words.is_known(one.fallback_rate) else "not sought"
                for one in here
            ],
            "used by": [words.listing(list(one.used_by)) or "no run" for one in here],
            "name": [one.name for one in here],
        }
    )
    base.table(table, "variants", alt=f"Prepared copies of {site}", height="content")
    chosen = st.selectbox("Remove", ["", *(one.name for one in here)], key="variant-rm",
                          format_func=lambda name: name or "none", width=360)  # fmt: skip
    if chosen and st.button(f"Remove {chosen}", key="variant-rm-go", icon=":material/delete:"):
        with frame.caught():
            variants_room.remove(Lab.here(), chosen)
            st.rerun()
