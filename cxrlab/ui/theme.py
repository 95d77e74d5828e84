"""The little CSS that the framework's theme cannot say.

In:    nothing.
Out:   one style element a page.
Never: fonts or pictures from a network; colours that the theme already sets.
"""

import streamlit as st

from cxrlab.ui.words import PANEL

# Figures stand in columns when their digits are equally wide. Radiographs are read on near-black in either theme.
CSS = f"""<style>
.stApp {{ font-variant-numeric: tabular-nums; }}
[data-testid=stMainBlockContainer] {{ max-width: 1500px; padding-left: 2.5rem; padding-right: 2.5rem; }}
[class*="st-key-panel"] {{ background: {PANEL}; border-radius: 6px; padding: 12px; }}
[class*="st-key-panel"] p, [class*="st-key-panel"] [data-testid=stCaptionContainer] {{ color: #D6DEDE; }}
[class*="st-key-panel"] img {{ border-radius: 2px; }}
.st-key-stays {{ position: sticky; top: 4rem; }}
.st-key-foot {{ margin-top: 2rem; border-top: 1px solid rgba(128, 140, 140, .3); padding-top: .5rem; }}
.st-key-foot p {{ font-size: .8rem; }}
@media (max-width: 1300px) {{ .st-key-groups [data-testid=stColumn] {{ min-width: 100%; }} }}
@media (max-width: 640px) {{ [data-testid=stMainBlockContainer] {{ padding-left: 1rem; padding-right: 1rem; }} }}
@media print {{ [data-testid=stSidebar], [data-testid=stHeader] {{ display: none; }} }}
</style>"""

# A wordmark and an icon that need no network: a ribcage of three arcs beside the spine.
ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'%3E"
    "%3Crect width='32' height='32' rx='6' fill='%230B6E75'/%3E%3Cg fill='none' stroke='white' stroke-width='2.4' "
    "stroke-linecap='round'%3E%3Cpath d='M16 5v22M16 9C9 9 7 12 7 15M16 14C9 14 7 17 7 20M16 19c-6 0-8 3-8 5"
    "M16 9c7 0 9 3 9 6M16 14c7 0 9 3 9 6M16 19c6 0 8 3 8 5'/%3E%3C/g%3E%3C/svg%3E"
)
WORDMARK = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 32" height="32" width="150">'
    '<rect width="32" height="32" rx="6" fill="#0B6E75"/><g fill="none" stroke="white" stroke-width="2.4" '
    'stroke-linecap="round"><path d="M16 5v22M16 9C9 9 7 12 7 15M16 14C9 14 7 17 7 20M16 19c-6 0-8 3-8 5'
    'M16 9c7 0 9 3 9 6M16 14c7 0 9 3 9 6M16 19c6 0 8 3 8 5"/></g>'
    '<text x="42" y="23" font-family="sans-serif" font-size="20" font-weight="600" fill="#1B8A92">cxrlab</text></svg>'
)


def draw() -> None:
    """Put the style sheet on the page."""
    st.html(CSS)
