"""The form for scores from elsewhere: looked at first, mended by hand, then imported."""

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from cxrlab.paths import Lab
from cxrlab.predictions import read

ROWS = 400


@pytest.fixture
def lab(tmp_path, monkeypatch):
    monkeypatch.setenv("CXRLAB_HOME", str(tmp_path / "lab"))
    return Lab.here()


@pytest.fixture
def scores(tmp_path):
    def written(name="vendor.csv", **renamed):
        rng = np.random.default_rng(0)
        y = rng.random(ROWS) < 0.4
        table = pd.DataFrame({
            "image_id": [f"i{i}" for i in range(ROWS)], "patient_id": [f"p{i // 2}" for i in range(ROWS)],
            "prob_Edema": (0.2 * y + 0.8 * rng.random(ROWS)).round(4), "true_Edema": y.astype(int),
        })  # fmt: skip
        table.rename(columns=renamed).to_csv(tmp_path / name, index=False)
        return tmp_path / name

    return written


def form(**state):
    def page():
        from cxrlab.ui import score_form

        score_form.draw()

    app = AppTest.from_function(page, default_timeout=60)
    for key, value in state.items():
        app.session_state[key.replace("_", "-")] = value
    return app.run()


def text_of(app):
    kinds = ("markdown", "caption", "warning", "error", "success")
    return "\n".join(str(one.value) for kind in kinds for one in getattr(app, kind))


def test_nothing_can_be_imported_that_was_not_looked_at(lab, scores):
    app = form(scores_path=str(scores()), scores_site="clinic")
    assert app.button(key="scores-import").disabled
    app.button(key="scores-dry").click().run()
    assert "**400 images** of 200 patients" in text_of(app)
    assert not lab.run_ids()
    assert not app.button(key="scores-import").disabled
    app.text_input(key="scores-site").set_value("elsewhere").run()
    assert app.button(key="scores-import").disabled, "another wish was not looked at"


def test_what_was_looked_at_is_imported_with_its_home(lab, scores):
    app = form(scores_path=str(scores()), scores_site="clinic", scores_home=True)
    app.button(key="scores-dry").click().run()
    app.button(key="scores-import").click().run()
    assert "`import-vendor` is in: 400 images at clinic" in text_of(app)
    run = lab.run("import-vendor")
    assert set(read(run.predictions("clinic")).table["split"]) == {"val", "test"}
    assert run.thresholds.exists()


def test_every_column_is_shown_with_its_meaning(lab, scores):
    app = form(scores_path=str(scores()), scores_site="clinic")
    means = app.dataframe[0].value.set_index("column")["means"]
    assert means["prob_Edema"] == "prob:Edema" and means["true_Edema"] == "y:Edema"


def test_a_name_that_says_nothing_can_be_mended(lab, scores, monkeypatch):
    path = scores(prob_Edema="out7")
    app = form(scores_path=str(path), scores_site="clinic")
    assert "no label of vendor.csv has both a score and a truth" in text_of(app)
    from cxrlab.ui import score_form

    rows = [("out7", "prob:Edema")]
    plain = score_form._meanings
    monkeypatch.setattr(score_form, "_meanings", lambda *given: (*plain(*given), *rows))
    app.button(key="scores-dry").click().run()
    assert "**400 images**" in text_of(app)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"scores_path": "/nowhere/x.csv", "scores_site": "clinic"}, "no file at"),
        ({"scores_site": ""}, "no site was named"),
        ({"scores_site": "Bad Name!"}, "cannot be a site's name"),
        ({"scores_site": "clinic", "scores_truths": "rsna says so"}, "is not of the form"),
    ],
)
def test_what_cannot_be_is_one_sentence(lab, scores, state, said):
    app = form(**{"scores_path": str(scores()), **state})
    if app.button:
        app.button(key="scores-dry").click().run()
    assert [said in one.value for one in app.error] == [True], text_of(app)
    assert not lab.run_ids()
