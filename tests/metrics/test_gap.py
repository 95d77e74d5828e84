import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cxrlab.metrics import auroc, gap, interval

LABEL = ["Edema"]


def site(study, rng, patients, truth, prevalence=0.25):
    y_true, score, patient = study(rng, patients, prevalence, truth)
    return auroc.by_label(y_true, score, patient, LABEL)


def test_the_gap_is_internal_minus_external_and_worse_is_positive(study, rng):
    inside, outside = site(study, rng, 500, 0.9), site(study, rng, 500, 0.7)
    row = gap.by_label(inside, outside).iloc[0]
    assert row.gap == pytest.approx(inside.auroc[0] - outside.auroc[0])
    assert 0 < row.low < row.gap < row.high
    assert (row.verdict, row.why) == ("worse", "")
    assert row.p < 1e-4
    mirrored = gap.by_label(outside, inside).iloc[0]
    assert (mirrored.low, mirrored.high) == pytest.approx((-row.high, -row.low))
    assert mirrored.verdict == "better"


def test_equal_sites_with_many_patients_have_no_gap_and_with_few_nothing_can_be_said(study, rng):
    many = gap.by_label(site(study, rng, 4000, 0.9), site(study, rng, 4000, 0.9)).iloc[0]
    assert many.verdict == "no gap"
    few = gap.by_label(site(study, rng, 100, 0.85), site(study, rng, 100, 0.85)).iloc[0]
    assert few.verdict == "cannot say"
    assert "both fit" in few.why


def test_a_difference_inside_the_margin_is_no_gap_and_says_that_it_is_not_zero():
    table = pd.DataFrame(
        {
            "label": LABEL,
            "auroc": [0.9],
            "low": [0.899],
            "high": [0.901],
            "n_pos": 9000,
            "n_neg": 9000,
            "why_nan": "",
        }
    )
    row = gap.by_label(table, table.assign(auroc=0.88, low=0.879, high=0.881)).iloc[0]
    assert (row.verdict, row.why) == ("no gap", "not zero, but within ±0.05")
    assert (
        gap.by_label(table, table.assign(auroc=0.88, low=0.879, high=0.881), margin=0.01).verdict[0]
        == "worse"
    )


def test_without_support_nothing_is_said_and_the_number_stays(study, rng):
    inside = site(study, rng, 500, 0.95)
    y_true, score = np.array([0.0] * 4 + [1.0] * 300), np.append(np.zeros(4), np.ones(300))
    outside = auroc.by_label(y_true, score, np.arange(304), LABEL)
    row = gap.by_label(inside, outside).iloc[0]
    assert row.verdict == "cannot say"
    assert row.why == "4 negative patients at the external site; at least 10 of each are needed"
    assert row.gap < 0


def test_an_undefined_or_absent_label_keeps_its_row_and_its_reason(study, rng):
    inside = site(study, rng, 200, 0.9)
    outside = auroc.by_label(np.zeros(50), np.zeros(50), np.arange(50), LABEL)
    row = gap.by_label(inside, outside).iloc[0]
    assert (row.verdict, row.why) == ("cannot say", "undefined at the external site: no positive images")
    assert np.isnan([row.gap, row.low, row.high, row.p]).all()
    other = inside.assign(label="Hernia")
    both = gap.by_label(inside, other)
    assert list(both.label) == ["Edema", "Hernia"]
    assert list(both.why) == ["not scored at the external site", "not scored at home"]


def test_the_columns_promised_outside_are_enough_as_input(study, rng):
    promised = ["label", "auroc", "low", "high", "n_pos", "n_neg", "why_nan"]
    inside, outside = site(study, rng, 500, 0.9), site(study, rng, 500, 0.7)
    full, bare = gap.by_label(inside, outside), gap.by_label(inside[promised], outside[promised])
    pd.testing.assert_frame_equal(full, bare)


def test_p_is_below_a_twentieth_exactly_when_the_interval_leaves_zero_out(study, rng):
    for _ in range(60):
        row = gap.by_label(site(study, rng, 150, 0.85), site(study, rng, 150, 0.78)).iloc[0]
        assert (row.p < 0.05) == (row.low > 0 or row.high < 0)


def test_no_gap_is_called_a_gap_as_rarely_as_stated_and_a_planted_one_is_found(study, rng):
    """The full table is `bench coverage`; here 400 studies, whose share has a standard error of .011."""

    def many(truth, patients, studies):
        rows = [site(study, rng, patients, truth).assign(label=str(i)) for i in range(studies)]
        return pd.concat(rows, ignore_index=True)

    null = gap.by_label(many(0.85, 200, 400), many(0.85, 150, 400))
    assert 0.02 <= (null.p < 0.05).mean() <= 0.08
    planted = gap.by_label(many(0.9, 200, 60), many(0.7, 150, 60))
    assert (planted.verdict == "worse").sum() > 50


def test_an_independent_difference_of_symmetric_intervals_is_the_textbooks():
    a, b = np.array([0.8]), np.array([0.7])
    half_a, half_b = 0.03, 0.04
    _, low, high, p = interval.of_difference(a, a - half_a, a + half_a, b, b - half_b, b + half_b)
    assert (low[0], high[0]) == pytest.approx((0.05, 0.15))
    se = 0.05 / interval.Z
    assert p[0] == pytest.approx(2 * stats.norm.sf(0.1 / se))


def test_holm_and_fdr_are_scipys_or_by_hand_and_skip_unknowns():
    p = np.array([0.01, 0.04, 0.03, np.nan])
    assert gap.holm(p)[:3].tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert gap.fdr(p)[:3] == pytest.approx(stats.false_discovery_control(p[:3]))
    assert np.isnan(gap.holm(p)[3])
    assert np.isnan(gap.fdr(p)[3])
    assert gap.holm(np.array([])).size == 0


def test_the_mean_over_labels_is_not_counted_among_the_labels(study, rng):
    one = site(study, rng, 200, 0.9)
    three = pd.concat([one, one.assign(label="Mass"), one.assign(label="macro")], ignore_index=True)
    there = three.assign(auroc=0.8, low=0.72, high=0.87)
    table = gap.by_label(three, there)
    assert table.p_holm[0] == pytest.approx(2 * table.p[0])
    assert table.p_holm[2] == table.p[2]
