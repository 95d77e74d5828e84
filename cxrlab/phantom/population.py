"""Who comes to a hospital, and with what: patients, visits, findings, and what the labeller wrote.

In:    a recipe, a seed, an image's index.
Out:   Visit: anatomy, findings, facts, evidence; decided by these three alone.
Never: pixels.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from cxrlab import files
from cxrlab.labels import NO_FINDING, SHARED, Evidence
from cxrlab.phantom import anatomy
from cxrlab.phantom.acquisition import Acquisition
from cxrlab.phantom.findings import Finding

# Why someone is X-rayed → how likely each finding is then.
REASONS: dict[str, dict[str, float]] = {
    "well": {},
    "heart failure": {"Cardiomegaly": 0.80, "Edema": 0.80, "Pleural Effusion": 0.55, "Atelectasis": 0.15},
    "infection": {
        "Pneumonia": 0.92,
        "Consolidation": 0.50,
        "Pleural Effusion": 0.20,
        "Atelectasis": 0.10,
        "Edema": 0.05,
    },
    "tumour": {"Lung Lesion": 1.0, "Pleural Effusion": 0.22, "Atelectasis": 0.22, "Pneumonia": 0.10},
    "collapsed lung": {"Pneumothorax": 1.0, "Pleural Effusion": 0.12, "Atelectasis": 0.18},
    "after surgery": {
        "Atelectasis": 0.95,
        "Pleural Effusion": 0.35,
        "Consolidation": 0.28,
        "Pneumothorax": 0.08,
        "Edema": 0.08,
    },
}
LARGE_HEART = 0.04  # of those who come for another reason
CHRONIC = ("Cardiomegaly", "Lung Lesion")  # still there at the next visit
SUBTLE = 0.36  # severities below it are where labellers hesitate
_BLOCK = 30  # images in which visits are shared out, so that image i does not depend on how many there are


@dataclass(frozen=True)
class Recipe:
    """One made-up hospital."""

    name: str
    title: str
    salt: int
    reasons: dict[str, float]  # share of patients by REASONS
    age: tuple[float, float] = (58, 17)  # mean and spread, years
    ages: tuple[float, float] = (18, 94)  # youngest and oldest
    male: float = 0.54
    size: tuple[float, float] = (0.0, 0.9)  # body mass, mean and spread in standard deviations
    ap: float = 0.1  # share of bedside (AP) pictures among those …
    ap_if_failing: float = 0.1  # … without, and with edema or effusion
    severity: tuple[float, float] = (1.6, 1.5)  # beta distribution of severities over 0.12..1
    missed: float = 0.02  # positives that the labeller calls negative, twice that when subtle
    invented: float = 0.01  # negatives that the labeller calls positive
    unsure: float = 0.30  # subtle positives that the labeller calls uncertain
    unannotated: tuple[str, ...] = ()
    zoom: tuple[float, float] = (1.07, 0.055)
    tilt: float = 0.02  # spread of the picture's rotation, radians
    acquisition: Acquisition = field(default_factory=Acquisition)


@dataclass(frozen=True)
class Visit:
    """One picture's story."""

    body: anatomy.Anatomy
    findings: tuple[Finding, ...]
    facts: dict[str, Any]
    evidence: dict[str, Evidence]


def stream(recipe: Recipe, seed: int, what: str, *key: int) -> np.random.Generator:
    """Return the random generator of one purpose and key; different purposes never share numbers."""
    digest = files.digest_of(f"{recipe.salt}/{seed}/{what}/{'/'.join(map(str, key))}")
    return np.random.Generator(np.random.SFC64(int(digest[:32], 16)))


@lru_cache(maxsize=64)
def _visits(salt: int, seed: int, block: int) -> tuple[tuple[int, int], ...]:
    """Return (patient's number, visit's number) of each image of a block."""
    rng = np.random.default_rng([salt, seed % 2**63, block, 1])
    out: list[tuple[int, int]] = []
    patient = 0
    while len(out) < _BLOCK:
        many = 1 + int(rng.random() < 0.24) + int(rng.random() < 0.08)
        out += [(patient, visit) for visit in range(many)][: _BLOCK - len(out)]
        patient += 1
    return tuple(out)


