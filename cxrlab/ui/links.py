"""Links that set choices which this page holds too.

In:    a page's name, a text, the choices to arrive with.
Out:   ordinary anchors: they can be copied, opened in another tab, and reached by keyboard.
Never: the framework's own page links with choices: it drops a choice that a widget of the present page has bound to the
       URL (streamlit 1.67, `st.page_link(query_params=...)` and `st.switch_page`), so a finding would not travel.
"""

import html
from urllib.parse import urlencode

import streamlit as st

STUDY = ("home", "externals", "cuts")  # the study bar's names in the URL, and every run_<task>
STYLE = "color: var(--st-link-color, #168690); margin-right: 1.2rem; white-space: nowrap;"


def address(page: str, **choices: str) -> str:
    """Return a relative URL of `page` with these choices and those of the study bar."""
    now = st.query_params
    study = {k: now.get_all(k) for k in now if k in STUDY or k.startswith("run_")}
    return f"{page}?{urlencode({**study, **choices}, doseq=True)}"


def draw(before: str, *targets: tuple[str, str]) -> None:
    """Draw one line: a few words, then (text, address) as links."""
    anchors = [
        f'<a style="{STYLE}" href="{html.escape(url)}">{html.escape(text)}</a>' for text, url in targets
    ]
    st.html(
        f'<div style="font-size: .9rem; line-height: 1.9">{html.escape(before)} {" ".join(anchors)}</div>'
    )
