"""Planted studies: scores whose AUROC is known, from patients whose images are alike."""

import numpy as np
import pytest
from scipy import stats


@pytest.fixture
def rng():
    return np.random.default_rng(20)


@pytest.fixture
def study():
    """study(rng, patients, prevalence, auroc) → y_true (N,), score (N,), patient (N,); 1–5 images a patient."""

    def make(rng, patients, prevalence, auroc, correlation=0.6):
        patient = np.repeat(np.arange(patients), rng.integers(1, 6, patients))
        ill = rng.random(patients) < prevalence
        y_true = np.where(rng.random(len(patient)) < 0.9, ill[patient], rng.random(len(patient)) < prevalence)
        own = np.sqrt(correlation) * rng.normal(size=patients)[patient]
        noise = own + np.sqrt(1 - correlation) * rng.normal(size=len(patient))
        return y_true.astype(float), noise + np.sqrt(2) * stats.norm.ppf(auroc) * y_true, patient

    return make


@pytest.fixture
def random_rows(rng):
    """Twenty small random inputs, half of them full of ties."""
    rows = []
    for i in range(20):
        n = int(rng.integers(20, 400))
        y_true = (rng.random(n) < 0.3).astype(float)
        y_true[:2] = 0, 1
        score = rng.normal(size=n) + y_true
        rows.append((y_true, np.round(score) if i % 2 else score))
    return rows
