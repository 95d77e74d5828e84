"""Where training starts, what it may move and what it may see: each strategy does what it says, and no more."""

import numpy as np
import pytest
import torch

from cxrlab import checkpoint, files, predictions, score, spec, store, train
from cxrlab.choices import strategies
from cxrlab.errors import BadRun, BadSpec, MissingInput
from cxrlab.explain import cam
from cxrlab.jobs import request
from cxrlab.labels import Evidence
from cxrlab.learning import budget, cohort, lineage, loop
from cxrlab.metrics.auroc import auroc
from cxrlab.models import MODELS
from cxrlab.models.base import cam_layer
from cxrlab.optimizers import OPTIMIZERS
from cxrlab.progress import Progress
from cxrlab.spec import StrategySpec
from tests import planted

FINDING = ("Pneumonia",)
PAIR = {"source": ("home", "second"), "labels": FINDING}


def inverted(evidence):
    """At this site the square means that there is none."""
    evidence[:, 1] = 1 - evidence[:, 1]


def carried_out(lab, wanted, *sites):
    """Train and score as a job does; return the run."""
    run = lab.run(wanted.run_id)
    files.write_text(run.spec, spec.dumps(wanted) + "\n")
    train.fit(wanted, lab, run, Progress(), "cpu")
    for site in sites:
        score.score_site(lab, run, site, Progress(), "cpu")
    return run


def separates(run, site, *splits):
    said = predictions.read(run.predictions(site)).only(*(splits or ("test", "external")))
    return auroc(said.y_true()[:, 0], said.logit()[:, 0])


def tensors(run):
    return checkpoint.read(run.checkpoint).tensors


# Label budgets and mixtures ------------------------------------------------------------------------------------------


def chosen(lab, **fields):
    """Return site → ids of the training images, and all validation ids."""
    made = cohort.build(planted.train_spec(**fields), lab)
    ids = [one.rows["image_id"].to_numpy()[index] for one, index in made.rows]
    of, every = made.site, np.concatenate(ids)
    train_ids = {
        one.site: set(every[made.train[of[made.train] == k]]) for k, (one, _) in enumerate(made.rows)
    }
    return train_ids, set(every[made.val])


def test_a_budget_is_kept_by_whole_patients_and_a_smaller_one_is_part_of_a_larger_one(lab):
    planted.write_site(lab, "home", n=240, images_a_patient=3)
    everything, val = chosen(lab)
    before: set[str] = set()
    for images in (24, 25, 60, 100):
        taken, val_now = chosen(lab, strategy={"images": images})
        assert images - 3 < len(taken["home"]) <= images
        assert before <= taken["home"] <= everything["home"] and val_now == val
        rows = store.read(lab.store("home")).rows
        patients = rows["patient_id"][rows["image_id"].isin(taken["home"])]
        assert (patients.value_counts() == 3).all(), "a patient comes whole or not at all"
        before = taken["home"]
    other, _ = chosen(lab, strategy={"images": 60}, seed=1)
    assert other["home"] != chosen(lab, strategy={"images": 60})[0]["home"]


def test_a_mixture_takes_its_share_of_each_home_and_leaves_validation_alone(lab):
    planted.write_site(lab, "home", n=200)
    planted.write_site(lab, "second", n=100, seed=1)
    view = {"source": ("home", "second")}
    _, val = chosen(lab, view=view)
    for share, at_home in ((0.0, 0), (0.25, 10), (0.75, 30)):
        shares = {"home": share, "second": 1 - share}
        taken, val_now = chosen(lab, view=view, strategy={"images": 40, "shares": shares})
        assert (len(taken["home"]), len(taken["second"])) == (at_home, 40 - at_home)
        assert val_now == val
    as_they_are, _ = chosen(lab, view=view, strategy={"images": 60})
    assert 37 <= len(as_they_are["home"]) <= 42  # two thirds of the images are home's


