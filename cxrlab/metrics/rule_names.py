"""The rules that can choose a threshold, by name.

In:    nothing.
Out:   Rule, a frozen value with a name that a file can hold.
Never: arithmetic (metrics.choosing and metrics.rules do it); a compiler, for which no page should wait to open.
"""

from dataclasses import dataclass

MAX_F1, YOUDEN, SENSITIVITY, SPECIFICITY = "max-f1", "youden", "sensitivity", "specificity"
COST, PREVALENCE = "cost", "prevalence"
KINDS = (MAX_F1, YOUDEN, SENSITIVITY, SPECIFICITY, COST, PREVALENCE)
AIMED = (SENSITIVITY, SPECIFICITY, COST)


@dataclass(frozen=True)
class Rule:
    """A rule. `value`: the sensitivity or specificity aimed at, or how many false alarms one miss is worth; else 0.

    >>> str(Rule("youden")), str(Rule("sensitivity", 0.95)), str(Rule("cost", 10))
    ('youden', 'sensitivity 0.95', 'cost 10:1')
    """

    kind: str
    value: float = 0.0

    def __str__(self) -> str:
        if self.kind == COST:
            return f"{self.kind} {self.value:g}:1"
        return f"{self.kind} {self.value:g}" if self.kind in AIMED else self.kind

    @classmethod
    def parse(cls, text: str) -> "Rule | None":
        """Return the rule that `str` wrote, or None for any other text, such as "by hand".

        >>> Rule.parse("cost 10:1"), Rule.parse("by hand")
        (Rule(kind='cost', value=10.0), None)
        """
        kind, _, value = text.partition(" ")
        try:
            made = cls(kind, float(value.removesuffix(":1"))) if kind in AIMED else cls(kind)
        except ValueError:
            return None
        return made if kind in KINDS and str(made) == text else None
