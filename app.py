"""The list of pages; nothing else."""

import streamlit as st

from cxrlab.ui import frame, theme

shown = frame.navigation()
st.logo(theme.WORDMARK, size="large")
st.session_state[frame.INSIDE] = True
shown.run()