def test_the_numbers_of_a_mixture_are_noted_and_the_labels_masked_elsewhere(lab):
    planted.write_site(lab, "home", n=120)
    planted.write_site(lab, "second", n=80, seed=1)
    wanted = planted.train_spec(
        view={"source": ("home", "second")},
        strategy={"images": 40, "shares": {"home": 0.75, "second": 0.25}},
        training={"epochs": 1},
    )
    cost = files.read_json(carried_out(lab, wanted).efficiency)
    assert cost["notes"] == ["trained on 30 of home, 10 of second images, of a budget of 40"]
    assert cost["train_images"] == 40


def test_too_few_images_say_how_many_there_are(lab):
    planted.write_site(lab, "home", n=80)
    planted.write_site(lab, "second", n=60, seed=1)
    n = len(chosen(lab)[0]["home"])
    with pytest.raises(BadSpec, match=rf"too few: home has {n} and is to give 500"):
        chosen(lab, strategy={"images": 500})
    view, shares = {"source": ("home", "second")}, {"home": 0.1, "second": 0.9}
    with pytest.raises(BadSpec, match=r"home has \d+ and is to give 6, second has \d+ and is to give 54"):
        chosen(lab, view=view, strategy={"images": 60, "shares": shares})
    with pytest.raises(BadSpec, match="its first patient has 5, who comes whole or not at all"):
        budget.keep(["p"] * 5, 4, "home", 0)


def test_budgets_of_any_size_are_nested_for_any_shares():
    shares = StrategySpec(images=1, shares={"a": 1 / 3, "b": 2 / 3})
    before = {"a": 0, "b": 0}
    for images in range(1, 60):
        now = budget.asked(shares.model_copy(update={"images": images}), {"a": 100, "b": 100})
        assert all(now[site] >= before[site] for site in now) and images - 2 < sum(now.values()) <= images
        before = now


# Mixed homes ---------------------------------------------------------------------------------------------------------


def test_mixed_homes_learn_from_both(lab):
    planted.write_site(lab, "home", n=120)
    planted.write_site(lab, "second", n=120, seed=1)
    planted.write_site(lab, "away", n=60, seed=2)
    run = carried_out(lab, planted.train_spec(view=PAIR, training={"epochs": 4}), "home", "second", "away")
    assert min(separates(run, site) for site in ("home", "second", "away")) > 0.9
    assert set(predictions.read(run.predictions("second")).table["split"]) == {"train", "val", "test"}


@pytest.fixture(scope="module")
def contradicting(tmp_path_factory):
    """Two homes that say opposite things of one picture; a shared head, a head each, and the heads fine-tuned apart."""
    from cxrlab.paths import Lab

    lab = Lab(tmp_path_factory.mktemp("contradicting"))
    planted.write_site(lab, "home", n=120)
    planted.write_site(lab, "second", n=120, seed=1, change=inverted)
    planted.write_site(lab, "away", n=30, seed=2)
    training = {"epochs": 6}
    shared = carried_out(lab, planted.train_spec(view=PAIR, training=training), "home", "second")
    heads = {"heads": "by-site"}
    each = carried_out(
        lab, planted.train_spec(view=PAIR, training=training, strategy=heads), "home", "second", "away"
    )
    apart = planted.train_spec(
        view=PAIR,
        training={"epochs": 3, "learning_rate": 1e-2},
        strategy={**heads, "layers": "head", "start_from": each.run_id},
    )
    return lab, shared, each, carried_out(lab, request.complete(lab, apart), "home", "second")


def test_heads_by_site_learn_opposite_meanings_where_a_shared_head_cannot(contradicting):
    _, shared, each, _ = contradicting
    assert min(separates(each, "home"), separates(each, "second")) > 0.9
    # Whatever a shared head says of the square, it is wrong at one of the two homes.
    assert min(separates(shared, "home"), separates(shared, "second")) < 0.65


