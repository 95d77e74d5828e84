"""Several readers' words on one image → votes, and evidence by a stated rule.

In:    (R, L) codes of labels.Evidence, one row a reader and image.
Out:   how many readers said positive of each image and label, and what that makes of it.
Never: tables, one particular dataset.
"""

from dataclasses import dataclass

import numpy as np

from cxrlab.errors import BadInput
from cxrlab.labels import Evidence

RULES = ("majority", "any", "all")


@dataclass(frozen=True)
class Readings:
    """Who looked at what.

    image: (R,) which image a reading is of, 0 to n_images - 1.
    consensus: (R,) bool, the reading is what several readers agreed on: one word, no votes.
    least: how many readers looked at every image at least; 0: those that left a reading.
    """

    image: np.ndarray
    consensus: np.ndarray
    n_images: int
    least: int = 0

    def count(self, of: np.ndarray) -> np.ndarray:
        """Return (N, L) int64, in how many readings of each image `of`, (R, L) bool, is true."""
        total = np.zeros((self.n_images, of.shape[1]), np.int64)
        np.add.at(total, self.image, of)
        return total

    @property
    def agreed(self) -> np.ndarray:
        """(N,) bool: images of which there is a consensus alone."""
        return np.bincount(self.image[self.consensus], minlength=self.n_images) > 0

    @property
    def readers(self) -> np.ndarray:
        """(N,) int64: how many readers looked at each image, 0 where only their consensus is known."""
        n = np.bincount(self.image[~self.consensus], minlength=self.n_images)
        return np.where(n > 0, np.maximum(n, self.least), 0)


def check_rule(rule: str) -> str:
    """Return `rule`. Raises BadInput for a word that is none of RULES."""
    if rule not in RULES:
        raise BadInput(f"the option votes is {rule!r}; choose one of {', '.join(RULES)}.")
    return rule


def count(readings: Readings, codes: np.ndarray) -> np.ndarray:
    """Return (N, L) int8, how many readers said positive; -1 where only a consensus is known, or nobody said."""
    said = readings.count(codes != Evidence.NOT_ANNOTATED) > 0
    votes = readings.count(codes == Evidence.POSITIVE)
    return np.where(said & ~readings.agreed[:, None], votes, -1).astype(np.int8)


def decide(readings: Readings, codes: np.ndarray, rule: str, unanimous: np.ndarray) -> np.ndarray:
    """Return (N, L) int8 evidence: POSITIVE where enough readers said so, else UNCERTAIN where enough doubted or said so.

    "majority": more than half of those who looked; "any": one; "all": everyone. Where nobody looked, NOT_ANNOTATED.

    Args:
        readings: whose.
        codes: (R, L).
        rule: one of RULES.
        unanimous: (L,) bool, labels that under "any" need everyone: an image is not normal when one reader saw something.
    """
    looked = np.where(readings.agreed[:, None], 0, readings.least)
    of = readings.count(codes != Evidence.NOT_ANNOTATED)
    out_of = np.where(of > 0, np.maximum(of, looked), 0)
    yes = readings.count(codes == Evidence.POSITIVE)
    doubt = yes + readings.count(codes == Evidence.UNCERTAIN)
    need = {"majority": out_of // 2 + 1, "any": np.where(unanimous, out_of, 1), "all": out_of}[rule]
    evidence = np.full(yes.shape, int(Evidence.NEGATIVE), np.int8)
    evidence[doubt >= need] = Evidence.UNCERTAIN
    evidence[yes >= need] = Evidence.POSITIVE
    evidence[out_of == 0] = Evidence.NOT_ANNOTATED
    return evidence
