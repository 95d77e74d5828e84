"""What a run of a sweep waits for comes first without being named: a teacher, an autoencoder, a pretraining."""

import json

import pytest

from cxrlab import spec
from cxrlab.__main__ import main
from cxrlab.sweeps import expand, plan
from tests.jobs.kit import train_spec, write_store

BASE = {
    "view": {"source": ["home"], "labels": ["Pneumonia"], "image_px": 32},
    "model": {"name": "small_cnn"},
    "training": {"batch": 8},
}
HEAD = {"task": "normal", "model.name": "latent_head"}


def sweep(**fields):
    return spec.build({"kind": "sweep", "name": "x", "base": BASE, **fields})


def found(**fields):
    made = expand.expand(sweep(**fields))
    assert not made.invalid, made.invalid
    return {cell.key: cell for cell in made.cells}


def why(**fields):
    made = expand.expand(sweep(**fields))
    return made.invalid


def test_the_masked_arm_of_a_sweep_is_the_teacher_wherever_it_stands():
    student, teacher = (
        {"name": name, "set": {"view.uncertain": name}} for name in ("self-trained", "ignore")
    )
    for arms in ([teacher, student], [student, teacher]):
        cells = found(arms=arms)
        assert list(cells) == ["ignore", "self-trained"]
        assert cells["self-trained"].needs == {"teacher": "ignore"}
        assert not any(cell.added for cell in cells.values())


def test_a_teacher_that_the_sweep_lacks_is_added_once_a_seed_and_is_the_same_run_masked():
    cells = found(axes={"view.uncertain": ["self-trained", "zeros"]}, seeds=[0, 1])
    assert list(cells) == [
        "teacher view.uncertain=ignore seed 0",
        "view.uncertain=self-trained seed 0",
        "teacher view.uncertain=ignore seed 1",
        "view.uncertain=self-trained seed 1",
        "view.uncertain=zeros seed 0",
        "view.uncertain=zeros seed 1",
    ]
    taught, teacher = (
        cells[f"{key} seed 1"] for key in ("view.uncertain=self-trained", "teacher view.uncertain=ignore")
    )
    assert (
        taught.needs == {"teacher": teacher.key} and teacher.added == taught.key and teacher.arm == "teacher"
    )
    masked = taught.spec.model_dump() | {
        "teacher": "",
        "view": {**taught.spec.view.model_dump(), "uncertain": "ignore"},
    }
    assert teacher.spec.model_dump() == masked


def test_every_point_of_a_grid_has_its_own_teacher():
    cells = found(
        axes={"training.optimizer": ["adamw", "sam"], "view.uncertain": ["ignore", "self-trained"]},
    )
    assert len(cells) == 4
    for name in ("adamw", "sam"):
        taught = cells[f"training.optimizer={name} view.uncertain=self-trained"]
        assert taught.needs == {"teacher": f"training.optimizer={name} view.uncertain=ignore"}


def test_policies_by_label_are_masked_by_label():
    view = {**BASE["view"], "labels": ["Pneumonia", "Edema"]}
    own = {"Pneumonia": "self-trained", "Edema": "ones"}
    cells = found(base={**BASE, "view": view}, arms=[{"name": "s", "set": {"view.uncertain_of": own}}])
    assert cells["teacher of s"].spec.view.uncertain_of == {"Edema": "ones"}
    assert cells["s"].needs == {"teacher": "teacher of s"}


def test_students_of_one_teacher_share_it():
    arms = [
        {"name": "a", "set": {"view.uncertain": "self-trained"}},
        {"name": "b", "set": {"view.uncertain_of": {"Pneumonia": "self-trained"}}},
    ]
    cells = found(arms=arms)
    assert [cell.needs for cell in cells.values() if not cell.added] == [{"teacher": "teacher of a"}] * 2
    assert len(cells) == 3


