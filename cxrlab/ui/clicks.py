"""A click on a mark, acted on once.

In:    the selection of a figure drawn by figures.base.show.
Out:   what the newly clicked mark carries, or a callback that makes it a choice.
Never: what the click means.
"""

from collections.abc import Callable, Collection

import streamlit as st


def into(key: str, choice: str, allowed: Collection[str]) -> Callable[[], None]:
    """Return a callback for base.show(select=...): the first thing that the clicked mark carries becomes `choice`.

    Args:
        key: of the figure.
        choice: key of the widget that holds the choice.
        allowed: what may be chosen; other marks do nothing.
    """

    def clicked() -> None:
        points = st.session_state[key].selection.points
        carried = points[0].get("customdata") if points else None
        if carried is not None and carried[0] in allowed:
            st.session_state[choice] = carried[0]

    return clicked


def fresh(points: list[dict], key: str) -> list | None:
    """Return what the mark carries that was clicked since the last run, or None.

    A figure keeps its selection while other widgets change; acting on it again would undo what they say.
    """
    now = [list(p["customdata"]) for p in points if p.get("customdata") is not None]
    before = st.session_state.get(f"{key}-clicked")
    st.session_state[f"{key}-clicked"] = now
    return now[0] if now and now != before else None
