"""What every page has: title, question, badges, one sentence for what the user can mend, and the foot.

In:    a page's title and question.
Out:   a `with` block that a page draws itself in.
Never: a number; any exception but CxrlabError is a bug and shows its traceback.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError

import cxrlab
from cxrlab.errors import BadRun, BadSpec, BadStore, CxrlabError, MissingInput, NoSpace
from cxrlab.paths import Lab
from cxrlab.ui import links, theme

IMPORT = "Import a site"  # what the switch on Sites says, and so what a link to it says
PLANTED = "A copy whose pictures were changed on purpose, by a known dose."
NOTICE = "For research and teaching; not for clinical use."

# (group, page, title, icon); a page whose file is not there yet is left out of the navigation.
PAGES = (
    ("", "home", "Home", ":material/home:"),
    ("Data", "sites", "Sites", ":material/dataset:"),
    ("Run", "launch", "Launch", ":material/play_circle:"),
    ("Run", "runs", "Runs", ":material/list_alt:"),
    ("Compare", "generalization", "Generalization", ":material/compare_arrows:"),
    ("Compare", "thresholds", "Thresholds", ":material/tune:"),
    ("Understand", "shift", "Shift", ":material/ssid_chart:"),
    ("Understand", "heatmaps", "Heatmaps", ":material/center_focus_strong:"),
    ("Understand", "reader", "Reader", ":material/radiology:"),
    ("Present", "report", "Report", ":material/slideshow:"),
)
INSIDE = "inside-the-app"  # app.py says so
ROOT = Path(__file__).parents[2]


def navigation() -> st.Page:
    """Name the pages that are there, in their groups, and return the one that was asked for."""
    # Before st.navigation, which else fetches the page's icon from a network to make it the tab's.
    st.set_page_config(page_title="cxrlab", page_icon=theme.ICON, layout="wide", initial_sidebar_state=230)
    groups: dict[str, list] = {}
    for group, name, title, icon in PAGES:
        path = ROOT / "pages" / f"{name}.py"
        if path.exists():
            shown = st.Page(path, title=title, icon=icon, url_path=name, default=name == "home")
            groups.setdefault(group, []).append(shown)
    return st.navigation(groups)


@contextlib.contextmanager
def page(title: str, question: str) -> Iterator[None]:
    """Draw title and question, then the block, then the foot. A CxrlabError ends the block as one sentence."""
    _leave_the_old_way()
    theme.draw()
    st.title(title, anchor=False)
    st.markdown(question)
    try:
        with caught():
            yield
    finally:
        foot()


def _leave_the_old_way() -> None:
    """Run again, once, when this page was not reached through app.py.

    The first session of a server that is opened on a page's own address is run by Streamlit from the folder pages/,
    without app.py. Naming our pages once ends that for the whole server, and the same address goes through app.py.
    """
    if not st.session_state.get(INSIDE) and not st.session_state.get("ran-again"):
        st.session_state["ran-again"] = True
        navigation()
        st.rerun()


@contextlib.contextmanager
def caught() -> Iterator[None]:
    """Show a CxrlabError as its sentence with the door to what mends it. Fragments need their own."""
    try:
        yield
    except CxrlabError as error:
        st.error(str(error), icon=":material/error:")
        remedy(error)


def remedy(error: CxrlabError) -> None:
    """Offer the page where `error` can be mended."""
    if isinstance(error, BadStore | MissingInput):
        link("sites", "Open Sites to import or check a site")
    elif isinstance(error, BadSpec):
        link("launch", "Open Launch to change the spec")
    elif isinstance(error, BadRun | NoSpace):
        link("runs", "Open Runs to resume or remove runs")


def badges(
    *,
    synthetic: bool = False,
    oracle: bool = False,
    cannot_say: bool = False,
    overlap: tuple[str, ...] = (),
    planted: Mapping[str, str] | None = None,
) -> None:
    """Draw the badges that hold for the whole page.

    `overlap`: why sites called external are not new to home; `planted`: site → the mark of a copy under a planted shift.
    """
    if not (synthetic or oracle or cannot_say or overlap or planted):
        return
    with st.container(horizontal=True, gap="small"):
        if synthetic:
            st.badge("synthetic", color="violet", help="Drawn images, not patients: numbers show the method.")
        for site, mark in (planted or {}).items():
            st.badge(f"{site}: {mark}", color="violet", help=PLANTED)
        if overlap:
            st.badge(
                "overlapping sites allowed",
                color="red",
                help=f"Not all external sites are new to home. {' '.join(overlap)}",
            )
        if oracle:
            st.badge("oracle", color="orange", help="Chosen with an external site's labels.")
        if cannot_say:
            st.badge("cannot say", color="gray", help="Too few positive or negative patients for a verdict.")


def link(page_name: str, text: str, /, *, icon: str | None = None, **query: str | list[str]) -> None:
    """Draw a link to another page with its choices set; choices in the study bar travel by themselves."""
    if query:  # a page link drops choices once anything is bound to the URL; links says more
        links.draw(("", [(text, links.address(page_name, **query))]))
        return
    try:
        st.page_link(f"pages/{page_name}.py", label=text, icon=icon)
    except StreamlitPageNotFoundError:  # a page that this version lacks, or a page run alone in a test
        st.caption(text)


def go(page_name: str, /, **query: str | list[str]) -> None:
    """Leave for another page with its choices set; called when a cell, bar or point was clicked."""
    st.switch_page(f"pages/{page_name}.py", query_params=query or None)


def foot() -> None:
    """Draw the notice, the lab folder and the version."""
    with st.container(key="foot"):
        st.caption(f"{NOTICE} Lab folder `{Lab.here().root}`. cxrlab {cxrlab.__version__}.")
