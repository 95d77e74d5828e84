"""What a site holds, as tables: counts, ages, evidence, prevalence, labels that come together.

In:    an open store.
Out:   tidy tables and row numbers that a page or the command line prints.
Never: torch, streamlit, scores of a model.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from cxrlab.labels import SPACES, Evidence
from cxrlab.store import Store
from cxrlab.views import evidence_of, split_of

Z = 1.959963984540054  # 97.5 % quantile of the normal distribution
EVIDENCE_WORDS = {
    Evidence.POSITIVE: "positive",
    Evidence.NEGATIVE: "negative",
    Evidence.UNCERTAIN: "uncertain",
    Evidence.NOT_MENTIONED: "not mentioned",
    Evidence.NOT_ANNOTATED: "not annotated",
}
AGE_BANDS = ((0, 2), (2, 6), (6, 18), (18, 30), (30, 40), (40, 50), (50, 60), (60, 70), (70, 80), (80, 130))


@dataclass(frozen=True)
class Summary:
    """A site's counts. Ages in years, NaN when no age is known; shares are of images."""

    site: str
    n_images: int
    n_patients: int
    n_quarantined: int
    n_labels: int
    age_median: float
    age_low: float  # quartiles
    age_high: float
    age_known: float  # share
    female: float
    male: float
    sex_known: float
    views: dict[str, float]
    images_per_patient: float


def summary(store: Store) -> Summary:
    """Return the counts of a site. `female` and `male` are shares of the images whose sex is known, NaN without."""
    rows = store.rows
    age = rows["age_years"].dropna()
    sex = rows["sex"][rows["sex"] != ""]
    low, median, high = age.quantile([0.25, 0.5, 0.75]) if len(age) else (np.nan, np.nan, np.nan)
    views = rows["view"].replace("", "not said").value_counts(normalize=True)
    n_patients = rows["patient_id"].nunique()
    return Summary(
        site=store.site,
        n_images=len(rows),
        n_patients=n_patients,
        n_quarantined=len(store.quarantine),
        n_labels=len(store.header.labels),
        age_median=float(median),
        age_low=float(low),
        age_high=float(high),
        age_known=len(age) / len(rows),
        female=float((sex == "F").mean()) if len(sex) else np.nan,
        male=float((sex == "M").mean()) if len(sex) else np.nan,
        sex_known=len(sex) / len(rows),
        views=views.to_dict(),
        images_per_patient=len(rows) / n_patients,
    )


def compare(summaries: list[Summary]) -> pd.DataFrame:
    """Return one row a fact, one column a site, numbers as they are; the page words them."""
    facts = ("n_images", "n_patients", "images_per_patient", "n_quarantined", "n_labels")
    facts = (*facts, "age_median", "age_low", "age_high", "age_known", "female", "male", "sex_known")
    table = pd.DataFrame(
        {one.site: [getattr(one, fact) for fact in facts] for one in summaries}, index=list(facts)
    )
    for view in sorted({view for one in summaries for view in one.views}):
        table.loc[f"view {view}"] = [one.views.get(view, 0.0) for one in summaries]
    return table


def ages(store: Store) -> pd.DataFrame:
    """Return site, band, share (of images with a known age) and images, one row a band of AGE_BANDS."""
    age = store.rows["age_years"].to_numpy(float)
    known = age[~np.isnan(age)]
    counts = [int(((known >= low) & (known < high)).sum()) for low, high in AGE_BANDS]
    bands = [f"{low}–{high - 1}" if high < 100 else f"{low}+" for low, high in AGE_BANDS]
    share = np.array(counts) / len(known) if len(known) else np.full(len(counts), np.nan)
    return pd.DataFrame({"site": store.site, "band": bands, "share": share, "images": counts})


def shares(store: Store, column: str) -> pd.DataFrame:
    """Return site, value, share (of all images) and images, one row a value of the row fact `column`; "" is "not said"."""
    counts = store.rows[column].replace("", "not said").value_counts()
    return pd.DataFrame(
        {
            "site": store.site,
            "value": counts.index,
            "share": counts.to_numpy() / len(store),
            "images": counts.to_numpy(),
        }
    )


