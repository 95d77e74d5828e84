import pytest

from cxrlab import predictions
from cxrlab.bench import pages
from cxrlab.labels import NIH
from cxrlab.paths import Lab
from cxrlab.ui import choose


@pytest.fixture
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("CXRLAB_BENCH_SCALE", "0.004")
    monkeypatch.setenv("CXRLAB_HOME", str(tmp_path))
    pages.build(Lab(tmp_path), n_runs=2)
    return Lab(tmp_path)


def test_the_drawn_lab_is_one_that_the_pages_can_read(small):
    runs = choose.train_runs()
    assert len(runs) == 2
    assert list(choose.homes(runs)) == [pages.HOME]
    for run_id in runs:
        scored = [predictions.read(small.run(run_id).predictions(site)) for site in (pages.HOME, *pages.AWAY)]
        assert all(one.labels == NIH and len(one.table) == 400 for one in scored)
        assert small.run(run_id).thresholds.exists()


def test_runs_of_the_drawn_lab_differ(small):
    a, b = (predictions.read(small.run(run_id).predictions("site1")) for run_id in small.run_ids())
    assert (a.logit() != b.logit()).all() and (a.y_true() == b.y_true()).all()
