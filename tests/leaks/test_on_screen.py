"""What a person sees of an overlap: the switch on the forms, the badge, the captions."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cxrlab.leaks import memory
from tests import fake_lab

PAGES = Path(__file__).parents[2] / "pages"


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    monkeypatch.setenv("CXRLAB_HOME", str(tmp_path / "lab"))
    return fake_lab.build(tmp_path / "lab")


def page(name, **query):
    app = AppTest.from_file(str(PAGES / f"{name}.py"), default_timeout=90)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize("what", ["A whole study", "One network"])
def test_both_forms_offer_the_override_folded_away(what, drawn):
    switches = [one for one in page("launch", what=what).toggle if one.label == "Allow overlapping sites"]
    assert len(switches) == 1 and switches[0].value is False


def test_a_run_with_an_allowed_overlap_carries_a_badge_and_says_so_in_its_captions(drawn):
    assert "overlapping" not in text_of(page("generalization"))
    for run_id in drawn.run_ids():
        memory.record(
            drawn.run(run_id), [memory.Overlap("riverside", "lakeview", "kin", "both are one (a test)")]
        )
    said = text_of(page("generalization"))
    assert "overlapping sites allowed: lakeview" in said  # captions
    assert "overlapping sites allowed]" in said  # the badge


def text_of(app):
    return "\n".join(str(one.value) for one in [*app.markdown, *app.caption])
