"""Numbers, verdicts and colours as a reader meets them, the same on every page.

In:    values.
Out:   short texts and colour codes.
Never: streamlit, files, arithmetic beyond rounding.
"""

import math
from collections.abc import Iterable, Sequence

from cxrlab import files, report

size = files.size_in_words  # as the command line says it

ACCENT = "#0B6E75"
PANEL = "#0B0F14"  # behind every radiograph, in both themes
GREY = "#7A7A7A"
# Okabe and Ito's colour-blind-safe palette without its yellow and black; home is always the first.
SITE_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7A7A7A")

WORSE, BETTER, NO_GAP, CANNOT_SAY = "worse", "better", "no gap", "cannot say"
VERDICTS = (WORSE, BETTER, NO_GAP, CANNOT_SAY)
VERDICT_COLOURS = {WORSE: "#D55E00", BETTER: "#0072B2", NO_GAP: "#7A7A7A", CANNOT_SAY: "#7A7A7A"}
# Never colour alone: each verdict has its own sign, in tables, cells and on points.
VERDICT_SIGNS = {WORSE: "▼", BETTER: "▲", NO_GAP: "=", CANNOT_SAY: "?"}
# Plotly's symbols; the hollow one is "cannot say".
VERDICT_SYMBOLS = {
    WORSE: "triangle-down",
    BETTER: "triangle-up",
    NO_GAP: "circle",
    CANNOT_SAY: "circle-open",
}
BADGE_COLOURS = {WORSE: "orange", BETTER: "blue", NO_GAP: "gray", CANNOT_SAY: "gray"}

STATES = {
    "queued": "waiting for a free slot",
    "running": "running",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "lost": "lost: its process is gone; it can be resumed",
}
STATE_COLOURS = {
    "queued": "gray",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "cancelled": "gray",
    "lost": "orange",
}
TASKS = {
    "labels": "findings",
    "autoencoder": "reconstruction",
    "normal": "normal or abnormal",
    "normal-latents": "normal or abnormal, on latents",
    "moco": "pretraining",
}


def site_colours(home: str, sites: Iterable[str]) -> dict[str, str]:
    """Return a colour a site: home has the first, the others follow in the order given.

    >>> site_colours("a", ["b", "a"])
    {'a': '#0072B2', 'b': '#E69F00'}
    """
    order = [home, *(site for site in sites if site != home)]
    return {site: SITE_COLOURS[min(i, len(SITE_COLOURS) - 1)] for i, site in enumerate(order)}


def is_known(value: float | None) -> bool:
    """Return whether there is a number."""
    return value is not None and not math.isnan(value)


def undefined(reason: str = "") -> str:
    """Say that there is no number, and why.

    >>> undefined("no positive images")
    'undefined (no positive images)'
    """
    return f"undefined ({reason})" if reason else "undefined"


def number(value: float | None, places: int = 2, reason: str = "") -> str:
    """Return a fraction as radiology prints it, without the leading zero.

    >>> number(0.874), number(-0.051), number(1.0), number(float("nan"), reason="one class only")
    ('.87', '−.05', '1.0', 'undefined (one class only)')
    """
    return report.number(value, places) if is_known(value) else undefined(reason)


def interval(value: float | None, low: float, high: float, reason: str = "", places: int = 2) -> str:
    """Return a number with its interval in brackets.

    >>> interval(0.87, 0.82, 0.91), interval(float("nan"), 0, 0, "no negative images")
    ('.87 [.82, .91]', 'undefined (no negative images)')
    """
    if not is_known(value):
        return undefined(reason)
    if not is_known(low) or not is_known(high):
        return f"{number(value, places)} [no interval]"
    return f"{number(value, places)} [{number(low, places)}, {number(high, places)}]"


def signed(value: float | None, places: int = 2, reason: str = "") -> str:
    """Return a difference with its sign.

    >>> signed(0.12), signed(-0.12)
    ('+.12', '−.12')
    """
    text = number(value, places, reason)
    return f"+{text}" if is_known(value) and value > 0 else text


def verdict(word: str) -> str:
    """Return a verdict with its sign.

    >>> verdict("worse")
    '▼ worse'
    """
    return f"{VERDICT_SIGNS.get(word, '?')} {word}"


def percent(fraction: float | None, places: int = 0, reason: str = "") -> str:
    """Return a fraction as per cent.

    >>> percent(0.123, 1)
    '12.3 %'
    """
    return f"{100 * fraction:.{places}f} %" if is_known(fraction) else undefined(reason)


def count(n: float, noun: str = "", plural: str = "") -> str:
    """Return a whole number with thin groups, and its noun.

    >>> count(11695, "image"), count(1, "image"), count(3, "study", "studies")
    ('11,695 images', '1 image', '3 studies')
    """
    text = f"{int(n):,}"
    if not noun:
        return text
    return f"{text} {noun if n == 1 else plural or noun + 's'}"


def duration(seconds: float | None) -> str:
    """Return a time that a person can plan with.

    >>> duration(4.2), duration(95), duration(4000), duration(float("nan"))
    ('4 s', '2 min', '1 h 07 min', 'unknown time')
    """
    if not is_known(seconds):
        return "unknown time"
    if seconds < 60:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def listing(names: Sequence[str]) -> str:
    """Return names as a sentence lists them.

    >>> listing(["a"]), listing(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    names = list(names)
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def legend() -> str:
    """Return what the verdicts' signs mean."""
    return ", ".join(f"{sign} {word}" for word, sign in VERDICT_SIGNS.items())
