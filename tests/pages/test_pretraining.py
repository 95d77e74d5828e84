"""A pretraining says nothing of any site: pages show it among the runs, and as no study's member."""

import shutil

import pytest

from cxrlab import files, spec
from cxrlab.commands import outcome
from cxrlab.paths import Lab
from cxrlab.ui import choose
from tests import fake_lab
from tests.pages.test_every_page import PAGES


def add_pretraining(lab, **fields):
    made = spec.build(
        {
            "kind": "train",
            "task": "moco",
            "view": {"source": (fake_lab.HOME,), "image_px": fake_lab.PX},
            "model": {"name": "small_cnn"},
            "training": {"augment": "contrast"},
            **fields,
        }
    )
    run = fake_lab.begin_run(lab, made, ago=100)
    fake_lab.end_run(run)
    return run.run_id


@pytest.fixture
def beside(own):
    """A complete study with a pretraining beside it, and a run that began with it."""
    before = add_pretraining(own)
    started = next(run_id for run_id in own.run_ids() if run_id.startswith("labels-"))
    tuned = spec.read(own.run(started).spec)
    tuned = tuned.model_copy(
        update={
            "strategy": spec.StrategySpec(start_from=before),
            "view": tuned.view.model_copy(update={"external": ()}),
        }
    )
    run = fake_lab.begin_run(own, tuned, ago=50)
    fake_lab.end_run(run)
    return own, before, run.run_id


def test_every_page_opens_with_a_pretraining_in_the_lab(beside, open_page):
    for name in PAGES:
        open_page(name)


def test_the_runs_page_shows_it_and_names_what_began_with_it(beside, open_page, text_of):
    _, before, tuned = beside
    app = open_page("runs", query={"run": before})
    said = text_of(app)
    assert before in set(app.dataframe[0].value["run"])
    assert f"`{tuned}` began with it" in said


def test_it_is_no_studys_member_and_has_no_scores(beside):
    lab, before, tuned = beside
    from cxrlab import studies

    assert before not in choose.shown_runs() and before not in choose.train_runs()
    assert before in choose.trained_runs() and tuned in choose.trained_runs()
    assert all(before not in study.runs.values() for study in studies.study_runs(lab))
    assert outcome.measure(lab.run(before)) == {}


def test_a_lab_with_nothing_but_a_pretraining_has_no_study_to_show(
    built, tmp_path, monkeypatch, open_page, text_of
):
    root = tmp_path / "alone"
    shutil.copytree(built["fake"] / "stores", root / "stores")
    monkeypatch.setenv("CXRLAB_HOME", str(root))
    lab = Lab.here()
    run_id = add_pretraining(lab)
    for name in PAGES:
        said = text_of(open_page(name))
        assert "fills itself when the first site is scored" not in said, name
    assert files.read_json(lab.run(run_id).end)["state"] == "done"
