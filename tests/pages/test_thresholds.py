"""Where to cut: what the set says, what the slider changes, what can be kept."""

import json

import pytest

from cxrlab.errors import BadInput
from cxrlab.metrics import thresholds
from cxrlab.ui import cached, cut_files, cutting
from tests import fake_lab
from tests.pages.charts import figure, words_in


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


def test_a_set_with_the_slider_in_it_is_kept_and_can_be_chosen(own, open_page):
    app = open_page("thresholds", label="Pneumonia", at_pneumonia=0.7)
    app.text_input[0].set_value("screening")
    button(app, "Save this set").click().run()
    assert not app.exception
    kept = thresholds.read(own.threshold_sets / "screening.json")
    assert kept.of("Pneumonia") == 0.7
    assert kept.labels["Pneumonia"].rule == cut_files.BY_HAND
    assert kept.of("Cardiomegaly") == cached.thresholds(run_of(own)).of("Cardiomegaly")
    assert "screening" in app.selectbox(key="cuts").options


@pytest.mark.parametrize(
    ("name", "words"), [("Bad Name!", "cannot be a threshold set's name"), ("tuned", "already")]
)
def test_a_name_that_cannot_be_is_a_sentence(fake, open_page, text_of, name, words):
    app = open_page("thresholds")
    app.text_input[0].set_value(name)
    button(app, "Save this set").click().run()
    assert words in text_of(app)


def test_a_set_goes_out_and_comes_in_unchanged(own):
    made = cached.thresholds(run_of(own))
    text = cut_files.as_json(made)
    path = cut_files.take_in(own, "From Elsewhere.json", text.encode(), run_of(own))
    assert path.name == "from-elsewhere.json"
    assert json.loads(path.read_text())["labels"] == json.loads(text)["labels"]


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"no json", "is not a threshold set"), (b'{"format": "other"}', "is not a threshold set")],
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
