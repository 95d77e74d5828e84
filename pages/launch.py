"""What shall we run?"""

import streamlit as st

from cxrlab.paths import Lab
from cxrlab.ui import frame, launching


def forget_rerun() -> None:
    del st.query_params["rerun"]


with frame.page("Launch", "What shall we run?"):
    sites = Lab.here().sites()
    rerun = st.query_params.get("rerun", "")
    if not sites:
        st.info("A run needs a site to train on. Import one, or build the demo study on Home.")
        frame.link("sites", "Import a site", icon=":material/dataset:", do=frame.IMPORT)
        frame.link("home", "Build the demo study", icon=":material/science:")
    else:
        form, stays = st.columns([5, 3], gap="large")
        with form:
            if rerun:
                st.button(
                    "Start from a preset instead", on_click=forget_rerun, key="forget", icon=":material/undo:"
                )
                what = launching.NETWORK
            else:
                kinds = [launching.STUDY, launching.NETWORK]
                what = st.segmented_control(
                    "What",
                    kinds,
                    default=launching.STUDY,
                    required=True,
                    key="what",
                    bind="query-params",
                    label_visibility="collapsed",
                )
            base = None
            if what == launching.STUDY:
                wish = launching.study_form(sites)
            else:
                wish, base = launching.network_form(sites, rerun)
        with stays, st.container(border=True, key="stays"):
            launching.will_run(wish, base)