def test_a_teacher_that_was_named_stays():
    cells = found(
        axes={"teacher": ["labels-done"]}, arms=[{"name": "s", "set": {"view.uncertain": "self-trained"}}]
    )
    (only,) = cells.values()
    assert only.spec.teacher == "labels-done" and not only.needs


def test_a_head_on_latents_has_the_sweeps_autoencoder_or_one_of_its_own():
    auto = {
        "name": "auto",
        "set": {"task": "autoencoder", "model.name": "autoencoder", "model.latent_units": 16},
    }
    head = {"name": "head", "set": {**HEAD, "model.latent_units": 16}}
    assert found(arms=[head, auto])["head"].needs == {"model.latents_of": "auto"}
    other = {"name": "head", "set": {**HEAD, "model.latent_units": 32}}
    cells = found(arms=[auto, other])
    assert cells["head"].needs == {"model.latents_of": "autoencoder of head"}
    below = cells["autoencoder of head"].spec
    assert (below.task, below.model.latent_units, below.training.optimizer) == ("autoencoder", 32, "adam")
    assert below.training.batch == 8  # no more than the run that waits for it: the site may be small


def test_heads_that_differ_in_labels_and_losses_alone_share_an_autoencoder():
    cells = found(
        axes={"training.loss": ["bce", "focal"], "view.uncertain": ["ones", "zeros"]},
        arms=[{"name": "h", "set": HEAD}],
    )
    assert len([cell for cell in cells.values() if cell.added]) == 1
    assert {*cells} - {"autoencoder of h"} and len(cells) == 5


def test_two_autoencoders_that_fit_are_a_question_not_a_guess():
    autos = [
        {"name": name, "set": {"task": "autoencoder", "model.name": "autoencoder", "training.epochs": n}}
        for name, n in (("short", 2), ("long", 9))
    ]
    said = why(arms=[*autos, {"name": "head", "set": HEAD}])["head"]
    assert "short, long" in said and "'needs'" in said


def test_from_scratch_against_pretrained_is_an_axis():
    cells = found(axes={"strategy.start_from": ["", "@moco"]}, seeds=[0, 1])
    tuned = cells["strategy.start_from=@moco seed 1"]
    below = cells[tuned.needs["strategy.start_from"]]
    assert (below.spec.task, below.spec.view.external, below.spec.seed, below.added) == (
        "moco",
        (),
        1,
        tuned.key,
    )
    assert tuned.spec.strategy.start_from == below.spec.run_id
    assert len(cells) == 6
    assert cells["strategy.start_from=none seed 0"].spec.strategy.start_from == ""


def test_a_pretraining_of_the_sweep_is_used_unless_it_saw_what_will_be_judged():
    moco = {
        "name": "moco",
        "set": {"task": "moco", "training.augment": "contrast", "view.source": ["home", "east"]},
    }
    tuned = {"name": "tuned", "set": {"strategy.start_from": "@moco", "strategy.head_epochs": 1}}
    assert found(arms=[moco, tuned])["tuned"].needs == {"strategy.start_from": "moco"}
    judged = {**tuned, "set": {**tuned["set"], "view.external": ["east"]}}
    assert found(arms=[moco, judged])["tuned"].needs == {"strategy.start_from": "pretraining of tuned"}


def test_a_student_on_latents_after_all_that_has_all_of_it_first():
    cells = found(arms=[{"name": "s", "set": {**HEAD, "view.uncertain": "self-trained"}}])
    assert list(cells) == ["autoencoder of s", "teacher of s", "s"] or list(cells) == [
        "autoencoder of teacher of s", "teacher of s", "s"
    ]  # fmt: skip
    taught = cells["s"]
    assert set(taught.needs) == {"model.latents_of", "teacher"}
    assert cells[taught.needs["teacher"]].needs == {"model.latents_of": taught.needs["model.latents_of"]}


