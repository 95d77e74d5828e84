"""What two sites share and what one holds twice, as plain figures.

In:    open stores.
Out:   Between and Within, ready for JSON or a table.
Never: refusing anything (guard does), pixels of its own.
"""

from dataclasses import dataclass

from cxrlab import views
from cxrlab.leaks import kinship, pairs
from cxrlab.paths import Lab
from cxrlab.store import Store


@dataclass(frozen=True)
class Between:
    """What two sites share."""

    a: str
    b: str
    kin: str  # a sentence with its source; "" where none is known
    patients_comparable: bool  # the same name means the same person
    n_patients: int  # in both
    n_a: int  # images
    n_b: int
    n_copies_a: int  # images of a that b has too
    n_copies_b: int
    pairs: tuple[
        tuple[str, str, float], ...
    ]  # (image of a, image of b, how far their pixels agree), the surest first


@dataclass(frozen=True)
class Twice:
    """One exposure under two patients' names."""

    image: str
    patient: str
    split: str  # by the patient split: the split that training uses unless the owner's is asked for
    other: str
    other_patient: str
    other_split: str
    agreement: float


@dataclass(frozen=True)
class Within:
    """What one site holds twice under different patients' names: the patient split cannot keep such copies together."""

    site: str
    n: int  # images
    n_across: int  # pairs whose two images are in different splits
    pairs: tuple[Twice, ...]


def between(lab: Lab, a: Store, b: Store) -> Between:
    """Return what two sites share, all their rows counted.

    Args:
        lab: where the caches are.
        a: one site.
        b: another.
    """
    found = pairs.between(lab, a, b)
    kin = kinship.of(a.header, b.header)
    comparable = kinship.share_names(a.header, a.digest, b.header, b.digest)
    shared = set(a.rows["patient_id"]) & set(b.rows["patient_id"]) if comparable else set()
    names_a, names_b = a.rows["image_id"].to_numpy(), b.rows["image_id"].to_numpy()
    told = f"{kin.says} ({kin.source})" if kin else ""
    if kinship.are_copies(a.header, a.digest, b.header, b.digest):
        told = "one is a planted copy of the other, or both of a third"
    return Between(
        a=a.site,
        b=b.site,
        kin=told,
        patients_comparable=comparable,
        n_patients=len(shared),
        n_a=len(a),
        n_b=len(b),
        n_copies_a=len(set(found.a.tolist())),
        n_copies_b=len(set(found.b.tolist())),
        pairs=tuple(
            (names_a[i], names_b[j], round(float(alike), 4))
            for i, j, alike in zip(found.a, found.b, found.alike, strict=True)
        ),
    )


def within(lab: Lab, site: Store) -> Within:
    """Return the images that a site holds under two patients' names, with the splits that they fall into."""
    found = pairs.between(lab, site, site)
    names, patients = site.rows["image_id"].to_numpy(), site.rows["patient_id"].to_numpy()
    split = {p: views.split_of(p, site.site) for p in {*patients[found.a], *patients[found.b]}}
    told = tuple(
        Twice(names[i], patients[i], split[patients[i]], names[j], patients[j], split[patients[j]],
              round(float(alike), 4))
        for i, j, alike in zip(found.a, found.b, found.alike, strict=True)
    )  # fmt: skip
    return Within(site.site, len(site), sum(one.split != one.other_split for one in told), told)
