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
.st-key-foot {{ margin-top: 2rem; border-top: 1px solid rgba(128, 140, 140, .3); padding-top: .5rem; }}
.st-key-foot p {{ font-size: .8rem; }}
@media (max-width: 640px) {{ [data-testid=stMainBlockContainer] {{ padding-left: 1rem; padding-right: 1rem; }} }}
@media print {{ [data-testid=stSidebar], [data-testid=stHeader] {{ display: none; }} }}
</style>"""


def draw() -> None:
    """Put the style sheet on the page."""
    st.html(CSS)
