"""A site's own words → evidence for our labels, with a ledger.

In:    Said and a LabelMap.
Out:   labels, evidence, and one line a native label that says what became of it.
Never: files, policies: doubtful evidence stays what it is.
"""

from typing import Any

import numpy as np

from cxrlab.labelmap.said import Said
from cxrlab.labelmap.table import LabelMap, Rule
from cxrlab.labels import VOCABULARY, Evidence

# Where several native labels speak of one label, the strongest word counts.
_STRENGTH = (
    Evidence.NOT_ANNOTATED,
    Evidence.NOT_MENTIONED,
    Evidence.NEGATIVE,
    Evidence.UNCERTAIN,
    Evidence.POSITIVE,
)
_RANK = {int(code): rank for rank, code in enumerate(_STRENGTH)}
_SAYS = {"positive": Evidence.POSITIVE, "negative": Evidence.NEGATIVE, "uncertain": Evidence.UNCERTAIN}
_KNOWN = (Evidence.POSITIVE, Evidence.NEGATIVE, Evidence.NOT_MENTIONED)


def harmonise(said: Said, known: LabelMap) -> tuple[tuple[str, ...], np.ndarray]:
    """Return our labels, in the vocabulary's order, and the evidence for them, (N, L) int8.

    Of several native labels that speak of one label the strongest word counts: positive, uncertain, negative, not
    mentioned, not annotated. A label that no native label of this site speaks of is not there.
    """
    ranks: dict[str, np.ndarray] = {}
    for k, native in enumerate(said.natives):
        for rule in known.rules_of(native):
            if rule.label:
                word = _rank(_word(said.codes[:, k], rule))
                ranks[rule.label] = np.maximum(ranks.get(rule.label, word), word)
    labels = tuple(label for label in VOCABULARY if label in ranks)
    codes = np.array([int(code) for code in _STRENGTH], np.int8)
    evidence = np.empty((len(said), len(labels)), np.int8)
    for k, label in enumerate(labels):
        evidence[:, k] = codes[ranks[label]]
    return labels, evidence


def _word(codes: np.ndarray, rule: Rule) -> np.ndarray:
    """Return (N,) int8: what the native label's codes say of the rule's label."""
    if rule.says == "same":
        return codes
    return np.where(codes == Evidence.POSITIVE, int(_SAYS[rule.says]), int(Evidence.NOT_ANNOTATED)).astype(
        np.int8
    )


def _rank(codes: np.ndarray) -> np.ndarray:
    table = np.zeros(256, np.int8)
    for code, rank in _RANK.items():
        table[np.uint8(code & 0xFF)] = rank
    return table[codes.view(np.uint8)]


def ledger(
    said: Said, known: LabelMap, labels: tuple[str, ...], evidence: np.ndarray
) -> tuple[dict[str, Any], ...]:
    """Return one dict a native label and label of ours that it became, the commonest native label first.

    Keys: native; label, "" where it was left out; says; images, those with the native label positive; before, their
    share of the images that say yes or no of the native label; after, the share of images positive for our label among
    those that say yes or no of it; note. Shares are in [0, 1], None where nothing is known.
    """
    after = {label: _share(evidence[:, k]) for k, label in enumerate(labels)}
    lines: list[dict[str, Any]] = []
    for k, native in enumerate(said.natives):
        codes = np.ascontiguousarray(said.codes[:, k])
        n, rules = int((codes == Evidence.POSITIVE).sum()), known.rules_of(native)
        # What is not known of a class in one row is known to be no in no row: classes have no "before" but their share.
        before = _share(codes) if (codes == Evidence.NEGATIVE).any() else n / max(len(codes), 1)
        facts = {"images": n, "before": before}
        if not rules and n:
            lines.append(
                {"native": native, "label": "", "says": "", **facts, "after": None, "note": "not in the map"}
            )
        for rule in rules:
            if n or (rule.label and not native.endswith("*")):
                lines.append({"native": native, "label": rule.label, "says": rule.says, **facts,
                              "after": after.get(rule.label), "note": rule.note})  # fmt: skip
    return tuple(sorted(lines, key=lambda line: -line["images"]))


def _share(codes: np.ndarray) -> float | None:
    known = np.isin(codes, _KNOWN)
    return float((codes[known] == Evidence.POSITIVE).mean()) if known.any() else None
