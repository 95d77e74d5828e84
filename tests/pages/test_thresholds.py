"""Where to cut: what the set says, what the slider changes, what can be kept."""

import base64
import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from cxrlab import foreign, predictions
from cxrlab.errors import BadInput
from cxrlab.metrics import thresholds
from cxrlab.paths import Lab
from cxrlab.ui import cached, cut_files, cutting, ruling
from tests import fake_lab
from tests.pages.charts import figure, words_in

KEEP, WORTH = "Keep a set", "Is it worth using?"


def button(app, label):
    return next(one for one in app.button if one.label == label)


def run_of(lab):
    return next(run_id for run_id in lab.run_ids() if run_id.startswith("labels-"))


def test_the_first_line_counts_thresholds_and_says_why_one_is_missing(fake, open_page, text_of):
    said = text_of(open_page("thresholds"))
    assert f"Tuned on *{fake_lab.HOME} val*" in said
    assert f"{fake_lab.ABSENT}: undefined (no positive images)" in said


def test_a_missing_threshold_is_said_in_its_row(fake, open_page):
    assert "undefined (no positive images)" in words_in(figure(open_page("thresholds"), "threshold-bars"))


def test_a_link_restores_finding_site_and_slider(fake, open_page, text_of):
    app = open_page("thresholds", label="Pneumonia", site=fake_lab.LAKEVIEW, at_pneumonia=0.6)
    assert app.selectbox(key="label").value == "Pneumonia"
    assert app.slider(key="at_pneumonia").value == 0.6
    assert "turned negative" in text_of(app)
    assert app.image  # the images that change side


def test_untouched_the_slider_stands_at_the_tuned_threshold_with_all_its_digits(fake, open_page, text_of):
    app = open_page("thresholds", label="Pneumonia")
    tuned = cached.thresholds(run_of(fake)).of("Pneumonia")
    assert app.slider(key="at_pneumonia").value == round(tuned, 3)
    assert "Move the slider" in text_of(app)
    assert cutting.value_of("Pneumonia", tuned) == tuned


def test_a_label_that_a_site_never_annotates_has_no_curve_and_says_so(fake, open_page, text_of):
    app = open_page("thresholds", label=fake_lab.ABSENT, site=fake_lab.LAKEVIEW)
    assert "undefined (no annotated images)" in text_of(app)
    assert not app.slider


def test_a_cut_tuned_elsewhere_is_called_oracle(fake, open_page, text_of):
    app = open_page("thresholds", label="Pneumonia")
    said = words_in(figure(app, "transfer"))
    assert sum("oracle" in text for text in said) == 6
    assert "oracle" in text_of(app)


def test_a_set_with_the_slider_in_it_is_kept_and_can_be_chosen(own, open_page, text_of):
    app = open_page("thresholds", label="Pneumonia", at_pneumonia=0.7, section=KEEP)
    app.text_input[0].set_value("screening")
    button(app, "Save this set").click().run()
    assert not app.exception
    kept = thresholds.read(own.threshold_sets / "screening.json")
    assert kept.of("Pneumonia") == 0.7
    assert kept.labels["Pneumonia"].rule == cut_files.BY_HAND
    assert kept.of("Cardiomegaly") == cached.thresholds(run_of(own)).of("Cardiomegaly")
    assert "screening" in app.selectbox(key="cuts").options
    assert "Kept as screening" in text_of(app)


def test_a_kept_set_cuts_the_other_pages_when_the_study_bar_says_so(own, open_page, text_of):
    made = cached.thresholds(run_of(own))
    cut_files.save(own, cut_files.moved(made, {"Pneumonia": 0.7}, "screening"))
    app = open_page("thresholds", label="Pneumonia")
    app.selectbox(key="cuts").set_value("screening").run()
    assert app.slider(key="at_pneumonia_screening").value == 0.7
    assert "Cut by hand: Pneumonia" in text_of(app)
    app.switch_page("pages/generalization.py").run()
    assert app.selectbox(key="cuts").value == "screening"
    app.switch_page("pages/heatmaps.py").run()
    drawn = next(trace["x"] for trace in figure(app, "scores")["data"] if trace["name"] == "threshold")
    assert 0.7 in np.frombuffer(base64.b64decode(drawn["bdata"]), drawn["dtype"])


