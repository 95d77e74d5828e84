"""What shall we run?"""

import streamlit as st

from cxrlab.paths import Lab
from cxrlab.ui import frame, launching, question_form, sweep_form, will_run


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
            kinds = [launching.STUDY, launching.QUESTION, launching.NETWORK, launching.SWEEP]
            if rerun:
                st.button(
                    "Start from a preset instead", on_click=forget_rerun, key="forget", icon=":material/undo:"
                )
                kinds = launching.kinds_of(rerun)
                st.info(f"Filled in from `{rerun}`. What you change is listed beside the start button.")
            what = st.segmented_control(
                "What",
                kinds,
                default=kinds[0],
                required=True,
                key="what-again" if rerun else "what",
                bind=None if rerun else "query-params",
                label_visibility="collapsed",
                wrap=True,
            )
            base = None
            if what == launching.STUDY:
                wish, base = launching.study_form(sites, rerun)
            elif what == launching.QUESTION:
                wish = question_form.draw(sites)
            elif what == launching.SWEEP:
                wish, base = sweep_form.draw(sites, rerun)
            else:
                wish, base = launching.network_form(sites, rerun)
        with stays, st.container(border=True, key="stays"):
            will_run.draw(wish, base)