def test_heads_fine_tuned_apart_leave_the_encoder_as_it_is(contradicting):
    _, _, each, apart = contradicting
    before, after = tensors(each), tensors(apart)
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]) != name.startswith("head"), name
    assert min(separates(apart, "home"), separates(apart, "second")) > 0.9
    assert checkpoint.read(apart.checkpoint).weights.missing == 0


def test_a_site_without_a_head_is_scored_by_the_mean_logit_and_its_maps_explain_that(contradicting):
    lab, _, each, _ = contradicting
    own = {site: score.open_run(lab, each, "cpu", site) for site in ("home", "second", "away")}
    x = torch.randn(4, 1, planted.PX, planted.PX)
    with torch.inference_mode():
        said = {site: scorer.logits(x) for site, scorer in own.items()}
    torch.testing.assert_close(said["away"], (said["home"] + said["second"]) / 2)
    assert not torch.allclose(said["home"], said["second"], atol=0.1)
    scorer = own["second"]
    layer, _ = cam_layer(scorer.net, "small_cnn", planted.PX)
    logit, drawn = cam.maps_of(scorer.net, layer, x, says=scorer.says)
    torch.testing.assert_close(logit - torch.tensor(scorer.made.log_pos_weight), said["second"])
    _, of_home = cam.maps_of(scorer.net, layer, x, says=own["home"].says)
    assert not torch.equal(drawn, of_home)


def test_a_head_that_was_never_taught_a_label_has_no_say_in_it(lab):
    labels = ("Pneumonia", "Edema")
    planted.write_site(lab, "home", n=120, change=planted.never_annotated("Edema"))
    planted.write_site(lab, "second", n=120, seed=1)
    planted.write_site(lab, "away", n=40, seed=2)
    wanted = planted.train_spec(
        view={"source": ("home", "second"), "labels": labels}, strategy={"heads": "by-site"}
    )
    run = carried_out(lab, wanted)
    made = checkpoint.read(run.checkpoint)
    assert made.heads == {"home": ["Pneumonia"], "second": ["Pneumonia", "Edema"]}
    x = torch.randn(4, 1, planted.PX, planted.PX)
    with torch.inference_mode():
        said = {site: score.open_run(lab, run, "cpu", site).logits(x) for site in ("home", "second", "away")}
    k = labels.index("Edema")
    torch.testing.assert_close(said["away"][:, k], said["second"][:, k])
    torch.testing.assert_close(said["home"][:, k], said["second"][:, k])
    torch.testing.assert_close(said["away"][:, 0], (said["home"][:, 0] + said["second"][:, 0]) / 2)


def test_a_label_that_no_home_shows_both_ways_needs_a_shared_head(lab):
    def always(value):
        def change(evidence):
            evidence[:, 2] = value

        return change

    planted.write_site(lab, "home", n=80, change=always(1))
    planted.write_site(lab, "second", n=80, seed=1, change=always(0))
    view = {"source": ("home", "second")}
    cohort.build(planted.train_spec(view=view), lab)
    with pytest.raises(
        BadSpec, match="no home site has both positive and negative training images of 'Edema'"
    ):
        cohort.build(planted.train_spec(view=view, strategy={"heads": "by-site"}), lab)


# Fine-tuning ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A lab with a run of a source and a target that says the opposite; few labels are bought there."""
    from cxrlab.paths import Lab

    lab = Lab(tmp_path_factory.mktemp("source"))
    planted.write_site(lab, "home", n=120)
    planted.write_site(lab, "target", n=150, seed=1, change=inverted)
    planted.write_site(lab, "away", n=40, seed=2)
    wanted = planted.train_spec(view={"labels": FINDING}, training={"epochs": 5})
    return lab, carried_out(lab, request.complete(lab, wanted), "home", "target")


def tuned(start, **fields):
    view = {"source": ("target",), "labels": FINDING, **fields.pop("view", {})}
    strategy = {"start_from": start.run_id, "images": 40, **fields.pop("strategy", {})}
    training = {"epochs": 8, **fields.pop("training", {})}
    return planted.train_spec(view=view, strategy=strategy, training=training, **fields)


