"""Launch begins where a run, study or sweep left off, says what was changed, and its command is the same run."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from cxrlab import files, planted, spec
from cxrlab.ui import launching
from tests import fake_lab

# Stands in for the shell's python: hands the words to cxrlab's own parser, and instead of starting says what it would start.
SHIM = """#!{python} -P
import sys
sys.path.insert(0, {root!r})
from cxrlab import jobs, spec
from cxrlab.jobs import request
from cxrlab.sweeps import shelf
def told(lab, made, executor="local"):
    print(request.complete(lab, made).run_id)
    sys.exit(0)
jobs.submit, shelf.submit = told, told
from cxrlab.__main__ import main
assert sys.argv[1:3] == ["-m", "cxrlab"]
sys.exit(main(sys.argv[3:]))
"""


def key(name, preset="labels-quick"):
    return f"form-{preset}.{name}"


def named(lab, start):
    return next(name for name in lab.run_ids() if name.startswith(start))


@pytest.fixture
def pasted(tmp_path):
    """Paste the text that the page shows into a shell; return the name of the run that it would start."""
    folder = tmp_path / "bin"
    folder.mkdir()
    root = str(files.__file__).rpartition("/cxrlab/")[0]
    (folder / "python").write_text(SHIM.format(python=sys.executable, root=root))
    (folder / "python").chmod(0o755)

    def paste(app):
        shown = next(one.value for one in app.code if "-m cxrlab" in one.value)
        env = {name: value for name, value in os.environ.items() if name != "CXRLAB_HOME"}
        env["PATH"] = f"{folder}{os.pathsep}{env['PATH']}"
        done = subprocess.run(
            ["bash", "-c", shown], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return paste


def started(app, submitted, lab):
    app.button(key="start").click().run()
    from cxrlab.jobs import request

    return request.complete(lab, submitted[-1]).run_id


def changed(app, what):
    """Set some of the form, as a student would."""
    if what == "augmentation and clipping":
        app.selectbox(key=key("augment")).set_value("none")
        app.number_input(key=key("clip_norm")).set_value(1.5).run()
    elif what == "a loss with its own options":
        app.selectbox(key=key("loss")).set_value("focal").run()
        app.number_input(key=key("loss.focal.gamma")).set_value(3.0).run()
    elif what == "a policy by label":
        label = app.multiselect(key=key("labels")).value[1]
        app.multiselect(key=key("uncertain_of")).set_value([label]).run()
        app.selectbox(key=key(f"uncertain_of.{label}")).set_value("ones").run()
    elif what == "few images, another seed":
        app.number_input(key=key("images")).set_value(64)
        app.number_input(key=key("seed")).set_value(7).run()
    assert not app.error, app.error[0].value


@pytest.mark.skipif(
    shutil.which("bash") is None, reason="the command is shown for a Unix shell; there is no bash here"
)
@pytest.mark.parametrize(
    "what",
    [
        "nothing",
        "augmentation and clipping",
        "a loss with its own options",
        "a policy by label",
        "few images, another seed",
    ],
)
def test_the_command_pasted_into_a_shell_is_the_same_run(fake, open_page, submitted, pasted, what):
    app = open_page("launch", what=launching.NETWORK)
    changed(app, what)
    assert pasted(app) == started(app, submitted, fake)


@pytest.mark.skipif(
    shutil.which("bash") is None, reason="the command is shown for a Unix shell; there is no bash here"
)
@pytest.mark.parametrize("what", [launching.STUDY, launching.SWEEP, launching.QUESTION])
def test_the_command_of_a_study_and_a_sweep_is_the_same_too(fake, open_page, submitted, pasted, what):
    app = open_page("launch", what=what)
    if what == launching.SWEEP:
        app.text_input(key="sweep-of-training.learning_rate").set_value("1e-4, 1e-3")
        app.text_input(key="sweep-seeds").set_value("0..1").run()
    assert not app.error, app.error[0].value
    assert pasted(app) == started(app, submitted, fake)


def test_a_study_arrives_filled_in_and_says_what_was_changed(own, open_page, submitted, text_of):
    run_id = named(own, "study-")
    app = open_page("launch", query={"rerun": run_id})
    known = spec.read(own.run(run_id).spec)
    assert app.selectbox(key=f"study-{run_id}-home").value == known.source
    assert tuple(app.multiselect(key=f"study-{run_id}-external-{known.source}").value) == known.external
    assert "nothing was changed" in text_of(app)
    app.number_input(key=f"study-{run_id}-seed").set_value(3).run()
    assert "`seed`: 0 → **3**" in text_of(app)
    app.button(key="start").click().run()
    assert submitted[0] == known.model_copy(update={"seed": 3, "data": {}})


def write_sweep(lab, **fields):
    known = spec.read(lab.run(named(lab, "labels-")).spec)
    base = known.model_dump(mode="json", exclude={"seed", "data", "kind"})
    base.pop("strategy")
    made = spec.build({"kind": "sweep", "name": "two", "base": base, **fields})
    files.write_text(lab.run(made.run_id).spec, spec.dumps(made))
    files.write_json(lab.run(made.run_id).end, {"state": "cancelled", "reason": "on request.", "ended": 1.0})
    return made


def test_a_sweep_left_alone_is_the_same_sweep(own, open_page, submitted, text_of):
    made = write_sweep(
        own,
        axes={"training.learning_rate": [1e-3, 2e-3], "training.optimizer": ["adamw", "lion"]},
        seeds=[0, 4],
    )
    app = open_page("launch", query={"rerun": made.run_id})
    assert not app.error, app.error[0].value
    assert "nothing was changed" in text_of(app) and "8 runs" in text_of(app)
    app.button(key="start").click().run()
    assert submitted[0] == made


def test_a_sweeps_arms_can_be_left_out_and_its_base_changed(own, open_page, submitted, text_of):
    made = write_sweep(own, arms=[{"name": "short"}, {"name": "long", "set": {"training.epochs": 9}}])
    app = open_page("launch", query={"rerun": made.run_id})
    app.multiselect(key=f"sweep-{made.run_id}-arms").set_value(["long"])
    app.number_input(key=f"form-{made.run_id}.batch").set_value(16).run()
    assert not app.error, app.error[0].value
    assert "short, long → **long**" in text_of(app) and "`base.training.batch`" in text_of(app)
    app.button(key="start").click().run()
    assert [arm.name for arm in submitted[0].arms] == ["long"]
    assert submitted[0].base["training"] == {**made.base["training"], "batch": 16}


def test_what_was_never_trained_here_cannot_be_rerun_and_says_so(own, open_page, text_of):
    fields = {"kind": "score", "run": named(own, "labels-"), "sites": [fake_lab.LAKEVIEW]}
    made = spec.build(fields)
    files.write_text(own.run(made.run_id).spec, spec.dumps(made))
    files.write_json(own.run(made.run_id).end, {"state": "done", "reason": "", "ended": 1.0})
    app = open_page("runs", run=[made.run_id])
    assert "nothing to rerun" in text_of(app)
    assert not [one for one in app.button if one.key == "rerun"]
    assert "nothing to rerun" in open_page("launch", query={"rerun": made.run_id}).error[0].value


def test_a_named_strategy_fills_in_its_fields_and_takes_them_back(fake, open_page):
    app = open_page("launch", what=launching.NETWORK)
    app.number_input(key=key("epochs")).set_value(9).run()
    app.selectbox(key=key("strategy").replace(".", "-")).set_value("lp-ft").run()
    assert app.number_input(key=key("head_epochs")).value == 3
    assert app.number_input(key=key("learning_rate")).value == pytest.approx(1e-4)
    assert "'Start from'" in app.error[0].value  # what only a person can say
    app.selectbox(key=key("start_from")).set_value(named(fake, "labels-")).run()
    assert "'Start from'" not in "".join(one.value for one in app.error)
    app.selectbox(key=key("strategy").replace(".", "-")).set_value("one-site").run()
    assert app.number_input(key=key("head_epochs")).value == 0
    assert app.number_input(key=key("learning_rate")).value == pytest.approx(1e-3)
    assert app.number_input(key=key("epochs")).value == 9  # what a person typed stays


def test_pretraining_asks_what_is_its_own(fake, open_page, submitted):
    app = open_page("launch", what=launching.NETWORK, task="moco")
    app.number_input(key=key("moco_options.moco.temperature", "moco-quick")).set_value(0.1).run()
    assert not app.error, app.error[0].value
    app.button(key="start").click().run()
    assert submitted[0].strategy.moco_options == {"temperature": 0.1}


@pytest.mark.parametrize(
    ("field", "said"), [("labels", "Labels: nothing is chosen"), ("source", "Home site: nothing is chosen")]
)
def test_what_must_be_named_is_asked_for_by_its_title(fake, open_page, field, said):
    app = open_page("launch", what=launching.NETWORK)
    app.multiselect(key=key(field)).set_value([]).run()
    assert said in app.error[0].value and app.button(key="start").disabled


def test_a_file_of_weights_that_is_not_there_is_said_as_it_is_typed_and_nothing_is_lost(fake, open_page):
    app = open_page("launch", what=launching.NETWORK)
    app.selectbox(key=key("name")).set_value("resnet18")
    app.number_input(key=key("epochs")).set_value(3)
    app.text_input(key=key("weights")).set_value("/nowhere/w.safetensors").run()
    assert "no weights at" in app.error[0].value and app.button(key="start").disabled
    app.text_input(key=key("weights")).set_value("none").run()
    assert not app.error and app.number_input(key=key("epochs")).value == 3


def test_a_form_begins_with_what_is_new_to_home(own, open_page, text_of):
    planted.plant(own, fake_lab.HOME, "glare", 3, "riverside-glare")
    for what, at in (
        (launching.NETWORK, key("external")),
        (launching.STUDY, f"study-external-{fake_lab.HOME}"),
    ):
        app = open_page("launch", what=what)
        assert not app.error
        assert set(app.multiselect(key=at).value) == set(fake_lab.EXTERNALS)
        assert "*riverside-glare*, not new to" in text_of(app)


@pytest.mark.parametrize("seeds", ["0..999999", "0..99999999999999"])
def test_a_million_runs_are_refused_in_a_sentence(fake, open_page, seeds):
    app = open_page("launch", what=launching.SWEEP)
    app.text_input(key="sweep-seeds").set_value(seeds).run()
    assert "at most" in app.error[0].value and app.button(key="start").disabled


def test_a_grid_of_too_many_is_refused_before_any_run_is_built(fake, open_page):
    app = open_page("launch", what=launching.SWEEP)
    app.multiselect(key="sweep-fields").set_value(["training.learning_rate", "training.batch"]).run()
    app.text_input(key="sweep-of-training.learning_rate").set_value("1e-5..1e-2 log 100")
    app.text_input(key="sweep-of-training.batch").set_value("2..101")
    app.text_input(key="sweep-seeds").set_value("0..99").run()
    assert "1,000,000 runs" in app.error[0].value
    assert json.dumps(app.text_input(key="sweep-seeds").value) == '"0..99"'


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("name", "../x y", "Name: '../x y' cannot be one"),
        ("seeds", "", "Seeds: no value"),
        ("seeds", "1.5", "Seeds: 1.5"),
    ],
)
def test_what_is_typed_wrong_in_a_sweep_is_said_by_its_title_and_kept(fake, open_page, field, typed, said):
    app = open_page("launch", what=launching.SWEEP)
    app.text_input(key="sweep-of-training.learning_rate").set_value("1e-4, 1e-3")
    app.text_input(key=f"sweep-{field}").set_value(typed).run()
    assert app.error[0].value.startswith(said) and "^[" not in app.error[0].value
    assert app.button(key="start").disabled
    assert app.text_input(key="sweep-of-training.learning_rate").value == "1e-4, 1e-3"
