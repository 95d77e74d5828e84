"""A job as it goes: state, bar, rate, time left, and what it is doing.

In:    jobs.Status.
Out:   two lines of a page, drawn anew every two seconds inside a fragment.
Never: a handle on the process; everything comes from the run's folder.
"""

import math

import streamlit as st

from cxrlab.ui import words

EVERY = "2s"


def said(now) -> str:
    """Return what a job does in one line: stage, steps, rate and time left."""
    if now.state == "done" and words.is_known(now.ended - now.started):
        return f"Done, took {words.duration(now.ended - now.started)}."
    if now.state != "running":
        text = now.reason or f"{words.STATES.get(now.state, now.state)}."
        return text[0].upper() + text[1:]  # capitalize() would write names in the reason small
    parts = [now.stage or "starting"]
    if now.of:
        parts.append(f"{now.done:,} of {now.of:,}")
    if words.is_known(now.rate):
        parts.append(rate(now.rate))
    left = seconds_left(now)
    if words.is_known(left):
        parts.append(f"{words.duration(left)} left")
    return " · ".join(parts)


def rate(per_second: float) -> str:
    """Return a speed in the unit that gives a number above one."""
    if per_second >= 1:
        return f"{per_second:,.0f} a second"
    return f"{60 * per_second:,.1f} a minute"


def seconds_left(now) -> float:
    """Return the seconds that the whole job has left where it says so, else those of its stage."""
    whole = now.numbers.get("all_seconds_left", math.nan)
    return whole if words.is_known(whole) else now.seconds_left


def share(now) -> float:
    """Return how far a job is, 0 to 1: of its stage, or of all when it says how long all will take."""
    if now.state == "done":
        return 1.0
    whole = now.numbers.get("all_seconds_left", math.nan)
    if words.is_known(whole) and words.is_known(now.started):
        import time

        took = time.time() - now.started
        return min(1.0, took / (took + whole)) if took + whole > 0 else 0.0
    return min(1.0, now.done / now.of) if now.of else 0.0


def badge(now) -> None:
    """Draw the state."""
    st.badge(now.state, color=words.STATE_COLOURS.get(now.state, "gray"), help=words.STATES.get(now.state))


def bar(now) -> None:
    """Draw the bar with its line. A job that is over shows its line only."""
    if now.is_alive:
        st.progress(share(now), text=said(now))
    else:
        st.caption(said(now))
