"""Launch: what the form says is what is submitted, and what cannot be is said at once."""

import json

import pytest

from cxrlab.sweeps import presets
from cxrlab.ui import launching
from tests import fake_lab


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
    shown = json.loads(app.code[0].value.partition("END'\n")[2].partition("\nEND\n")[0])
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


def test_the_chosen_plug_ins_own_options_are_asked_and_submitted(fake, open_page, submitted, text_of):
    app = open_page("launch", what=launching.NETWORK)
    app.selectbox(key=key("loss")).set_value("focal").run()
    assert "Lin 2017" in text_of(app)
    app.number_input(key=key("loss.focal.gamma")).set_value(3.0).run()
    assert not app.error
    app.button(key="start").click().run()
    assert submitted[0].training.loss_options == {"gamma": 3.0}


def test_an_impossible_combination_is_said_before_anything_starts(fake, open_page):
    app = open_page("launch", what=launching.NETWORK)
    app.selectbox(key=key("loss")).set_value("pairwise")
    app.selectbox(key=key("uncertain")).set_value("ones-lsr").run()
    assert "needs targets of 0 and 1" in app.error[0].value
    assert app.button(key="start").disabled


def test_a_choice_that_is_hardly_meant_is_a_warning_and_can_start(fake, open_page):
    app = open_page("launch", what=launching.NETWORK)
    app.selectbox(key=key("sampling")).set_value("balanced").run()
    assert any("corrects rarity twice" in one.value for one in app.warning)
    assert not app.button(key="start").disabled


def test_a_sweep_is_submitted_with_the_values_that_were_typed(fake, open_page, submitted, text_of):
    app = open_page("launch", what=launching.SWEEP)
    app.text_input(key="sweep-of-training.learning_rate").set_value("1e-4, 1e-3")
    app.text_input(key="sweep-seeds").set_value("0..2").run()
    said = text_of(app)
    assert "6 runs" in said and "3 seeds" in said and "MB" in said
    app.button(key="start").click().run()
    assert not app.exception
    assert submitted[0].axes == {"training.learning_rate": (1e-4, 1e-3)}
    assert submitted[0].seeds == (0, 1, 2)


def test_a_plug_in_can_be_varied_and_what_cannot_be_is_said(fake, open_page, submitted):
    app = open_page("launch", what=launching.SWEEP)
    app.multiselect(key="sweep-fields").set_value(["training.optimizer", "training.precision"]).run()
    app.multiselect(key="sweep-of-training.optimizer").set_value(["adamw", "sam"])
    app.multiselect(key="sweep-of-training.precision").set_value(["fp32", "fp16"]).run()
    assert "1 of 4 runs cannot be" in app.error[0].value
    app.toggle(key="sweep-skip").set_value(True).run()
    assert not app.error
    assert len(app.expander) > 0
    app.button(key="start").click().run()
    assert submitted[0].skip_invalid


def test_values_that_cannot_be_read_are_one_sentence(fake, open_page):
    app = open_page("launch", what=launching.SWEEP)
    app.text_input(key="sweep-of-training.learning_rate").set_value("fast").run()
    assert "Learning rate: 'fast' is no number or range" in app.error[0].value


def test_a_question_is_chosen_by_its_card_and_submitted_in_miniature(fake, open_page, submitted, text_of):
    app = open_page("launch", what=launching.QUESTION)
    app.button(key="choose-losses").click().run()
    assert not app.error, app.error[0].value
    assert any("sweep --preset losses --home" in one.value and "--mini" in one.value for one in app.code)
    app.button(key="start").click().run()
    assert submitted[0].name == "losses-mini"
    assert [arm.name for arm in submitted[0].arms] == ["bce", "focal", "auc-margin"]


def test_every_question_has_a_card_with_what_it_costs(fake, open_page, text_of):
    said = text_of(open_page("launch", what=launching.QUESTION))
    for name in presets.names():
        assert presets.read(name).question in said
    assert said.count("GPU hours") == len(presets.names())
