"""Where a form begins: a home that can teach something, and the sites that are new to it, as far as can be told at once.

In:    the lab's sites.
Out:   a home; the sites that share no image or patient with it; a line that names the others.
Never: a verdict: the guard speaks again when a run is asked for.
"""

import streamlit as st

from cxrlab.errors import CxrlabError
from cxrlab.paths import Lab
from cxrlab.ui import cached, choose, marks, words


def first_home(sites: list[str]) -> str:
    """Return the home of the newest study or run; before any, the site that teaches the most labels, planted copies last."""
    known = next((home for home in choose.homes(choose.train_runs()) if home in sites), "")
    return known or max(sites, key=_teaches)


def _teaches(site: str) -> tuple[bool, int, int]:
    try:
        return not marks.planted_of([site]), len(cached.learnable(site)), len(cached.store(site))
    except CxrlabError:  # Sites says what is wrong with it
        return False, 0, 0


def of(home: str, sites: list[str]) -> list[str]:
    """Return those of `sites` that share no image or patient with home, as far as can be told at once: where a form begins."""
    lab = Lab.here()
    others = [site for site in sites if site != home]
    return [site for site in others if _is_new(str(lab.root), home, site, cached.store_stamps((home, site)))]


@st.cache_data(max_entries=512, show_spinner=False)
def _is_new(root: str, home: str, site: str, stores: tuple[cached.Stamp, ...]) -> bool:
    from cxrlab.leaks import guard

    try:
        found = guard.overlaps(Lab.here(), (home,), (site,), wait=False, opened=cached.store)
    except CxrlabError:  # the form says what is wrong with a site once it is chosen
        return True
    return not any(one.is_fatal for one in found)


def say_known(home: str, sites: list[str]) -> None:
    """Say which sites a form did not begin with, and why."""
    known = [site for site in sites if site != home and site not in of(home, sites)]
    if known:
        names = words.listing([f"*{site}*" for site in known])
        st.caption(f"Not among the external sites at first: {names}, not new to *{home}*. Sites says why.")
