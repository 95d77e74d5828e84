"""Whether a site is new to a model: no image and no patient of it was seen in training at home.

In:    a lab, home's sites, the sites to be called external.
Out:   overlaps, each a sentence with its counts; BadSpec where one is too many and nobody allowed it.
Never: torch, streamlit; it changes no split and drops no row.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from cxrlab import store, views
from cxrlab.errors import BadSpec
from cxrlab.leaks import hashes, kinship, pairs
from cxrlab.leaks.memory import Overlap
from cxrlab.paths import Lab
from cxrlab.store import Store

# How many copies are too many: three, or one in a thousand of the smaller site. One or two may be slips of a public
# collection; they move no AUROC. A thousandth of all images can move a share of correct answers by a tenth of a per cent.
FEWEST, SHARE = 3, 0.001
EXAMPLES = 3
QUICK = 50_000_000  # pairs of images that are compared in a second or so
REMEDY = "Leave {sites} out, or allow it: `--allow-overlap`, on the page 'Allow overlapping sites'; every result then says so."


def overlaps(
    lab: Lab,
    home_sites: Sequence[str],
    external_sites: Sequence[str],
    *,
    official_split: bool = False,
    wait: bool = True,
    opened: Callable[[str], Store] | None = None,
) -> list[Overlap]:
    """Return why external sites are not new to home; [] when they are.

    Patients and images that home keeps for its own test are no leak and are not counted.

    Args:
        lab: where the stores and the caches of fingerprints are.
        home_sites: the sites to train on.
        external_sites: the sites to be scored as unseen.
        official_split: home is split as its owner says.
        wait: compare images even where that takes minutes; else only what is in the cache or quick.
        opened: site → its open store, where the caller keeps them; None: each is read.

    Raises:
        MissingInput, BadStore: a site has no store, or a damaged one.
    """
    opened = opened or (lambda site: store.read(lab.store(site)))
    found: list[Overlap] = []
    for home in home_sites if external_sites else ():
        at_home = opened(home)
        seen = seen_in_training(at_home, official_split=official_split)
        for site in external_sites:
            if site != home:
                found += between(lab, at_home, opened(site), seen, wait=wait)
    return found


def seen_in_training(home: Store, *, official_split: bool = False) -> np.ndarray:
    """Return (N,) bool: the rows of home that training or validation looks at."""
    if official_split:
        return (home.rows["split_hint"] != "test").to_numpy()
    tested = {p for p in home.rows["patient_id"].unique() if views.split_of(p, home.site) == "test"}
    return ~home.rows["patient_id"].isin(tested).to_numpy()


def between(lab: Lab, home: Store, there: Store, seen: np.ndarray, *, wait: bool = True) -> list[Overlap]:
    """Return why one external site is not new to one home.

    Args:
        lab: where the caches are.
        home: a site to train on.
        there: a site to be scored as unseen.
        seen: (N,) bool, the rows of home that count.
        wait: see `overlaps`.
    """
    found = [*_by_name(home, there), *_by_patient(home, there, seen)]
    if wait or pairs.is_there(lab, home, there) or _is_quick(lab, home, there):
        found += _by_pixels(home, there, seen, pairs.between(lab, home, there))
    return found


def _is_quick(lab: Lab, home: Store, there: Store) -> bool:
    hashed = hashes.is_there(lab, home) and hashes.is_there(lab, there)
    return len(home) * len(there) <= QUICK and (hashed or len(home) + len(there) <= 5_000)


def _by_name(home: Store, there: Store) -> list[Overlap]:
    kin = kinship.of(home.header, there.header)
    if kin is None:
        return []
    return [Overlap(home.site, there.site, "kin", f"{kin.says} ({kin.source})", is_fatal=kin.is_sure)]


def _by_patient(home: Store, there: Store, seen: np.ndarray) -> list[Overlap]:
    """Compare patients' names where the same name means the same person, and where it may."""
    alike = kinship.share_names(home.header, home.digest, there.header, there.digest)
    dataset = kinship.dataset_of(home.header)
    may_be = (
        dataset == kinship.dataset_of(there.header)
        and dataset in kinship.GENERIC
        and not home.header.synthetic
    )
    if not (alike or may_be):
        return []
    patients = set(home.rows["patient_id"][seen])
    others = set(there.rows["patient_id"])
    n = len(patients & others)
    if n == 0:
        return []
    copied = kinship.are_copies(home.header, home.digest, there.header, there.digest)
    says = f"{n:,} of {there.site}'s {len(others):,} patients are {home.site}'s"
    if copied:
        says += ", of which it is a planted copy"
    elif not alike:
        says = f"{n:,} of {there.site}'s {len(others):,} patients have a name that {home.site} uses too, perhaps by chance"
    return [Overlap(home.site, there.site, "patients", says, n, n / len(others), is_fatal=alike)]


def _by_pixels(home: Store, there: Store, seen: np.ndarray, found: pairs.Pairs) -> list[Overlap]:
    keep = seen[found.a]
    n = len(np.unique(found.b[keep]))
    if n == 0:
        return []
    names_a, names_b = home.rows["image_id"].to_numpy(), there.rows["image_id"].to_numpy()
    shown: dict[int, int] = {}
    for i, j in zip(found.a[keep], found.b[keep], strict=True):
        shown.setdefault(int(j), int(i))
    examples = tuple((names_a[i], names_b[j]) for j, i in list(shown.items())[:EXAMPLES])
    pictured = ", ".join(f"{b} is {a}" for a, b in examples)
    says = f"{n:,} of {there.site}'s {len(there):,} images are near-duplicates of {home.site}'s (for example {pictured})"
    is_fatal = n >= max(FEWEST, SHARE * min(len(home), len(there)))
    return [Overlap(home.site, there.site, "copies", says, n, n / len(there), examples, is_fatal)]


def refuse(found: Iterable[Overlap]) -> None:
    """Raise BadSpec, naming what was found and the remedy, where an overlap is fatal."""
    fatal = [one for one in found if one.is_fatal]
    if not fatal:
        return
    sites = " and ".join(dict.fromkeys(one.external for one in fatal))
    homes = " and ".join(dict.fromkeys(one.home for one in fatal))
    many = len({one.external for one in fatal}) > 1
    reasons = "; ".join(dict.fromkeys(one.says for one in fatal))
    raise BadSpec(
        f"{sites} {'are' if many else 'is'} not new to {homes}: {reasons}. {REMEDY.format(sites=sites)}"
    )


def check(
    lab: Lab,
    home_sites: Sequence[str],
    external_sites: Sequence[str],
    *,
    allow: bool = False,
    official_split: bool = False,
    wait: bool = True,
) -> list[Overlap]:
    """Return `overlaps`.

    Raises:
        BadSpec: one of them is fatal and `allow` is false.
        MissingInput, BadStore: as `overlaps`.
    """
    found = overlaps(lab, home_sites, external_sites, official_split=official_split, wait=wait)
    if not allow:
        refuse(found)
    return found
