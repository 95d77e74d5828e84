"""Every plug-in trains two steps on phantoms and scores a hospital it never saw, alone and beside every other.

Networks, losses, optimizers, schedules, samplings, augmentations and strategies are taken from their lists: adding one
adds its tests. All of them crossed are a hundred thousand runs, so every *pair* meets in one run at least (pairs.py).
"""

import gc
import itertools

import numpy as np
import pytest
import torch

from cxrlab import checkpoint, files, ingest, phantom, predictions, score, spec, store, train
from cxrlab.choices import augmentations, losses, networks, optimizers, sampling, schedules, strategies
from cxrlab.errors import BadRun, BadSpec
from cxrlab.learning import efficiency, loop
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from tests.contract.pairs import cover

PX = 32
LABELS = ("No Finding", "Atelectasis", "Pleural Effusion")
HOME, SECOND, AWAY = "north", "coast", "south"
N_IMAGES = {HOME: 64, SECOND: 64, AWAY: 16}
N_TRAIN = {HOME: 46, SECOND: 45}  # of those, by the patient split
HEAVY = 60  # million parameters
USUAL = {
    "loss": "bce", "optimizer": "adamw", "strategy": "one-site", "schedule": "cosine", "sampling": "plain",
    "augment": "light",
}  # fmt: skip
FACTORS = {
    "optimizer": list(optimizers.CHOICES),
    "strategy": list(strategies.CHOICES),
    "loss": list(losses.CHOICES),
    "schedule": list(schedules.CHOICES),
    "sampling": list(sampling.CHOICES),
    "augment": list(augmentations.CHOICES),
}
# What a strategy's start is, in the words of its own form → the run of `began` that is one.
STARTS = {
    "a run of another site": "elsewhere",
    "a run over the same homes": "heads",
    "a pretraining run (MoCo)": "moco",
}


def built(fields, home=(HOME,), labels=LABELS, **training):
    """Return a spec of two steps at `home`; `fields` win."""
    n = sum(N_TRAIN[site] for site in home)
    view = {"source": home, "external": (AWAY,), "labels": labels, "image_px": PX, **fields.get("view", {})}
    # Not all rows are known to be normal or abnormal: two steps of two fifths each.
    said = {"epochs": 1, "batch": 2 * n // 5, "learning_rate": 3e-3, **training, **fields.get("training", {})}
    strategy = dict(fields.get("strategy", {}))
    if strategy.get("images"):
        strategy["images"], said["batch"] = 32, 12
    if strategy.get("head_epochs"):  # a step with the head alone, a step with the rest
        strategy["head_epochs"], said["epochs"], said["batch"] = 1, 2, n
    if fields.get("task") == "moco":
        said["epochs"] = said["patience"] = 1
    model = {"name": "small_cnn", **fields.get("model", {})}
    rest = {key: value for key, value in fields.items() if key in ("task", "teacher")}
    return spec.build(
        {"kind": "train", "view": view, "model": model, "training": said, "strategy": strategy, **rest}
    )


def combined(one, began=None):
    """Return the spec of one combination; `began` names the runs that a strategy builds on."""
    began = began or dict.fromkeys((*STARTS.values(), "teacher"), "a-run")
    choice = strategies.CHOICES[one["strategy"]]
    fields = strategies.applied(choice.name, {})
    home = (HOME, SECOND)[: choice.homes]
    strategy = dict(fields.get("strategy", {}))
    for asked in choice.asks:
        if asked == "strategy.start_from":
            strategy["start_from"] = began[STARTS[choice.start]]
        elif asked == "strategy.shares":
            strategy["shares"] = dict.fromkeys(home, 1 / len(home))
        elif asked == "teacher":
            fields["teacher"] = began["teacher"]
        else:
            assert asked == "strategy.images", f"say in this test what {asked!r} is to be"
    # What a strategy sets itself is a first value; a person may choose another.
    own = {name: one[name] for name in ("loss", "optimizer", "schedule", "sampling")}
    augment = fields.get("training", {}).get("augment", "")
    own["augment"] = augment if augment and one["augment"] == USUAL["augment"] else one["augment"]
    training = {**fields.get("training", {}), **own}
    return built({**fields, "strategy": strategy, "training": training}, home)


def is_allowed(one):
    try:
        combined(one)
    except BadSpec:
        return False
    return True


COMBINATIONS, REFUSED = cover(FACTORS, USUAL, is_allowed)


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory):
    """A lab with three phantom hospitals."""
    lab = Lab(tmp_path_factory.mktemp("contract"))
    for site, n in N_IMAGES.items():
        raw = lab.root / "raw" / site
        phantom.write_raw(raw, site, n, seed=1)
        ingest.ingest(lab, "phantom", raw, site, px=PX, workers=1)
    return lab


