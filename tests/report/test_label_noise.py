import numpy as np
import pytest

from cxrlab import foreign, predictions, report
from cxrlab.errors import BadInput
from cxrlab.metrics import agreement
from tests.planted_predictions import predictions as planted


def with_reader(flipped, seed=0, n=3000):
    """A site whose own truth of Edema is wrong in `flipped` of the images; the reader knows."""
    site = planted("s", n=n, separation=1.5, seed=seed)
    rng = np.random.default_rng(seed + 3)
    truth = site.table["y:Edema"].to_numpy().copy()
    site.table["y@reader:Edema"] = truth
    site.table["group:class"] = np.where(truth == 1, "opacity", np.where(rng.random(n) < 0.2, "", "clear"))
    site.table["y:Edema"] = np.where(rng.random(n) < flipped, 1 - truth, truth)
    return site


def test_noise_in_the_own_truth_is_seen_as_a_loss_that_is_not_the_models():
    row = report.label_noise(with_reader(0.2), "Edema").iloc[0]
    assert row.auroc_reader > row.auroc_own + 0.1 and row.low > 0 and row.p < 1e-6
    assert row.kappa < 0.7 and row.both + row.own_only + row.reader_only + row.neither == row.n == 3000


def test_two_truths_that_are_one_differ_in_nothing():
    row = report.label_noise(with_reader(0.0), "Edema").iloc[0]
    assert (row.difference, row.p, row.kappa) == (0, 1, 1)


def test_a_truth_that_is_wrong_at_random_is_seldom_called_different_when_as_good():
    """Both truths are noisy copies of a third: neither is better."""
    p = []
    for seed in range(60):
        site, rng = with_reader(0.0, seed, n=400), np.random.default_rng(seed + 50)
        for column in ("y:Edema", "y@reader:Edema"):
            site.table[column] = np.where(rng.random(400) < 0.15, 1 - site.table[column], site.table[column])
        p.append(report.label_noise(site, "Edema").p[0])
    assert np.mean(np.array(p) < 0.05) < 0.15


def test_a_reader_can_be_made_of_a_propertys_words():
    site = with_reader(0.1)
    strict = report.truth_of(site, "class", ["opacity"], ["clear"])
    rest = report.truth_of(site, "class", ["opacity"])
    assert np.isnan(strict).sum() == np.isnan(rest).sum() == (site.table["group:class"] == "").sum()
    table = report.label_noise(site, "Edema", {"strict": strict, "rest": rest})
    assert table.reader.tolist() == ["strict", "rest"] and table.difference[0] == table.difference[1]
    with pytest.raises(BadInput, match="no property 'x'; it has: class"):
        report.truth_of(site, "x", ["a"])


def test_a_reader_who_never_says_yes_gives_a_reason():
    site = with_reader(0.1)
    row = report.label_noise(site, "Edema", {"never": np.zeros(3000)}).iloc[0]
    assert np.isnan(row.difference) and "reader's: no positive images" in row.why_nan
    assert "always the same" in row.why_kappa
    silent = report.label_noise(site, "Edema", {"silent": np.full(3000, np.nan)}).iloc[0]
    assert silent.n == 0 and silent.why_nan


def test_kappa_is_scikit_learns_and_its_interval_covers():
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(0)
    inside, truth = 0, 0.6 * 0.5 / (1 - 0.5)
    for _ in range(200):
        patient = np.repeat(np.arange(150), 2)
        a = rng.random(300) < 0.5
        b = np.where(rng.random(300) < 0.4, rng.random(300) < 0.5, a)
        found = agreement.measure(a.astype(float), b.astype(float), patient)
        assert found.kappa == pytest.approx(cohen_kappa_score(a, b), abs=1e-12)
        inside += found.low <= truth <= found.high
    assert 0.90 <= inside / 200 <= 0.99


def test_radiologists_raise_a_published_models_pneumonia(lab, realdata):
    path = realdata / "predictions" / "nih_densenet121.csv.gz"
    if not path.exists():
        pytest.skip("no published scores among the real data")
    words = [
        "rsna:Pneumonia=rsna_class:Lung Opacity vs Normal",
        "rest:Pneumonia=rsna_class:Lung Opacity vs *",
    ]
    run = foreign.import_scores(lab, path, "nih", truths=words).run_id
    table = report.label_noise(predictions.read(lab.run(run).predictions("nih")), "Pneumonia")
    assert (table.low > 0).all() and (table.kappa < 0.2).all()
    assert table.n.tolist() == [1435, 2767]
