"""What a form needs to know of every plug-in: its name, its own options, one sentence about it.

In:    nothing; each room's choices stand in a file of their own (losses, optimizers, schedules …).
Out:   Choice: title, sentence, options as a frozen value whose fields draw a form; `CHOICES` in each file, by name.
Never: torch, streamlit; what a plug-in does (its own room).
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from cxrlab.errors import BadSpec
from cxrlab.spec import sentences
from cxrlab.spec.parts import Frozen


class NoOptions(Frozen):
    """For a plug-in that has nothing to set."""


@dataclass(frozen=True)
class Choice:
    """One plug-in, as a form sees it."""

    name: str
    title: str
    sentence: str  # what it is for, with its source
    options: type[Frozen] = NoOptions
    warn: str = ""  # what it costs, or when to leave it alone

    def read(self, given: Frozen | Mapping[str, Any] | None = None) -> Frozen:
        """Return the options of plain values; None gives the defaults.

        Raises:
            BadSpec: a value is out of range, unknown, or the options are another plug-in's.
        """
        if isinstance(given, self.options):
            return given
        if isinstance(given, Frozen):
            raise BadSpec(
                f"{self.name!r} was given {type(given).__name__}; expected {self.options.__name__}, its own options."
            )
        try:
            return self.options.model_validate(dict(given or {}))
        except ValidationError as error:
            said = "; ".join(self._sentence(e) for e in error.errors()[:3])
            raise BadSpec(f"{self.name!r}: {said}.") from error

    def _sentence(self, error: Any) -> str:
        where = ".".join(map(str, error["loc"]))
        if error["type"] == "extra_forbidden":
            near = difflib.get_close_matches(where, self.options.model_fields, n=1)
            known = ", ".join(self.options.model_fields) or "none"
            return f"no option named {where!r}, known: {known}" + (
                f"; did you mean {near[0]!r}?" if near else ""
            )
        text = sentences.clause(error)
        return f"{where}: {text}" if where else text