@pytest.mark.parametrize(
    ("arms", "said"),
    [
        ([{"name": "s", "set": {"strategy.start_from": "@mocco"}}], "'@moco'"),
        ([{"name": "s", "set": {"view.uncertain": "self-trained", "training.loss": "auc-margin"}}], "auc-margin"),
        (
            [{"name": "s", "set": {"strategy.start_from": "@moco", "model.name": "hierarchical"}}],
            "its pretraining cannot be: the network 'hierarchical' does not do the task 'moco'",
        ),
        (
            [{"name": "a"}, {"name": "s", "set": {"model.name": "small_cnn3"}, "needs": {"strategy.start_from": "a"}}],
            "'a' holds the network 'small_cnn'",
        ),
        (
            [
                {"name": "a", "set": {"view.source": ["east"]}},
                {"name": "s", "set": {"view.external": ["east"]}, "needs": {"strategy.start_from": "a"}},
            ],
            "east cannot be external: 'a', which this run goes on from, was trained there",
        ),
        (
            [
                {"name": "a", "set": {"view.uncertain": "ones"}},
                {"name": "s", "set": {"view.uncertain": "self-trained"}, "needs": {"teacher": "a"}},
            ],
            "the teacher 'a' was itself trained with Pneumonia uncertain as 'ones'",
        ),
        ([{"name": "a"}, {"name": "h", "set": HEAD, "needs": {"model.latents_of": "a"}}], "'a' is no autoencoder"),
    ],
)  # fmt: skip
def test_what_cannot_build_on_another_is_one_sentence_before_anything_is_trained(arms, said):
    reasons = why(arms=arms)
    assert said in reasons[arms[-1]["name"]], reasons
    assert len(reasons) == 1  # nothing that was only added is blamed


def test_what_is_added_is_counted_and_shown_before_start(lab, capsys, tmp_path):
    write_store(lab, "home")
    path = tmp_path / "x.json"

    def planned(policy):
        asked = sweep(arms=[{"name": "s", "set": {"view.uncertain": policy}}]).model_dump(mode="json")
        path.write_text(json.dumps(asked))
        assert main(["sweep", str(path), "--dry-run", "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    plain, taught = planned("ones"), planned("self-trained")
    assert [one["key"] for one in taught["runs"]] == ["teacher of s", "s"]
    assert [one["added_for"] for one in taught["runs"]] == ["s", ""]
    assert taught["bytes"] > 1.9 * plain["bytes"]
    assert taught["seconds"] >= plain["seconds"]
    assert main(["sweep", str(path), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "teacher of s (added: s needs it)" in told and "2 runs, 1 of them added" in told


def test_what_the_lab_has_to_have_is_asked_before_start_beside_what_is_to_come(lab):
    write_store(lab, "home")
    student = {"name": "s", "set": {"view.uncertain": "self-trained", "strategy.start_from": "labels-gone"}}
    found = plan.outline(lab, sweep(arms=[student]))
    assert not found.cells and list(found.invalid) == ["s"]
    assert "no run named 'labels-gone' to start from" in found.invalid["s"]
    alone = plan.outline(lab, sweep(axes={"strategy.start_from": ["labels-gone"]}))
    assert "no run named 'labels-gone'" in next(iter(alone.invalid.values()))


def test_one_view_asked_of_two_networks_is_asked_twice(lab):
    """A gate needs normals; the flat network beside it does not, and what the stores say of one is nothing to the other."""
    write_store(lab, "home", labels=("Pneumonia",))
    arms = [
        {"name": "flat"},
        {"name": "gated", "set": {"model.name": "hierarchical", "model.options": {"disease": "small_cnn"}}},
    ]
    assert list(plan.outline(lab, sweep(arms=arms)).invalid) == ["gated"]


def test_the_kits_own_spec_needs_nothing_first():
    assert not expand.expand(
        sweep(base=train_spec(external=()).model_dump(mode="json", exclude={"kind", "seed"}))
    ).added
