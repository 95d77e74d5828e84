"""What cannot be one run is said in one sentence, before anything starts; two ways to say one run are one run."""

import pytest

from cxrlab import spec
from cxrlab.choices import fitting
from cxrlab.errors import BadSpec
from tests import planted


def made(**fields):
    return planted.train_spec(**fields)


@pytest.mark.parametrize(
    ("field", "wrong", "near"),
    [
        ("optimizer", "adamv", "adam"),
        ("schedule", "cosin", "cosine"),
        ("loss", "focl", "focal"),
        ("sampling", "balansed", "balanced"),
        ("augment", "lite", "light"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_and_all_that_are_known(field, wrong, near):
    with pytest.raises(BadSpec, match=rf"named '{wrong}'; did you mean '{near}'\? Known: .*{near}"):
        made(training={field: wrong})


def test_an_unknown_network_is_refused_with_the_nearest():
    with pytest.raises(
        BadSpec, match=r"no network named 'densnet121'; did you mean 'densenet121'\?.*timm:NAME"
    ):
        made(model={"name": "densnet121"})


def test_any_network_of_timm_can_be_named_and_its_run_is_a_folders_name():
    assert made(model={"name": "timm:regnetx_002.pycls_in1k"}).run_id.startswith("labels-timm-regnetx-002")


def test_an_unknown_option_is_refused_with_those_that_are_known():
    with pytest.raises(BadSpec, match="'focal': no option named 'gama', known: gamma, alpha"):
        made(training={"loss": "focal", "loss_options": {"gama": 1}})


def test_an_option_out_of_range_is_refused():
    with pytest.raises(BadSpec, match=r"'adamw': beta1: .*less than 1"):
        made(training={"optimizer_options": {"beta1": 2}})


def test_an_option_said_at_its_default_is_the_same_run():
    plain, said = made(), made(training={"optimizer_options": {"beta1": 0.9}})
    assert plain.run_id == said.run_id
    whole, number = (made(training={"loss": "focal", "loss_options": {"gamma": g}}) for g in (3, 3.0))
    assert whole.run_id == number.run_id != made(training={"loss": "focal"}).run_id


IMPOSSIBLE = [
    ({"training": {"precision": "fp16", "optimizer": "sam"}}, "choose the precision 'bf16'"),
    ({"training": {"loss": "focal"}, "view": {"uncertain": "multiclass"}}, "choose the loss 'bce'"),
    (
        {"training": {"loss": "pairwise"}, "view": {"uncertain_of": {"Edema": "ones-lsr"}}},
        "needs targets of 0 and 1",
    ),
    ({"training": {"batch": 16}, "strategy": {"images": 12}}, "larger than the label budget of 12"),
    ({"model": {"name": "convnextv2_tiny", "weights": "hub"}}, "allow_noncommercial"),
    ({"training": {"select": "val-mse"}}, "judges what an autoencoder rebuilds"),
]
REBUILT = {"task": "autoencoder", "model": {"name": "autoencoder"}}
IMPOSSIBLE += [
    ({**REBUILT, "training": {"loss": "focal"}}, "the loss 'focal' has no place"),
    ({**REBUILT, "training": {"sampling": "balanced"}}, "no labels to balance"),
    ({**REBUILT, "training": {"select": "val-macro-auroc"}}, "no labels to judge an epoch by"),
]


@pytest.mark.parametrize(("fields", "said"), IMPOSSIBLE, ids=[said for _, said in IMPOSSIBLE])
def test_an_impossible_combination_is_one_sentence_with_its_remedy(fields, said):
    with pytest.raises(BadSpec, match=said):
        made(**fields)


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"optimizer": "schedule-free-adamw", "schedule": "step"}, "nothing is used"),
        ({"schedule": "plateau", "patience": 2}, "the rate never falls"),
        ({"sampling": "balanced"}, "corrects rarity twice"),
        ({"loss": "pairwise", "accumulate": 2}, "those of each part alone"),
    ],
)
def test_what_is_hardly_meant_is_said_but_not_refused(training, said):
    assert any(said in sentence for sentence in fitting.oddities(made(training=training)))


@pytest.mark.parametrize("training", [{}, {"optimizer": "schedule-free-adamw"}, {"schedule": "plateau"}])
def test_what_is_usual_is_not_remarked_on(training):
    assert fitting.oddities(made(training=training)) == []


def test_every_field_that_names_a_plug_in_is_checked():
    assert set(fitting.ROOMS) == {"optimizer", "schedule", "loss", "sampling", "augment"}
    assert all(len(fitting.room(field)) for field in fitting.ROOMS)
    assert isinstance(made(), spec.TrainSpec)
