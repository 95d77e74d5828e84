"""A click on a mark, acted on once.

In:    the selection of a figure drawn by figures.base.show.
Out:   a callback that makes what the clicked mark carries a choice of this page.
Never: what the click means.
"""

from collections.abc import Callable, Collection

import streamlit as st


def into(key: str, choice: str, allowed: Collection[str], place: int = 0) -> Callable[[], None]:
    """Return a callback for base.show(select=...): what the clicked mark carries becomes `choice`.

    Args:
        key: of the figure.
        choice: key of the widget that holds the choice.
        allowed: what may be chosen; other marks do nothing.
        place: of the choice among the things that a mark carries.
    """

    def clicked() -> None:
        points = st.session_state[key].selection.points
        carried = points[0].get("customdata") if points else None
        if carried is not None and carried[place] in allowed:
            st.session_state[choice] = carried[place]

    return clicked
