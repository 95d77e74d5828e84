import numpy as np
import pytest
from scipy.special import expit

from cxrlab.metrics import decision, decomposition, rules


def site(rng, n=20_000, prevalence=0.2, separation=2.0, offset=0.0):
    y_true = (rng.random(n) < prevalence).astype(float)
    return y_true, expit(rng.normal(size=n) + separation * y_true - 2 + offset)


def test_net_benefit_is_right_by_hand():
    y_true, score = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.2, 0.6, 0.1, 0.2])
    row = decision.net_benefit(y_true, score, np.array([0.5])).iloc[0]
    assert row.model == pytest.approx(1 / 5 - 1 / 5)
    assert row.treat_all == pytest.approx(2 / 5 - 3 / 5)


def test_net_benefit_counts_as_a_loop_would(random_rows):
    for y_true, score in random_rows[:6]:
        p = expit(score)
        table = decision.net_benefit(y_true, p)
        for row in table.itertuples():
            called = p >= row.threshold
            odds = row.threshold / (1 - row.threshold)
            expected = np.mean(called & (y_true == 1)) - np.mean(called & (y_true == 0)) * odds
            assert row.model == pytest.approx(expected, abs=1e-12)
    assert len(decision.net_benefit(np.zeros(4), np.full(4, 0.1))) == 0


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("ranking", {"separation": 0.7}),
        ("transfer", {"offset": -1.5}),
        ("prevalence", {"prevalence": 0.03}),
    ],
)
def test_a_planted_cause_carries_the_loss_and_the_parts_sum_exactly(rng, part, changes):
    home, outside = site(rng), site(rng, **changes)
    threshold = rules.best_f1(*site(rng))[0]
    found = decomposition.decompose(home, outside, threshold)
    parts = {name: getattr(found, name) for name in ("ranking", "transfer", "prevalence")}
    assert sum(parts.values()) == pytest.approx(found.loss, abs=1e-12)
    assert found.loss == pytest.approx(found.home - found.outside, abs=1e-12)
    assert max(parts, key=parts.get) == part
    assert parts[part] > 0.6 * found.loss


def test_equal_sites_lose_nothing_to_any_cause(rng):
    found = decomposition.decompose(site(rng), site(rng), rules.best_f1(*site(rng))[0])
    assert max(abs(x) for x in (found.loss, found.ranking, found.transfer, found.prevalence)) < 0.02


def test_without_a_class_or_a_threshold_there_is_nothing_to_split(rng):
    home = site(rng, 200)
    empty = (np.zeros(5), np.full(5, 0.2))
    assert decomposition.decompose(home, empty, 0.3).why_nan == "the external site: no positive images"
    assert decomposition.decompose(empty, home, 0.3).why_nan == "home: no positive images"
    assert decomposition.decompose(home, home, np.nan).why_nan == "home has no threshold"
