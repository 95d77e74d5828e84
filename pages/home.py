"""Does it travel?"""

import streamlit as st

from cxrlab.paths import Lab
from cxrlab.ui import choose, doors, frame, overview

with frame.page("Home", "Does a model that works at home still work at another hospital?"):
    lab = Lab.here()
    unfinished = doors.unfinished_studies()
    if not lab.sites() and not lab.run_ids():
        doors.empty_lab()
    for run_id in unfinished[:1]:
        doors.building(run_id)
    if lab.run_ids():
        study = choose.study(quiet=bool(unfinished))
        if study is not None:
            gaps, re_table = overview.tables(study)
            overview.answer(study, gaps, re_table)
            overview.cards(study, gaps, re_table)
            left, right = st.columns([3, 2], gap="large")
            with left:
                overview.matrix(study, gaps)
            with right:
                overview.next_steps(study, gaps, re_table)
        overview.last_runs()
    elif lab.sites():
        overview.sites_without_runs(lab.sites())