def test_a_few_labels_of_the_target_mend_what_the_source_alone_gets_wrong(source):
    lab, start = source
    assert separates(start, "home") > 0.95 and separates(start, "target") < 0.1
    for layers in ("all", "last-block", "head"):
        rate = {"learning_rate": 1e-2} if layers == "head" else {}
        run = carried_out(lab, tuned(start, strategy={"layers": layers}, training=rate), "target")
        assert separates(run, "target") > 0.85, layers


@pytest.mark.parametrize(
    ("layers", "optimizer"), [("head", "adamw"), *(("last-block", name) for name in OPTIMIZERS)]
)
def test_what_is_frozen_does_not_move_by_a_bit(source, layers, optimizer):
    lab, start = source
    run = carried_out(
        lab,
        tuned(
            start,
            strategy={"layers": layers},
            training={"epochs": 1, "optimizer": optimizer},
        ),
    )
    before, after = tensors(start), tensors(run)
    net = checkpoint.network(checkpoint.read(run.checkpoint), torch.device("cpu"))
    moves = MODELS["small_cnn"].parts(net)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if moves.is_in(name, layers)}


def test_head_first_switches_to_all_layers_at_its_epoch(source, monkeypatch):
    lab, start = source
    seen = []
    whole = loop.close_epoch

    def close(going, loss, value):
        state = {name: t.clone() for name, t in going.net.state_dict().items()}
        seen.append({name: not torch.equal(state[name], tensors(start)[name]) for name in state})
        whole(going, loss, value)

    monkeypatch.setattr(loop, "close_epoch", close)
    carried_out(lab, tuned(start, strategy={"head_epochs": 2}, training={"epochs": 4}, seed=3))
    in_backbone = [
        any(moved for name, moved in epoch.items() if not name.startswith("head")) for epoch in seen
    ]
    in_head = [any(moved for name, moved in epoch.items() if name.startswith("head")) for epoch in seen]
    assert in_backbone == [False, False, True, True] and all(in_head)
    made = checkpoint.read(
        lab.run(tuned(start, strategy={"head_epochs": 2}, training={"epochs": 4}, seed=3).run_id).checkpoint
    )
    assert made.selection.epoch > 2, "an epoch of the head alone is not chosen"


@pytest.mark.parametrize(
    "optimizer", ["adamw", "sam", "schedule-free-adamw"]
)  # once over, a second pass, averages
def test_head_first_cut_off_before_the_switch_is_the_uninterrupted_run(source, optimizer):
    lab, start = source

    def cutting(line):
        if line["stage"] == "train" and line["done"] >= 3:
            raise KeyboardInterrupt

    wanted = tuned(
        start, strategy={"head_epochs": 1}, training={"epochs": 2, "optimizer": optimizer, "augment": "none"}
    )
    whole, cut = carried_out(lab, wanted), lab.run(f"{wanted.run_id}-cut")
    with pytest.raises(KeyboardInterrupt):
        train.fit(wanted, lab, cut, Progress(every=0, echo=cutting), "cpu", save_every=0)
    train.fit(wanted, lab, cut, Progress(), "cpu")
    assert all(torch.equal(tensor, tensors(cut)[name]) for name, tensor in tensors(whole).items())


def test_a_head_goes_on_label_by_label(source):
    lab, start = source
    planted.write_site(lab, "target2", n=120, seed=4)
    wanted = tuned(
        start,
        view={"source": ("target2",), "labels": ("Edema", "Pneumonia")},
        strategy={"layers": "head", "images": 0},
        training={"epochs": 1, "learning_rate": 1e-9, "weight_decay": 0},
    )
    before, after = tensors(start), tensors(carried_out(lab, wanted))
    torch.testing.assert_close(after["head.1.weight"][1], before["head.1.weight"][0])
    assert not torch.allclose(after["head.1.weight"][0], before["head.1.weight"][0], atol=1e-3)


