"""Launch: what the form says is what is submitted, and what cannot be is said at once."""

import json

import pytest

from cxrlab import jobs
from cxrlab.ui import launching
from tests import fake_lab


@pytest.fixture
def submitted(monkeypatch):
    """Specs that were submitted; no process is started."""
    asked = []

    def submit(lab, spec, executor="local"):
        asked.append(spec)
        return lab.run_ids()[0]

    monkeypatch.setattr(jobs, "submit", submit)
    return asked


def key(name, preset="labels-quick"):
    return f"form-{preset}.{name}"


def test_a_study_is_submitted_as_chosen(fake, open_page, submitted):
    app = open_page("launch")
    app.multiselect(key=f"study-external-{fake_lab.HOME}").set_value([fake_lab.LAKEVIEW]).run()
    app.button(key="start").click().run()
    assert not app.exception
    made = submitted[0]
    assert (made.kind, made.source, made.external) == ("study", fake_lab.HOME, (fake_lab.LAKEVIEW,))


def test_the_column_says_what_will_run_and_what_it_costs(fake, open_page, text_of):
    said = text_of(open_page("launch"))
    assert "4 runs" in said and "about" in said and "MB" in said


def test_a_network_is_submitted_with_the_fields_of_the_form(fake, open_page, submitted):
    app = open_page("launch", what=launching.NETWORK)
    app.selectbox(key=key("name")).set_value("small_cnn")
    app.number_input(key=key("epochs")).set_value(1)
    app.number_input(key=key("image_px")).set_value(32).run()
    assert not app.error
    app.button(key="start").click().run()
    made = submitted[0]
    assert (made.model.name, made.training.epochs, made.view.image_px) == ("small_cnn", 1, 32)


def test_what_was_changed_is_listed(fake, open_page, text_of):
    app = open_page("launch", what=launching.NETWORK)
    assert "nothing was changed" in text_of(app)
    app.number_input(key=key("epochs")).set_value(3).run()
    assert "`training.epochs`" in text_of(app)


def test_a_contradiction_is_one_sentence_and_nothing_can_start(fake, open_page, submitted):
    app = open_page("launch", what=launching.NETWORK)
    app.multiselect(key=key("external")).set_value([fake_lab.HOME]).run()
    assert "both home and external" in app.error[0].value
    assert app.button(key="start").disabled


def test_no_home_is_a_sentence_too(fake, open_page):
    app = open_page("launch", what=launching.NETWORK)
    app.multiselect(key=key("source")).set_value([]).run()
    assert len(app.error) == 1
    assert app.button(key="start").disabled


def test_a_rerun_arrives_filled_in(fake, open_page, text_of):
    run_id = next(name for name in fake.run_ids() if name.startswith("labels-"))
    app = open_page("launch", query={"rerun": run_id})
    assert app.selectbox(key=f"form-{run_id}.name").value == "small_cnn"
    assert app.number_input(key=f"form-{run_id}.epochs").value == 6
    assert "nothing was changed" in text_of(app)
    assert "in the lab already" in text_of(app)


def test_the_json_shown_is_the_spec_that_starts(fake, open_page, submitted):
    app = open_page("launch", what=launching.NETWORK)
    shown = json.loads(next(one.value for one in app.code if one.value.startswith("{")))
    app.button(key="start").click().run()
    assert submitted[0].model_dump(mode="json") == shown


@pytest.mark.parametrize("task", list(launching.TASKS.values()))
def test_every_task_starts_from_a_spec_that_can_run(fake, open_page, task):
    of = {words: name for name, words in launching.TASKS.items()}
    app = open_page("launch", what=launching.NETWORK, task=of[task])
    assert not app.error


def test_a_lab_without_sites_points_to_the_import(lab, open_page, text_of):
    assert "needs a site" in text_of(open_page("launch"))


def test_a_policy_by_label_and_the_images_are_submitted_as_chosen(fake, open_page, submitted, text_of):
    app = open_page("launch", what=launching.NETWORK)
    label = app.multiselect(key=key("labels")).value[0]
    app.multiselect(key=key("uncertain_of")).set_value([label]).run()
    app.selectbox(key=key(f"uncertain_of.{label}")).set_value("ones").run()
    assert not app.error
    assert f"`view.uncertain_of.{label}`" in text_of(app)
    app.button(key="start").click().run()
    assert not app.exception
    assert submitted[0].view.uncertain_of == {label: "ones"}
    assert submitted[0].view.preprocess.crop == "none"


def test_a_policy_that_needs_a_teacher_says_how_to_make_one(fake, open_page):
    app = open_page("launch", what=launching.NETWORK)
    label = app.multiselect(key=key("labels")).value[0]
    app.multiselect(key=key("uncertain_of")).set_value([label]).run()
    app.selectbox(key=key(f"uncertain_of.{label}")).set_value("self-trained").run()
    assert "needs a teacher" in app.error[0].value and "'ignore'" in app.error[0].value
    assert app.button(key="start").disabled
