"""The list of pages; nothing else."""

import streamlit as st

from cxrlab.ui import frame, theme

st.set_page_config(page_title="cxrlab", page_icon=theme.ICON, layout="wide", initial_sidebar_state=230)
st.logo(theme.WORDMARK, size="large")
groups: dict[str, list] = {}
for group, name, title, icon in frame.PAGES:
    if (frame.ROOT / "pages" / f"{name}.py").exists():
        shown = st.Page(f"pages/{name}.py", title=title, icon=icon, url_path=name, default=name == "home")
        groups.setdefault(group, []).append(shown)
st.navigation(groups).run()
