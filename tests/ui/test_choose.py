"""The study bar: which runs belong to a home, and which are shown."""

import json

import pytest

from cxrlab import files, spec
from cxrlab.ui import choose
from tests import fake_lab


def test_homes_with_scored_findings_come_first(lab):
    def write(task, network, home, scored):
        view = spec.ViewSpec(source=(home,), external=("x",))
        made = spec.TrainSpec(task=task, view=view, model=spec.ModelSpec(name=network))
        run = lab.run(made.run_id)
        files.write_json(run.spec, made.model_dump(mode="json"))
        if scored:
            files.write_text(run.predictions(home), "scores")

    write("labels", "small_cnn", "unscored", False)
    write("autoencoder", "autoencoder", "encoder-only", True)
    write("labels", "small_cnn", "full", True)
    assert list(choose.homes(choose.train_runs())) == ["full", "encoder-only", "unscored"]


def test_a_damaged_spec_closes_no_other_run(lab):
    run = lab.run("labels-broken")
    files.write_text(run.spec, json.dumps({"kind": "train"}))
    assert choose.train_runs() == {}


@pytest.mark.parametrize(("latents_of", "task"), [("", "normal"), ("run", "normal-latents")])
def test_a_head_on_latents_is_a_task_of_its_own(latents_of, task):
    network = "latent_head" if latents_of else "small_cnn"
    made = spec.TrainSpec(
        task="normal",
        view=spec.ViewSpec(source=(fake_lab.HOME,)),
        model=spec.ModelSpec(name=network, latents_of=latents_of),
    )
    assert choose.task_of(made) == task