def test_a_mixed_runs_head_becomes_each_homes_and_heads_become_their_mean(lab):
    for k, site in enumerate(("home", "second", "third")):
        planted.write_site(lab, site, n=80, seed=k)
    still = {"epochs": 1, "learning_rate": 1e-9, "weight_decay": 0}
    mixed = carried_out(lab, planted.train_spec(view=PAIR, training={"epochs": 1}))
    heads = {"heads": "by-site", "layers": "head"}
    each = carried_out(
        lab, planted.train_spec(view=PAIR, training=still, strategy={**heads, "start_from": mixed.run_id})
    )
    one, two = tensors(mixed)["head.1.weight"], tensors(each)["head.1.weight"]
    torch.testing.assert_close(two, torch.cat([one, one]))
    learnt = carried_out(
        lab, planted.train_spec(view=PAIR, training={"epochs": 2}, strategy={"heads": "by-site"})
    )
    both = tensors(learnt)["head.1.weight"]
    for site, expected in (("second", both[1:]), ("third", both.mean(dim=0, keepdim=True))):
        view = {"source": (site,), "labels": FINDING}
        how = {"layers": "head", "start_from": learnt.run_id}
        after = tensors(carried_out(lab, planted.train_spec(view=view, training=still, strategy=how)))
        torch.testing.assert_close(after["head.1.weight"], expected)


# What was seen before ------------------------------------------------------------------------------------------------


def test_the_start_is_part_of_a_runs_name_and_may_not_change_afterwards(source, tmp_path):
    lab, start = source
    one = request.complete(lab, tuned(start))
    assert set(one.data) == {"target", "home", f"start:{start.run_id}"}
    assert one.data["home"] == store.read(lab.store("home")).digest
    other = one.model_copy(update={"data": {**one.data, f"start:{start.run_id}": "0" * 64}})
    assert other.run_id != one.run_id
    with pytest.raises(BadRun, match="holds other weights than when this run was submitted"):
        train.fit(other, lab, lab.run(other.run_id), Progress(), "cpu")


def test_homes_of_the_start_are_never_external(source):
    lab, start = source
    with pytest.raises(BadSpec, match=r"home cannot be external: .* builds on, was trained there"):
        request.complete(lab, tuned(start, view={"external": ("home",)}))
    with pytest.raises(BadSpec, match="home cannot be external"):
        carried_out(lab, tuned(start, view={"external": ("home",)}))
    first = carried_out(lab, request.complete(lab, tuned(start, training={"epochs": 1})))
    second = planted.train_spec(
        view={"source": ("away",), "external": ("home",), "labels": FINDING},
        strategy={"start_from": first.run_id},
    )
    with pytest.raises(BadSpec, match="home cannot be external"):
        request.complete(lab, second)


def test_a_site_seen_before_is_scored_by_split_and_another_is_external(source):
    lab, start = source
    run = carried_out(
        lab, request.complete(lab, tuned(start, training={"epochs": 1}, seed=5)), "home", "away"
    )
    assert set(checkpoint.read(run.checkpoint).stores) == {"home", "target"}
    assert set(predictions.read(run.predictions("home")).table["split"]) == {"train", "val", "test"}
    assert set(predictions.read(run.predictions("away")).table["split"]) == {"external"}
    assert lineage.seen_sites(spec.read(run.spec)) == ("target", "home")


def test_copies_of_the_starts_home_are_guarded_as_homes_are(source, tmp_path):
    lab, start = source
    planted.write_site(lab, "copy", n=120)  # the same seed as home: the same pictures
    with pytest.raises(BadSpec, match=r"copy is not new to home: .* near-duplicates of home's"):
        request.complete(lab, tuned(start, view={"external": ("copy",)}))
    done = carried_out(lab, request.complete(lab, tuned(start, training={"epochs": 1}, seed=6)))
    with pytest.raises(BadSpec, match="copy is not new to home"):
        request.complete(lab, spec.ScoreSpec(run=done.run_id, sites=("copy",)))
    request.complete(lab, spec.ScoreSpec(run=done.run_id, sites=("home",)))  # seen, and scored as seen


