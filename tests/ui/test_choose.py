"""The study bar: which runs belong to a home, and which are shown."""

import json

import pytest

from cxrlab import files, spec
from cxrlab.ui import choose
from tests import fake_lab


def test_homes_with_findings_scored_elsewhere_come_first(lab):
    def write(task, network, home, *scored):
        view = spec.ViewSpec(source=(home,), external=("x",))
        made = spec.TrainSpec(task=task, view=view, model=spec.ModelSpec(name=network))
        run = lab.run(made.run_id)
        files.write_json(run.spec, made.model_dump(mode="json"))
        for site in scored:
            files.write_text(run.predictions(site), "scores")

    write("labels", "small_cnn", "abroad", "abroad", "x")
    write("labels", "small_cnn", "unscored")
    write("autoencoder", "autoencoder", "encoder-only", "encoder-only", "x")
    write("labels", "small_cnn", "at-home", "at-home")
    assert list(choose.homes(choose.train_runs())) == ["abroad", "at-home", "encoder-only", "unscored"]


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


def test_imported_scores_join_the_runs_of_their_home_or_stand_under_an_unknown_one(lab):
    def write(name, home):
        files_of = [{"site": "clinic", "file": "a.csv", "digest": "0", "columns": {}}]
        made = spec.build({"kind": "import", "name": name, "home": home, "files": files_of})
        files.write_json(lab.run(made.run_id).spec, made.model_dump(mode="json"))
        files.write_text(lab.run(made.run_id).predictions("clinic"), "scores")

    write("vendor", "")
    write("colleague", "clinic")
    known = choose.homes(choose.shown_runs())
    assert known == {"clinic": ["import-colleague"], choose.UNKNOWN: ["import-vendor"]}
    assert choose.train_runs() == {}
    assert choose.is_imported("import-vendor")


def test_an_unknown_home_is_no_site():
    study = choose.Study("", ("clinic",), {}, None, False)
    assert study.sites == ("clinic",)
    assert study.said_home == "a site that is not known"