@pytest.fixture(scope="module")
def began(hospitals):
    """The runs that strategies build on, by what they are."""
    at_second = built({}, (SECOND,))
    heads = built({"strategy": {"heads": "by-site"}}, (HOME, SECOND))
    moco = built(strategies.applied("moco", {}))
    teacher = built({})
    made = {"elsewhere": at_second, "heads": heads, "moco": moco, "teacher": teacher}
    for name, wanted in made.items():
        run = trained(hospitals, wanted)
        if name == "teacher":
            score.score_site(hospitals, run, HOME, Progress(), "cpu")
    return {name: wanted.run_id for name, wanted in made.items()}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """One batch is timed in place of twenty-three: how long a network takes is no matter here."""
    monkeypatch.setattr(
        train, "measure_inference", lambda *args: efficiency.measure_inference(*args, batches=1)
    )


def trained(lab, wanted):
    run = lab.run(wanted.run_id)
    if not run.checkpoint.exists():
        files.write_text(run.spec, spec.dumps(wanted) + "\n")
        train.fit(wanted, lab, run, Progress(), "cpu")
    return run


def watched(monkeypatch):
    """Return what each training began with: (its tensors, how many steps it walked)."""
    seen, walk = [], loop.walk

    def noted(going, *args):
        before = {name: t.detach().clone() for name, t in going.net.state_dict().items()}
        steps = going.driver.step
        walked = []
        going.driver.step = lambda *a, **k: walked.append(1) or steps(*a, **k)
        walk(going, *args)
        seen.append((before, len(walked), {name for name, _ in going.net.named_parameters()}, going.parts_of))

    monkeypatch.setattr(loop, "walk", noted)
    return seen


def check(lab, wanted, monkeypatch):
    """Carry `wanted` out and see that it keeps every run's promises; return the run."""
    seen = watched(monkeypatch)
    run = trained(lab, wanted)
    (before, steps, parameters, parts), made = seen[0], checkpoint.read(run.checkpoint)
    assert steps == 2
    assert all(torch.isfinite(t).all() for t in made.tensors.values() if t.is_floating_point() and t.ndim)
    moved = {name for name in parameters if not torch.equal(made.tensors[name], before[name])}
    assert moved, "two steps left every weight where it was"
    if parts is not None and not wanted.strategy.head_epochs:
        still = [name for name in moved if not parts.is_in(name, wanted.strategy.layers)]
        assert not still, f"{still[:3]} moved though strategy.layers is {wanted.strategy.layers!r}"
    if wanted.task == "moco":
        with pytest.raises(BadRun, match="says nothing of an image"):
            score.score_site(lab, run, AWAY, Progress(), "cpu")
        return run
    checkpoint.network(made, torch.device("cpu"))
    score.score_site(lab, run, AWAY, Progress(), "cpu")
    said = predictions.read(run.predictions(AWAY))
    assert said.table["image_id"].tolist() == store.read(lab.store(AWAY)).rows["image_id"].tolist()
    values = said.table["re"].to_numpy() if wanted.task == "autoencoder" else said.logit()
    assert np.isfinite(values).all() and np.ptp(values) > 0
    return run


# Networks ------------------------------------------------------------------------------------------------------------


def of_network(lab, name):
    """Return the spec of one network in its first task; what it consists of is small."""
    choice = networks.CHOICES[name]
    parts = {field: "small_cnn3" for field, info in choice.options.model_fields.items()
             if (info.json_schema_extra or {}).get("room") == "networks"}  # fmt: skip
    model = {"name": name, "options": parts, "latent_units": 8}
    task = choice.tasks[0]
    if name == "latent_head":
        below = built({"task": "autoencoder", "model": {"name": "autoencoder", "latent_units": 8}})
        model["latents_of"] = trained(lab, below).run_id
    fields = {"task": task, "model": model, "view": {"image_px": 28 if task != "autoencoder" else PX}}
    return built(fields)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if one.millions > HEAVY else name
        for name, one in networks.CHOICES.items()
    ],
)
def test_every_network_trains_two_steps_and_scores_a_hospital_it_never_saw(hospitals, name, monkeypatch):
    check(hospitals, of_network(hospitals, name), monkeypatch)
    gc.collect()