def test_a_store_of_before_that_is_gone_is_said_and_stops_nothing(source, tmp_path):
    lab, start = source
    path = lab.store("home")
    kept = path.rename(tmp_path / "home.h5")
    try:
        whole = request.complete(lab, tuned(start, view={"external": ("away",)}))
        (one,) = request.overlaps(lab, whole)
    finally:
        kept.rename(path)
    assert not one.is_fatal and "away was not compared with home" in one.says


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            {"model": {"name": "small_cnn3"}},
            "holds the network 'small_cnn' and this run asks for 'small_cnn3'",
        ),
        ({"view": {"image_px": 28}}, r"saw images of 32 px.*asks for 28 px"),
        ({"view": {"preprocess": {"crop": "centre"}}}, "Set the group 'Images'"),
        ({"view": {"official_split": True}}, "may have seen rows that this run would test on"),
    ],
)
def test_a_start_that_does_not_fit_is_one_sentence_at_submission_and_at_work(source, change, match):
    lab, start = source
    with pytest.raises(BadSpec, match=match):
        lineage.check(lab, tuned(start, **change))
    with pytest.raises(BadSpec, match=match):
        loaded = checkpoint.read(start.checkpoint)
        lineage.check_fit(loaded.spec, tuned(start, **change))


def test_a_start_that_is_not_there_or_not_finished_is_said(source):
    lab, _ = source
    wanted = planted.train_spec(view={"labels": FINDING}, seed=9)
    missing = lab.run(wanted.run_id)
    with pytest.raises(MissingInput, match=r"no run named .* to start from"):
        request.complete(lab, tuned(missing))
    files.write_text(missing.spec, spec.dumps(wanted))
    with pytest.raises(MissingInput, match="has no finished checkpoint"):
        request.complete(lab, tuned(missing))


# The list that a form asks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", strategies.CHOICES)
def test_every_strategy_makes_a_spec_that_can_be(name):
    choice = strategies.CHOICES[name]
    sources = ("home", "second")[: choice.homes]
    base = {
        "kind": "train",
        "view": {"source": sources},
        "training": {"epochs": 10, "batch": 8},
        "strategy": {"start_from": "a-run"} if choice.start else {},
        **({"teacher": "a-run"} if "teacher" in choice.asks else {}),
    }
    if "strategy.shares" in choice.asks:
        base["strategy"] = {"shares": {"home": 0.5, "second": 0.5}}
    made = spec.build(strategies.applied(name, base))
    assert choice.sentence.endswith(".")
    assert bool(made.strategy.start_from) == bool(choice.start)
    assert spec.build(strategies.applied(name, strategies.applied(name, base))) == made


def test_options_of_moco_that_are_defaults_are_no_other_run():
    plain = planted.train_spec(task="moco")
    said = planted.train_spec(task="moco", strategy={"moco_options": {"temperature": 0.2}})
    assert said.run_id == plain.run_id
    with pytest.raises(BadSpec, match="no option named 'heat'"):
        planted.train_spec(task="moco", strategy={"moco_options": {"heat": 1}})
    with pytest.raises(BadSpec, match="are for the task 'moco'"):
        planted.train_spec(strategy={"moco_options": {"temperature": 0.3}})


def test_unannotated_rows_are_no_part_of_a_budget(lab):
    def change(evidence):
        evidence[::2, :] = int(Evidence.NOT_ANNOTATED)

    planted.write_site(lab, "home", n=200, change=change)
    taken, _ = chosen(lab, strategy={"images": 30})
    ids = store.read(lab.store("home")).rows["image_id"].to_numpy()[::2]
    assert len(taken["home"]) == 30 and not taken["home"] & set(ids)
