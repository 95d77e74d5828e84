"""How many training images of each home a run may see, and which.

In:    strategy.images and strategy.shares; each home's training rows with their patients.
Out:   a mask a home; one sentence where a home has too few.
Never: validation rows (they stay as they are), labels, torch.

Patients come in an order that hangs on seed, site and patient alone, and whole: with one seed, a smaller budget is part
of every larger one.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from cxrlab.errors import BadSpec
from cxrlab.spec import StrategySpec


def asked(how: StrategySpec, available: Mapping[str, int]) -> dict[str, int]:
    """Return home site → images that it may give at most.

    Args:
        how: images > 0.
        available: home site → its usable training images.

    Raises:
        BadSpec: a home has fewer than it is to give.
    """
    total = sum(available.values())
    shares = how.shares or {site: n / max(total, 1) for site, n in available.items()}
    # Rounded down home by home: a larger budget then never takes fewer of any home.
    wanted = {site: int(how.images * shares[site] + 1e-6) for site in available}
    short = [site for site, n in available.items() if wanted[site] > n]
    if how.images > total or short:
        of = ", ".join(f"{site} has {n:,} and is to give {wanted[site]:,}" for site, n in available.items())
        raise BadSpec(
            f"strategy.images asks for {how.images:,} training images and there are too few: {of}. Ask for fewer images, "
            "or for other shares."
        )
    return wanted


def keep(patients: Sequence[str] | np.ndarray, most: int, site: str, seed: int) -> np.ndarray:
    """Return (N,) bool: all images of the first patients that together have at most `most`.

    Args:
        patients: (N,) names, one an image.
        most: images.
        site: which hospital's patients they are.
        seed: another seed, another order.

    Raises:
        BadSpec: the first patient alone has more.
    """
    names, of, count = np.unique(np.asarray(patients, str), return_inverse=True, return_counts=True)
    order = np.argsort([_rank(seed, site, name) for name in names], kind="stable")
    within = np.cumsum(count[order]) <= most
    if most and len(order) and not within[0]:
        raise BadSpec(
            f"{site} is to give {most} training images, and its first patient has {count[order[0]]}, who comes whole or not "
            "at all; ask for more images."
        )
    chosen = np.zeros(len(names), bool)
    chosen[order[within]] = True
    return chosen[of]


def _rank(seed: int, site: str, patient: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join((str(seed), site, patient)).encode()).digest()[:8])
