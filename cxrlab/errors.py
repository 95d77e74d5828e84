"""The sentences that users meet: what was found, what was expected, what to do.

In:    nothing.
Out:   exception classes; a page, the command line and a job catch `CxrlabError` and show its text.
Never: any other room of this package.
"""

LONGEST = 1200  # characters; a cell or a name that is longer than any sentence is quoted in part


def shown(text: str) -> str:
    r"""Return `text` on one line; what it quotes of a file can neither steer a terminal nor fill a page.

    >>> shown("a.csv has the column 'a\x1b[2J\n\ud800b'; rename it.")
    "a.csv has the column 'a�[2J �b'; rename it."
    """
    text = " ".join(text.split())
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


class CxrlabError(Exception):
    """A condition that the user can mend; its text is one clear sentence with the remedy."""

    def __str__(self) -> str:
        """Return the sentence as `shown`."""
        return shown(super().__str__())


class BadInput(CxrlabError):
    """A raw folder, file or column that cannot be read as what it was said to be."""


class MissingInput(CxrlabError):
    """A file, store, run or checkpoint that is not there."""


class BadStore(CxrlabError):
    """A store that is damaged, of another version, or not to be trusted."""


class BadSpec(CxrlabError):
    """A spec whose fields contradict one another or the data."""


class BadRun(CxrlabError):
    """A run folder in a state that does not allow what was asked."""


class UnknownName(CxrlabError):
    """A name that no registry knows."""


class NoSpace(CxrlabError):
    """The disk is full; nothing was written under a final name."""


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end, and what it waited for was ended first; the text says what is left of that.

    No `except Exception` may swallow it, as Python has it for Ctrl-C.
    """

    def __init__(self, number: int, text: str = "") -> None:
        """Take the signal's number and the sentence."""
        super().__init__(text)
        self.number = number