def visit(recipe: Recipe, seed: int, i: int) -> Visit:
    """Return the story of image i."""
    block, at = divmod(i, _BLOCK)
    patient, number = _visits(recipe.salt, seed, block)[at]
    who = stream(recipe, seed, "patient", block, patient)
    today = stream(recipe, seed, "visit", block, patient, number)
    age = float(np.clip(who.normal(*recipe.age), *recipe.ages))
    sex = "M" if who.random() < recipe.male else "F"
    body = anatomy.grow(who, age, sex, float(who.normal(*recipe.size)), int(who.integers(2**31)))
    reason = _pick(who, recipe.reasons)
    chronic = _findings(who, reason, recipe)
    now = chronic if number == 0 else _follow_up(today, chronic, recipe, reason)
    failing = any(f.label in ("Edema", "Pleural Effusion") for f in now)
    ap = bool(today.random() < (recipe.ap_if_failing if failing else recipe.ap))
    age += number * 0.4
    evidence = read_out(recipe, now, today)
    facts = {
        "patient_id": f"{recipe.name}-{block:03d}{patient:02d}",
        "study_id": f"{recipe.name}-{block:03d}{patient:02d}-{number}",
        "sex": sex,
        "age_years": round(age, 1),
        "view": "AP" if ap else "PA",
        "native_label": "|".join(k for k, e in evidence.items() if e == Evidence.POSITIVE),
    }
    return Visit(_today(body, recipe, ap, today), now, facts, evidence)


def _pick(rng: np.random.Generator, shares: dict[str, float]) -> str:
    u = rng.random() * sum(shares.values())
    for name, share in shares.items():
        u -= share
        if u < 0:
            return name
    return name


def _findings(rng: np.random.Generator, reason: str, recipe: Recipe) -> tuple[Finding, ...]:
    chances = {"Cardiomegaly": LARGE_HEART, **REASONS[reason]} if reason != "well" else {}
    side = 1 if rng.random() < 0.48 else -1  # one illness, one side
    out = []
    for label in SHARED[1:]:
        u, where, seed = rng.random(), rng.random(), int(rng.integers(2**31))
        severity = 0.12 + 0.88 * rng.beta(*recipe.severity)
        if u >= chances.get(label, 0):
            continue
        both = {
            "Edema": 1.0,
            "Cardiomegaly": 1.0,
            "Pleural Effusion": 0.55 if reason == "heart failure" else 0.12,
            "Pneumonia": 0.32,
        }
        out.append(Finding(label, float(severity), 0 if where < both.get(label, 0) else side, seed))
    return tuple(out)


def _follow_up(
    rng: np.random.Generator, before: tuple[Finding, ...], recipe: Recipe, reason: str
) -> tuple[Finding, ...]:
    """Return the findings some months later: the chronic stay, the acute heal, change, or return."""
    again = {f.label: f for f in _findings(rng, reason, recipe)}
    out = []
    for f in before:
        if f.label in CHRONIC:
            out.append(replace(f, severity=float(np.clip(f.severity + 0.08 * rng.normal(), 0.12, 1))))
        elif rng.random() < 0.5:
            out.append(replace(f, severity=float(np.clip(f.severity + 0.25 * rng.normal(), 0.12, 1))))
    kept = {f.label for f in out}
    return tuple(out) + tuple(
        f for label, f in again.items() if label not in kept and label not in CHRONIC and rng.random() < 0.3
    )


def _today(body: anatomy.Anatomy, recipe: Recipe, ap: bool, rng: np.random.Generator) -> anatomy.Anatomy:
    """Return the body as it stands, or lies, before the detector today."""
    n = rng.standard_normal(6)
    wired = ap and rng.random() < 0.6  # monitored at the bedside
    breath = 0.010 * n[0] - (0.045 if ap else 0.0)
    scale = recipe.zoom[0] * float(np.exp(recipe.zoom[1] * n[1]))
    pose = (
        scale,
        recipe.tilt * float(n[2]) * (1.8 if ap else 1),
        0.016 * float(n[3]),
        0.048 + 0.020 * float(n[4]),
    )
    return replace(
        body,
        ap=ap,
        leads=int(rng.integers(1, 2**31)) if wired else 0,
        dome=(body.dome[0] + breath, body.dome[1] + breath),
        turn=body.turn + 0.006 * float(n[5]) * (2 if ap else 1),
        pose=pose,
    )


def read_out(recipe: Recipe, findings: tuple[Finding, ...], rng: np.random.Generator) -> dict[str, Evidence]:
    """Return what the labeller wrote, label → evidence, in the order of SHARED."""
    true = {f.label: f.severity for f in findings}
    said: dict[str, Evidence] = {}
    for label in SHARED[1:]:
        u, v = rng.random(2)
        severity = true.get(label, 0.0)
        subtle = severity < SUBTLE
        if severity > 0:
            miss = recipe.missed * (2 if subtle else 1)
            said[label] = Evidence.NEGATIVE if u < miss else Evidence.POSITIVE
            if subtle and v < recipe.unsure:
                said[label] = Evidence.UNCERTAIN
        else:
            said[label] = Evidence.POSITIVE if u < recipe.invented else Evidence.NEGATIVE
        if label in recipe.unannotated:
            said[label] = Evidence.NOT_ANNOTATED
    values = set(said.values())
    none = Evidence.POSITIVE
    if Evidence.POSITIVE in values:
        none = Evidence.NEGATIVE
    elif Evidence.UNCERTAIN in values:
        none = Evidence.UNCERTAIN
    return {NO_FINDING: none, **said}