def labels_in(store: Store, space: str = "") -> tuple[str, ...]:
    """Return the labels of a label space (labels.SPACES), or those of the site where no space is named."""
    return SPACES[space] if space else store.header.labels


def evidence_counts(store: Store, labels: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Return label, evidence (a word of EVIDENCE_WORDS), code, images, share: five rows a label.

    A label that the site lacks is "not annotated" throughout.
    """
    out = []
    for label in labels or store.header.labels:
        codes = _column(store, label)
        for code, word in EVIDENCE_WORDS.items():
            n = int((codes == code).sum())
            out.append(
                {"label": label, "evidence": word, "code": int(code), "images": n, "share": n / len(codes)}
            )
    return pd.DataFrame(out)


def _column(store: Store, label: str) -> np.ndarray:
    if label in store.header.labels:
        return store.evidence[:, store.header.labels.index(label)]
    return np.full(len(store), int(Evidence.NOT_ANNOTATED), np.int8)


def prevalence(store: Store, labels: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Return label, prevalence, low, high, n_pos, n_known, n_patients, why_nan, one row a label.

    Of the images that say yes or no (positive, negative, or not mentioned, which counts as no); uncertain ones and
    labels that the site never annotates are left out. The interval is over patients.
    """
    patient = pd.factorize(store.rows["patient_id"])[0]  # numbers sort twenty times as fast as names
    out = []
    for label in labels or store.header.labels:
        codes = _column(store, label)
        known = (
            (codes == Evidence.POSITIVE) | (codes == Evidence.NEGATIVE) | (codes == Evidence.NOT_MENTIONED)
        )
        y = (codes[known] == Evidence.POSITIVE).astype(float)
        value, low, high = share_interval(y, patient[known])
        why = "" if known.any() else f"{store.site} never annotates it"
        out.append(
            {
                "label": label,
                "prevalence": value,
                "low": low,
                "high": high,
                "n_pos": int(y.sum()),
                "n_known": int(known.sum()),
                "n_patients": len(np.unique(patient[known])),
                "why_nan": why,
            }
        )
    return pd.DataFrame(out)


def share_interval(y: np.ndarray, patient: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of `y` with a 95 % interval over patients.

    Wilson's interval at the effective sample size p(1-p)/var, where var is the linearised variance of the ratio
    (positive images)/(images) over patients; with one image a patient it is Wilson's own. When every image agrees the
    variance says nothing, and the number of patients is the sample size.

    Args:
        y: (N,) of 0 and 1.
        patient: (N,) ids.

    Returns:
        (share, low, high), NaN for no rows.

    Source: Wilson 1927, doi:10.1080/01621459.1927.10502953; Korn & Graubard 1998 for the effective size.

    >>> [round(v, 3) for v in share_interval(np.array([1, 0, 0, 0]), np.array(["a", "b", "c", "d"]))]
    [0.25, 0.046, 0.699]
    """
    n = len(y)
    if n == 0:
        return np.nan, np.nan, np.nan
    _, code = np.unique(patient, return_inverse=True)
    p, m = float(y.mean()), int(code.max()) + 1
    residual = np.bincount(code, weights=y - p)  # sum of residuals a patient
    variance = float((residual**2).sum()) / n**2
    effective = p * (1 - p) / variance if variance > 0 else m
    effective = min(effective, n)
    centre = (p + Z**2 / (2 * effective)) / (1 + Z**2 / effective)
    half = Z * np.sqrt(p * (1 - p) / effective + Z**2 / (4 * effective**2)) / (1 + Z**2 / effective)
    return p, max(0.0, float(centre - half)), min(1.0, float(centre + half))


def cooccurrence(store: Store, labels: tuple[str, ...] | None = None) -> pd.DataFrame:
    """Return given, also, share, images: of the images positive for `given`, how many are positive for `also`.

    share is NaN where `given` has no positive image whose `also` is known.
    """
    labels = labels or store.header.labels
    codes = evidence_of(store, labels)
    positive = (codes == Evidence.POSITIVE).astype(np.int64)
    known = np.isin(codes, (Evidence.POSITIVE, Evidence.NEGATIVE, Evidence.NOT_MENTIONED)).astype(np.int64)
    both, of = positive.T @ positive, positive.T @ known
    share = np.divide(both, of, out=np.full(both.shape, np.nan), where=of > 0)
    return pd.DataFrame(
        {
            "given": np.repeat(labels, len(labels)),
            "also": np.tile(labels, len(labels)),
            "share": share.ravel(),
            "images": both.ravel(),
            "of": of.ravel(),
        }
    )


def ledger(entries: tuple[dict[str, Any], ...]) -> pd.DataFrame:
    """Return native, label, says, images, before, after, note: what each of a site's own labels became.

    before: share of images with the native label positive; after: share positive for our label, of those that say yes
    or no; both NaN where nothing is known, or in a store that was written before they were counted.
    """
    columns = ["native", "label", "says", "images", "before", "after", "note"]
    table = pd.DataFrame(list(entries), columns=columns)
    return table.assign(
        label=table["label"].replace("", "left out"),
        says=table["says"].astype(object).where(table["says"].notna(), ""),
        before=table["before"].astype(float),
        after=table["after"].astype(float),
    )


def splits(store: Store) -> np.ndarray:
    """Return (N,) str, the part of each image were this site home: train, val or test."""
    of = {patient: split_of(patient, store.site) for patient in store.rows["patient_id"].unique()}
    return store.rows["patient_id"].map(of).to_numpy(str)


@dataclass(frozen=True)
class Wanted:
    """Filters of images; "" and None do not filter.

    evidence: a word of EVIDENCE_WORDS; needs a label. sex, view: as in the rows, or "not said". age: from and to, years,
    both included; images without an age are left out. said: part of image_id, patient_id or the site's own label.
    fact: name and value of one of the store's further facts.
    """

    label: str = ""
    evidence: str = ""
    split: str = ""
    sex: str = ""
    view: str = ""
    age: tuple[float, float] | None = None
    said: str = ""
    fact: tuple[str, str] | None = None


def find(store: Store, wanted: Wanted, split: np.ndarray | None = None) -> np.ndarray:
    """Return the row numbers, (M,) int64, that fit every filter.

    Args:
        store: an open store.
        wanted: the filters.
        split: what `splits` gives, where it is at hand.
    """
    rows, keep = store.rows, np.ones(len(store), bool)
    if wanted.label and wanted.evidence:
        code = next(code for code, word in EVIDENCE_WORDS.items() if word == wanted.evidence)
        keep &= _column(store, wanted.label) == code
    for column in ("sex", "view"):
        value = getattr(wanted, column)
        if value:
            keep &= (rows[column] == ("" if value == "not said" else value)).to_numpy()
    if wanted.age is not None:
        keep &= rows["age_years"].between(*wanted.age).to_numpy()
    if wanted.fact is not None:
        keep &= (store.facts[wanted.fact[0]] == wanted.fact[1]).to_numpy()
    if wanted.split:
        keep &= (splits(store) if split is None else split) == wanted.split
    if wanted.said:
        text = rows[["image_id", "patient_id", "native_label"]].iloc[np.flatnonzero(keep)]
        hit = np.zeros(len(text), bool)
        for column in text:
            hit |= text[column].str.contains(wanted.said, case=False, regex=False).to_numpy()
        keep[np.flatnonzero(keep)[~hit]] = False
    return np.flatnonzero(keep)


def spread(store: Store, n: int) -> np.ndarray:
    """Return `n` row numbers spread evenly over the site: a strip that is the same at every visit."""
    return np.unique(np.linspace(0, len(store) - 1, n).astype(np.int64))


def positives_of(store: Store, row: int) -> list[str]:
    """Return the labels that are positive on one image."""
    codes = store.evidence[row]
    return [
        label for label, code in zip(store.header.labels, codes, strict=True) if code == Evidence.POSITIVE
    ]