@pytest.mark.parametrize(
    ("name", "words"), [("Bad Name!", "cannot be a threshold set's name"), ("tuned", "already")]
)
def test_a_name_that_cannot_be_is_a_sentence(fake, open_page, text_of, name, words):
    app = open_page("thresholds", section=KEEP)
    app.text_input[0].set_value(name)
    button(app, "Save this set").click().run()
    assert words in text_of(app)


def test_a_set_goes_out_and_comes_in_unchanged(own):
    made = cached.thresholds(run_of(own))
    text = cut_files.as_json(made)
    path = cut_files.take_in(own, "From Elsewhere.json", text.encode(), run_of(own))
    assert path.name == "from-elsewhere.json"
    assert json.loads(path.read_text())["labels"] == json.loads(text)["labels"]


def a_set(**thresholds_of):
    """A file's contents with these thresholds."""
    labels = {label: {"threshold": value} for label, value in thresholds_of.items()}
    head = {
        "format": "cxrlab-thresholds",
        "version": 1,
        "name": "x",
        "run": "r",
        "rule": "max-f1",
        "tuned_on": "a val",
    }
    return {**head, "labels": labels}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"no json", "is not a threshold set"),
        (b'{"format": "other"}', "is not a threshold set"),
        (json.dumps(a_set(Edema=7)).encode(), "7 for the threshold of Edema; expected a number from 0 to 1"),
        (json.dumps(a_set(Goitre=0.5)).encode(), "'Goitre', which is no finding known here"),
        (json.dumps(a_set(Edema="high")).encode(), "is not a threshold set"),
        (json.dumps(a_set()).encode(), "holds no finding"),
    ],
)
def test_an_upload_that_is_no_set_is_a_sentence(fake, data, words):
    with pytest.raises(BadInput, match=words):
        cut_files.take_in(fake, "x.json", data, run_of(fake))


def test_a_set_of_another_run_is_refused(fake):
    text = cut_files.as_json(cached.thresholds(run_of(fake)))
    with pytest.raises(BadInput, match="not on one scale"):
        cut_files.take_in(fake, "x.json", text.encode(), "another-run")


def test_a_half_finished_run_says_that_tuning_comes_later(half, open_page, text_of):
    assert "The thresholds are tuned when every site is scored" in text_of(open_page("thresholds"))


# Rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [name for name, kind in ruling.RULES.items() if kind])
def test_every_rule_cuts_every_finding_that_has_both_classes(fake, open_page, text_of, rule):
    app = open_page("thresholds", label="Cardiomegaly", rule=rule)
    said = text_of(app)
    assert "have a threshold" in said and not app.error
    threshold_of = figure(app, "threshold-bars")["data"][0]["customdata"]
    if ruling.RULES[rule] != "max-f1":
        assert len(threshold_of) >= 4


def test_an_aim_moves_the_cut(fake, open_page):
    starts = []
    for aim in (0.6, 0.95):
        app = open_page("thresholds", label="Pneumonia", rule="sensitivity of at least", aim_sensitivity=aim)
        starts.append(app.slider(key=f"at_pneumonia_sensitivity_{aim:g}".replace(".", "_")).value)
    assert starts[1] < starts[0]


def test_max_f1_is_refused_where_positives_are_few_and_another_rule_is_offered(fake, open_page, text_of):
    app = open_page("thresholds", rule="largest F1")
    said = text_of(app)
    assert "too few for max-F1 (at least 30)" in said
    app.toggle(key="instead").set_value(True).run()
    said = text_of(app)
    assert "too few for max-F1" not in said and "so cut by prevalence" in said


# Awkward labels ---------------------------------------------------------------------------------------------------


