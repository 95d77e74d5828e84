"""What must stand beside any result of a site: drawn images, pictures changed on purpose, sites that are not new.

In:    names of sites.
Out:   badges, the same wherever results of these sites are shown.
Never: results; a page's own wording of these marks.
"""

from collections.abc import Iterable

import streamlit as st

from cxrlab import planted
from cxrlab.errors import CxrlabError
from cxrlab.ui import cached, frame


def headers_of(sites: Iterable[str]) -> dict:
    """Return site → header (store.Header) of those sites whose store can be read."""
    found = {}
    for site in dict.fromkeys(sites):
        try:
            found[site] = cached.store(site).header
        except (
            CxrlabError
        ):  # scores from elsewhere have no store; Sites says what is wrong with a damaged one
            continue
    return found


def planted_of(sites: Iterable[str]) -> dict[str, str]:
    """Return site → its mark, of those whose pictures were changed on purpose."""
    marks = {site: planted.mark_of(header) for site, header in headers_of(sites).items()}
    return {site: mark for site, mark in marks.items() if mark}


def draw(sites: Iterable[str], *, synthetic: bool = False, overlap: tuple[str, ...] = ()) -> None:
    """Draw the badges of all that is said of these sites.

    Args:
        sites: whose results are on the screen.
        synthetic: scores of drawn images are among them, whatever their stores say (a store may be gone).
        overlap: why sites called external are not new to home.
    """
    sites = list(sites)
    synthetic = synthetic or any(header.synthetic for header in headers_of(sites).values())
    frame.badges(synthetic=synthetic, overlap=overlap, planted=planted_of(sites))


def of_site(site: str) -> None:
    """Draw the mark of one site beside its own results; nothing for a site as it came."""
    if mark := planted_of([site]).get(site, ""):
        st.badge(mark, color="violet", help=frame.PLANTED)
