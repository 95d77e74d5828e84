import numpy as np

from cxrlab.metrics import auroc, bootstrap, ranking


def test_a_clear_winner_is_sure_and_twins_are_not(study, rng):
    y_true, score, patient = study(rng, 400, 0.3, 0.9)
    models = np.column_stack([score + noise * rng.normal(size=len(score)) for noise in (0, 2, 2)])
    truths = np.column_stack([y_true] * 3)
    value = auroc.measure(truths, models, patient, list("abc")).theta
    draws = bootstrap.auroc_draws(truths, models, patient, 500, seed=0)
    table = ranking.ranks(list("abc"), value, draws).set_index("name")
    assert table.loc["a", ["rank", "rank_low", "rank_high", "first"]].tolist() == [1, 1, 1, 1]
    assert (table.rank_low["b"], table.rank_high["b"]) == (2, 3)


def test_small_is_good_for_gaps_and_unknown_comes_last():
    draws = np.array([[0.3, np.nan, 0.1], [0.3, np.nan, 0.2]])
    table = ranking.ranks(["x", "y", "z"], np.array([0.3, np.nan, 0.1]), draws, small_is_good=True)
    assert table["name"].tolist() == ["z", "x", "y"]
    assert np.isnan(table["rank"].iloc[2])
    assert table["draws"][0] == 2
    empty = ranking.ranks(["x"], np.array([0.5]), np.full((3, 1), np.nan))
    assert np.isnan(empty["rank_low"][0])
