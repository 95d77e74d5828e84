"""A site whose pictures were changed on purpose is never shown as one more hospital."""

import numpy as np
import pytest

from cxrlab import planted, spec
from cxrlab.ui import launching
from tests import fake_lab
from tests.pages.charts import figure

COPY = "lakeview-glare"
MARK = "planted shift: glare, severity 3, of lakeview"


@pytest.fixture
def lab_with_copy(own, monkeypatch):
    """The study, one of whose externals was copied through glare and scored later by every run with scores."""
    planted.plant(own, fake_lab.LAKEVIEW, "glare", 3, COPY)
    monkeypatch.setitem(fake_lab.AUROC, COPY, 0.7)
    rng = np.random.default_rng(5)
    for run_id in own.run_ids():
        made = spec.read(own.run(run_id).spec)
        if made.kind != "train" or made.task == "normal":
            continue
        labels = fake_lab.LABELS if made.task == "labels" else ()
        fake_lab.write_scores(own, made, COPY, labels, rng, with_re=None if labels else 1.0)
    return own


@pytest.mark.parametrize("page", ["home", "generalization", "thresholds", "shift", "heatmaps"])
def test_the_mark_stands_wherever_the_sites_results_are_shown(lab_with_copy, open_page, text_of, page):
    assert f"{COPY}: {MARK}" in text_of(open_page(page))


def test_the_mark_stands_on_the_run_that_scored_it(lab_with_copy, open_page, text_of):
    run_id = next(name for name in lab_with_copy.run_ids() if name.startswith("labels-"))
    assert f"{COPY}: {MARK}" in text_of(open_page("runs", run=[run_id]))
    others = [run_id, next(name for name in lab_with_copy.run_ids() if name.startswith("normal-"))]
    assert f"{COPY}: {MARK}" in text_of(open_page("runs", run=others))


def test_the_mark_stands_before_it_is_trained_on(lab_with_copy, open_page, text_of):
    assert MARK in text_of(open_page("launch", what=launching.NETWORK))


@pytest.mark.parametrize("page", ["home", "generalization", "shift", "runs"])
def test_sites_as_they_came_have_no_mark(fake, open_page, text_of, page):
    assert "planted" not in text_of(open_page(page))


def symbols_of_the_relation(app):
    return {
        trace["text"][0]: trace["marker"]["symbol"] for trace in figure(app, "re-and-performance")["data"]
    }


def test_a_copy_is_drawn_hollow_and_said_not_to_count_in_a_correlation_over_sites(
    lab_with_copy, open_page, text_of
):
    app = open_page("shift")
    said = text_of(app)
    assert f"Drawn but not counted as sites of their own: {COPY}." in said and "hollow: not counted" in said
    assert "with 3 the smallest p" in said
    found = symbols_of_the_relation(app)
    assert found.pop(COPY) == "circle-open"
    assert found == {
        f"{fake_lab.HOME} (home)": "diamond",
        fake_lab.LAKEVIEW: "circle",
        fake_lab.HILLCREST: "circle",
    }


def test_without_a_copy_every_point_counts(fake, open_page, text_of):
    app = open_page("shift")
    assert "not counted" not in text_of(app)
    assert not [one for one in symbols_of_the_relation(app).values() if one.endswith("-open")]


def test_a_site_that_was_scored_later_is_among_the_externals(lab_with_copy, open_page):
    assert COPY in open_page("generalization").multiselect(key="externals").options
