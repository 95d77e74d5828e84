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


def address(page: str, **choices: str | list[str]) -> str:
    """Return a relative URL of `page` with these choices and those of the study bar."""
    now = st.query_params
    study = {k: now.get_all(k) for k in now if k in STUDY or k.startswith("run_")}
    here = "./" if page == "home" else page  # the first page has no name in the URL
    return f"{here}?{urlencode({**study, **choices}, doseq=True)}"


def draw(*lines: tuple[str, list[tuple[str, str]]]) -> None:
    """Draw lines of a few words and (text, address) links."""
    said = []
    for before, targets in lines:
        anchors = [
            f'<a style="{STYLE}" href="{html.escape(url)}">{html.escape(text)}</a>' for text, url in targets
        ]
        said.append(f"<div>{html.escape(before)} {' '.join(anchors)}</div>")
    st.html(f'<div style="font-size: .9rem; line-height: 1.9">{"".join(said)}</div>')


def failures(sites: list[str], label: str, names: tuple[str, ...] = ()) -> None:
    """Draw links to the missed images and the false alarms of a label at each of `sites`, if there are any.

    Args:
        sites: that have maps.
        label: finding.
        names: of the links, one a site; the sites' own names without it.
    """
    if sites:
        draw(
            *(
                (
                    f"See the {group}:",
                    [
                        (name, address("heatmaps", site=site, label=label, group=group))
                        for site, name in zip(sites, names or sites, strict=True)
                    ],
                )
                for group in ("missed", "false alarms")
            )
        )
