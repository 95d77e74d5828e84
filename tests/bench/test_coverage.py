import numpy as np

from cxrlab.bench import coverage


def test_the_simulation_draws_studies_with_the_auroc_that_it_states():
    rng = np.random.default_rng(0)
    y_true, score, patient = coverage.study(rng, 4000, 0.3, 0.85)
    assert abs(coverage.auroc.auroc(y_true, score) - 0.85) < 0.015
    assert patient.max() == 3999


def test_a_short_simulation_has_a_row_a_scenario_and_delong_falls_behind():
    table = coverage.simulate(studies=40)
    assert len(table) == len(coverage.SCENARIOS)
    assert table["delong"].mean() < table["coverage"].mean() - 0.05
    assert table["false_gaps_delong"].mean() > table["false_gaps"].mean() + 0.05
