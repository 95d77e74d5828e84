"""A click on a mark, reported once.

In:    the selected points of a figure.
Out:   what the newly clicked mark carries.
Never: what the click means.
"""

import streamlit as st


def fresh(points: list[dict], key: str) -> list | None:
    """Return the customdata of the mark that was clicked since the last run, or None.

    A figure keeps its selection while other widgets change; acting on it again would undo what they say.
    """
    now = [list(p["customdata"]) for p in points if p.get("customdata") is not None]
    before = st.session_state.get(f"{key}-clicked")
    st.session_state[f"{key}-clicked"] = now
    return now[0] if now and now != before else None
