"""What is happening, what came out?"""

import streamlit as st

from cxrlab.ui import frame, run_compare, run_parts

with frame.page("Runs", "What is happening, and what came out?"):
    ids = run_parts.known_runs()
    if said := st.session_state.pop("said", ""):
        st.success(said, icon=":material/check:")
    if refused := st.session_state.pop("said_no", ""):
        st.error(refused, icon=":material/error:")
    if not ids:
        st.info(
            "No run in this lab yet. A run trains one network at home, freezes it, and scores it everywhere."
        )
        with st.container(horizontal=True):
            frame.link("launch", "Launch a run", icon=":material/play_circle:")
            frame.link("home", "Build the demo study", icon=":material/science:")
    else:
        run_parts.live_list()
        chosen = run_parts.chooser(ids)
        if len(chosen) > 1:
            run_compare.draw(chosen)
        else:
            run_parts.detail((chosen or ids)[0])