# Pairs ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", COMBINATIONS, ids=lambda one: "-".join(one.values()))
def test_every_pair_of_plug_ins_trains_two_steps_and_scores_a_hospital_it_never_saw(
    hospitals, began, one, monkeypatch
):
    check(hospitals, combined(one, began), monkeypatch)


def test_every_pair_meets_in_one_of_the_combinations_or_is_refused():
    met = {frozenset(two) for one in COMBINATIONS for two in itertools.combinations(one.items(), 2)}
    every = {
        frozenset({(a, x), (b, y)})
        for a, b in itertools.combinations(FACTORS, 2)
        for x in FACTORS[a]
        for y in FACTORS[b]
    }
    assert met | REFUSED == every and not met & REFUSED
    assert len(COMBINATIONS) < 1.3 * len(optimizers.CHOICES) * len(strategies.CHOICES)


def test_only_these_pairs_are_refused():
    moco, taught = ("strategy", "moco"), ("strategy", "self-trained")
    expected = {frozenset({moco, ("loss", name)}) for name in losses.CHOICES if name != "bce"}
    expected |= {frozenset({moco, ("sampling", name)}) for name in sampling.CHOICES if name != "plain"}
    expected |= {frozenset({moco, ("augment", "none")})}
    expected |= {frozenset({taught, ("loss", name)}) for name, one in losses.CHOICES.items() if not one.soft}
    assert expected == REFUSED


# Refusals ------------------------------------------------------------------------------------------------------------


def is_one_sentence(error):
    text = str(error.value)
    return "\n" not in text and 20 < len(text) < 400 and len(text.rstrip(".").split(". ")) == 1


@pytest.mark.parametrize("pair", sorted(map(sorted, REFUSED)), ids=str)
def test_a_refused_pair_says_so_in_one_sentence(pair):
    with pytest.raises(BadSpec) as error:
        combined(USUAL | dict(pair))
    assert is_one_sentence(error), str(error.value)


@pytest.mark.parametrize("name", [name for name, one in losses.CHOICES.items() if not one.three_way])
def test_a_class_for_doubt_goes_with_no_loss_that_knows_two(name):
    with pytest.raises(BadSpec, match="multiclass") as error:
        built({"view": {"uncertain": "multiclass"}}, loss=name)
    assert is_one_sentence(error)


@pytest.mark.parametrize("name", [name for name, one in optimizers.CHOICES.items() if one.passes > 1])
def test_fp16_goes_with_no_optimizer_that_looks_twice(name):
    with pytest.raises(BadSpec, match="fp16") as error:
        built({}, optimizer=name, precision="fp16")
    assert is_one_sentence(error)


def test_muon_wants_hidden_weights(hospitals):
    wanted = of_network(hospitals, "latent_head").model_dump(mode="json")
    wanted["training"]["optimizer"] = "muon"
    with pytest.raises(BadSpec, match="no weights between") as error:
        trained(hospitals, spec.build(wanted))
    assert is_one_sentence(error)


GATED = {"name": "hierarchical", "options": {"disease": "small_cnn3"}}


@pytest.mark.parametrize(
    "fields",
    [
        {"task": "normal", "model": GATED},
        {"model": GATED, "view": {"uncertain": "multiclass"}},
        {"model": GATED, "view": {"labels": ("No Finding",)}},
        {"model": {"name": "hierarchical", "options": {"disease": "hierarchical"}}},
        {"model": {"name": "hierarchical", "options": {"gate": "autoencoder"}}},
        {"model": {"name": "hierarchical", "options": {"aim": 1.5}}},
        {"model": {"name": "small_cnn", "options": {"gate": "small_cnn"}}},
        {"model": {"name": "small_cnn", "weights": "hub"}},
        {"task": "autoencoder"},
        {"model": {"name": "autoencoder"}},
        {"task": "normal", "model": {"name": "latent_head"}},
        {"task": "moco", "view": {"external": (AWAY,)}},
        {"strategy": {"heads": "by-site"}},
        {"strategy": {"layers": "head"}},
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused_in_one_sentence(fields):
    with pytest.raises(BadSpec) as error:
        built(fields)
    assert is_one_sentence(error), str(error.value)


def test_a_gate_with_a_head_for_each_home_is_refused_in_one_sentence():
    with pytest.raises(BadSpec, match="one head behind one gate") as error:
        built({"model": GATED, "strategy": {"heads": "by-site"}}, (HOME, SECOND))
    assert is_one_sentence(error)
