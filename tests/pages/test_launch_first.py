"""Launch says before Start what comes first: runs that a sweep adds, how long it may take, what a start asks for."""

import pytest
import timm
import torch

from cxrlab import files, spec
from cxrlab.foreign import classifier
from cxrlab.foreign.classifier import Said
from cxrlab.jobs import stages, state
from cxrlab.progress import Progress
from cxrlab.ui import launching
from tests import fake_lab

LABELS = "form-labels-quick"


def started_from_a_pretraining(open_page):
    app = open_page("launch", what=launching.SWEEP)
    app.selectbox(key=f"{LABELS}.name").set_value("small_cnn")
    app.text_input(key="sweep-seeds").set_value("0, 1")
    app.multiselect(key="sweep-fields").set_value(["strategy.start_from"]).run()
    return app


def test_a_pretraining_is_offered_in_words_and_counted_as_added(fake, open_page, submitted, text_of):
    app = started_from_a_pretraining(open_page)
    assert not app.error, app.error[0].value
    offered = app.multiselect(key="sweep-of-strategy.start_from").options
    assert offered[:2] == ["nothing before", "pretraining without labels, made first"]
    said = text_of(app)
    assert "**6 runs**" in said and "2 of them are added because others need them" in said
    assert "- pretraining, 2 seeds, added: *strategy.start_from=@moco* needs it" in said
    assert "without their labels" in said
    app.button(key="start").click().run()
    assert submitted[0].axes == {"strategy.start_from": ("", "@moco")}


def test_without_a_run_that_was_added_nothing_is_said_of_it(fake, open_page, text_of):
    app = started_from_a_pretraining(open_page)
    app.multiselect(key="sweep-of-strategy.start_from").set_value([""]).run()
    said = text_of(app)
    assert "**2 runs**" in said and "added" not in said and "without their labels" not in said


def test_a_teacher_that_nobody_named_is_said_to_be_added(fake, open_page, text_of):
    app = open_page("launch", what=launching.SWEEP)
    app.multiselect(key="sweep-fields").set_value(["view.uncertain"]).run()
    app.multiselect(key="sweep-of-view.uncertain").set_value(["self-trained"]).run()
    assert not app.error, app.error[0].value
    said = text_of(app)
    assert "**2 runs**" in said and "1 of them is added because others need it" in said
    assert "added: *view.uncertain=self-trained* needs it" in said


@pytest.mark.parametrize("what", [launching.STUDY, launching.NETWORK, launching.SWEEP, launching.QUESTION])
def test_the_time_is_a_range_and_says_what_it_rests_on(fake, open_page, text_of, what):
    said = text_of(open_page("launch", what=what))
    line = next(line for line in said.split("\n") if line.startswith("**") and "about" in line)
    assert " to " in line.partition("(")[2].partition(")")[0] and "at most" in line
    assert "Time from" in said and ("finished run" in said)


@pytest.fixture
def theirs(own, tmp_path):
    """A network of three colours at 48 px that was brought from elsewhere."""
    torch.manual_seed(0)
    torch.save(timm.create_model("test_resnet", num_classes=2).state_dict(), tmp_path / "theirs.pth")
    said = Said(
        network="timm:test_resnet", labels=("Cardiomegaly", "Pneumonia"), image_px=48, name="theirs", site=""
    )
    found = classifier.read(own, tmp_path / "theirs.pth", said)
    classifier.place(own, found)
    run = own.run(found.spec.run_id)
    files.write_text(run.spec, spec.dumps(found.spec) + "\n")
    stages.carry_out(own, found.spec, run, Progress())
    state.write_end(run, "done")
    return run.run_id


@pytest.mark.parametrize("what", [launching.NETWORK, launching.SWEEP])
def test_one_button_makes_the_form_fit_the_run_that_it_goes_on_from(
    theirs, open_page, submitted, text_of, what
):
    app = open_page("launch", what=what)
    app.selectbox(key=f"{LABELS}.start_from").set_value(theirs).run()
    assert "holds the network" in app.error[0].value and app.button(key="start").disabled
    assert "Network: " in text_of(app) and "Colours: 1 → **3**" in text_of(app)
    app.button(key="mend").click().run()
    assert not app.exception
    assert not app.error, app.error[0].value
    assert app.number_input(key=f"{LABELS}.image_px").value == 48
    app.button(key="start").click().run()
    made = submitted[0] if what == launching.NETWORK else spec.build({**submitted[0].base, "kind": "train"})
    assert (made.model.name, made.model.colours, made.view.image_px) == ("timm:test_resnet", 3, 48)
    assert made.strategy.start_from == theirs


def test_images_prepared_otherwise_are_set_too(own, open_page, text_of):
    known = spec.read(own.run(next(name for name in own.run_ids() if name.startswith("labels-"))).spec)
    prepared = spec.PreprocessSpec(contrast="clahe", normalise="zscore")
    made = known.model_copy(update={"view": known.view.model_copy(update={"preprocess": prepared})})
    run = fake_lab.begin_run(own, made, ago=10)
    fake_lab.end_run(run)
    app = open_page("launch", what=launching.NETWORK)
    app.selectbox(key=f"{LABELS}.start_from").set_value(run.run_id).run()
    app.button(key="mend").click().run()
    assert app.selectbox(key=f"{LABELS}.preprocess.normalise").value == "zscore"
    assert not any("prepared as" in one.value or "holds the network" in one.value for one in app.error)


def test_a_problem_of_another_kind_has_no_such_button(fake, open_page):
    app = open_page("launch", what=launching.NETWORK)
    app.multiselect(key=f"{LABELS}.source").set_value([]).run()
    assert app.error and not [one for one in app.button if one.key == "mend"]