@pytest.fixture
def awkward(own):
    """Home's scores with a label that is never there, a rare one and one whose scores are all equal."""
    path = own.run(run_of(own)).predictions(fake_lab.HOME)
    scores = predictions.read(path)
    table = scores.table.copy()
    table["y:Edema"] = 0.0
    table["y:Pneumonia"] = (np.arange(len(table)) % 60 == 0).astype(float)
    table["logit:Cardiomegaly"] = -0.4
    predictions.write(path, dataclasses.replace(scores, table=table))
    cached._predictions.clear()
    thresholds.write(own.run(run_of(own)).thresholds, thresholds.tune(predictions.read(path), name="tuned"))
    return own


@pytest.mark.parametrize("section", [KEEP, WORTH, "Does the cut travel?"])
@pytest.mark.parametrize("label", ["Edema", "Pneumonia", "Cardiomegaly"])
@pytest.mark.parametrize("rule", ["as in the set", "largest F1", "specificity of at least"])
def test_awkward_labels_are_sentences_in_every_part(awkward, open_page, text_of, section, label, rule):
    app = open_page("thresholds", section=section, label=label, rule=rule)
    said = text_of(app)
    assert not app.error
    if label == "Edema":
        assert "undefined (no positive images)" in said
    if (rule, label) == ("largest F1", "Pneumonia"):
        assert "too few for max-F1" in said
    if (rule, label) == ("specificity of at least", "Cardiomegaly"):
        assert "no score reaches specificity 0.9" in said


# Net benefit ------------------------------------------------------------------------------------------------------


def test_net_benefit_is_said_and_drawn_beside_all_and_none(fake, open_page, text_of):
    app = open_page("thresholds", label="Cardiomegaly", site=fake_lab.LAKEVIEW, section=WORTH)
    assert "worth more at *lakeview* than acting on all or on none" in text_of(app)
    names = [trace.get("name") for trace in figure(app, "benefit")["data"]]
    assert names == ["treat all", "treat none", "scores as they are", "recalibrated"]


@pytest.mark.parametrize("measure", ["sensitivity", "specificity"])
def test_transfer_can_be_read_in_other_numbers(fake, open_page, measure):
    app = open_page("thresholds", label="Pneumonia", measure=measure)
    assert sum("oracle" in text for text in words_in(figure(app, "transfer"))) == 6


# Scores from elsewhere --------------------------------------------------------------------------------------------


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """A lab that holds nothing but somebody else's scores, at their home and, by another run, at a site without one."""
    monkeypatch.setenv("CXRLAB_HOME", str(tmp_path / "lab"))
    lab, rng, n = Lab.here(), np.random.default_rng(4), 900
    y = rng.random(n) < 0.3
    table = pd.DataFrame({
        "image_id": [f"i{i}" for i in range(n)], "patient_id": [f"p{i // 2}" for i in range(n)],
        "prob_Edema": (0.3 * y + 0.7 * rng.random(n)).round(4), "true_Edema": y.astype(int),
    })  # fmt: skip
    table.to_csv(tmp_path / "vendor.csv", index=False)
    return lab, tmp_path / "vendor.csv"


def test_imported_scores_with_a_home_can_be_cut_and_say_that_there_are_no_images(
    imported, open_page, text_of
):
    lab, path = imported
    foreign.import_scores(lab, path, "clinic", as_home=True)
    foreign.import_scores(lab, path, "abroad")
    app = open_page("thresholds", at_edema=0.9)
    said = text_of(app)
    assert "1 of 1 finding" in said
    assert "No images to show" in said
    assert not app.image and not app.error


def test_imported_scores_without_a_home_say_why_nothing_is_tuned(imported, open_page, text_of):
    lab, path = imported
    foreign.import_scores(lab, path, "clinic")
    for section in (KEEP, WORTH, "Does the cut travel?"):
        app = open_page("thresholds", section=section)
        assert "home is not known" in text_of(app)
        assert app.slider(key="at_edema").value == 0.5
        assert not app.error
