"""A gate with a disease network behind it: learnt together, cut at home, and what is held back is never looked at."""

import numpy as np
import pytest
import torch

from cxrlab import checkpoint, files, gates, predictions, score, spec, train
from cxrlab.errors import BadSpec
from cxrlab.jobs import request
from cxrlab.labels import Evidence
from cxrlab.learning import cohort, hierarchy
from cxrlab.metrics.auroc import auroc
from cxrlab.metrics.rule_names import Rule
from cxrlab.progress import Progress
from cxrlab.spec import TrainSpec
from tests import planted

LABELS = ("No Finding", "Pneumonia", "Edema")
GATED = {"name": "hierarchical", "options": {"disease": "small_cnn"}}
N_HOME, N_AWAY = 300, 120


def sided(n, seed):
    """Abnormal is who has the square; Pneumonia is it in the left half, Edema in the right."""

    def change(evidence):
        _, has, corners = planted.images(n, seed)
        left = corners[:, 1] + planted.SIDE / 2 < planted.PX / 2
        evidence[:, 0], evidence[:, 1], evidence[:, 2] = ~has, has & left, has & ~left

    return change


def wanted(**fields) -> TrainSpec:
    view = {"labels": LABELS, "external": ("away",), **fields.pop("view", {})}
    training = {"epochs": 6, "batch": 16, "patience": 6, **fields.pop("training", {})}
    return planted.train_spec(view=view, training=training, **fields)


def carried_out(lab, asked, *sites):
    run = lab.run(asked.run_id)
    files.write_text(run.spec, spec.dumps(asked) + "\n")
    train.fit(asked, lab, run, Progress(), "cpu")
    for site in sites:
        score.score_site(lab, run, site, Progress(), "cpu")
    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A lab with a joint run, a gate, and a flat run of the same home, trained once."""
    from cxrlab.paths import Lab

    lab = Lab(tmp_path_factory.mktemp("hierarchy"))
    planted.write_site(lab, "home", n=N_HOME, change=sided(N_HOME, 0))
    planted.write_site(lab, "away", n=N_AWAY, seed=4, change=sided(N_AWAY, 4))
    runs = {
        "joint": carried_out(lab, wanted(model=GATED), "home", "away"),
        "flat": carried_out(lab, wanted(), "home", "away"),
        "gate": carried_out(lab, wanted(task="normal", model={"name": "small_cnn3"}), "home", "away"),
    }
    return lab, runs


def test_a_joint_run_says_findings_and_whether_there_are_any(trained):
    _, runs = trained
    said = predictions.read(runs["joint"].predictions("away"))
    assert said.labels == (*LABELS, "Abnormal")
    values = [auroc(said.y_true()[:, k], said.logit()[:, k]) for k in range(4)]
    assert min(values) > 0.9
    assert values[0] == pytest.approx(values[3])  # No Finding is the gate turned round
    made = checkpoint.read(runs["joint"].checkpoint)
    assert made.head == "gated" and set(made.log_pos_weight) == {0.0}


def test_the_gate_is_cut_by_the_named_rule_on_homes_validation_rows_alone(trained):
    _, runs = trained
    cost = files.read_json(runs["joint"].efficiency)["gate"]
    assert (cost["rule"], cost["tuned_on"]) == ("sensitivity 0.95", "home val")
    val = predictions.read(runs["joint"].predictions("home")).only("val")
    gate, y = val.table["logit:Abnormal"].to_numpy(), val.table["y:Abnormal"].to_numpy()
    cut = float(checkpoint.read(runs["joint"].checkpoint).tensors["cut"])
    assert (gate[y == 1] >= cut).mean() == pytest.approx(cost["sensitivity"]) and cost["sensitivity"] >= 0.95
    above = gate[y == 1][gate[y == 1] > cut]
    assert (gate[y == 1] >= above.min()).mean() < 0.95, "a higher cut would have missed the aim"
    assert cost["n_pos"] == int((y == 1).sum()) and cost["low"] <= cost["threshold"] <= cost["high"]


def test_what_the_gate_holds_back_the_disease_network_never_sees(trained):
    lab, runs = trained
    scorer = score.open_run(lab, runs["joint"], "cpu", "away")
    seen = []
    scorer.net.disease.register_forward_hook(lambda _m, args, _out: seen.append(len(args[0])))
    made = files.read_json(runs["joint"].hierarchy("away"))
    said = predictions.read(runs["joint"].predictions("away"))
    held = said.table["logit:Abnormal"].to_numpy() < made["cut"]
    assert 0 < held.sum() == made["images"] - made["passed"]

    from cxrlab import inputs, store

    opened = store.read(lab.store("away"))
    feed = scorer.feed(inputs.load([(opened, np.arange(N_AWAY))], planted.PX, scorer.device))
    with torch.inference_mode():
        again, saving = hierarchy.ask(scorer.net, feed, N_AWAY, 0, "away", Progress())
        assert sum(seen) == saving.passed == (~held).sum()
        seen.clear()
        batches = torch.cat([scorer.logits(x) for x in feed.batches(np.arange(N_AWAY), 50)])
    assert sum(seen) == saving.passed, "a batch of one's own is asked alike"
    np.testing.assert_allclose(again, said.logit(), atol=1e-4)
    np.testing.assert_allclose(batches, said.logit(), atol=1e-4)
    findings = said.logit()[:, 1:3]
    assert (findings[held].max(axis=0) <= findings[~held].min(axis=0)).all()


def test_a_gate_that_lets_nothing_through_never_calls_the_disease_network(trained):
    lab, runs = trained
    scorer = score.open_run(lab, runs["joint"], "cpu")
    scorer.net.cut.fill_(1e9)
    calls = []
    scorer.net.disease.register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        out = scorer.logits(torch.rand(5, 1, planted.PX, planted.PX))
    assert not calls and torch.isfinite(out).all()


def test_an_easy_gate_spares_the_normal_images_at_no_loss(trained):
    lab, runs = trained
    aim = Rule("sensitivity", 0.9)
    for found in (
        gates.jointly(lab, runs["joint"].run_id, runs["flat"].run_id, aim),
        gates.apart(lab, runs["gate"].run_id, runs["flat"].run_id, Rule("sensitivity", 0.95), aim),
    ):
        saved = found.saved.set_index("site").loc["away"]
        normal = saved["n_neg"] / (saved["n_pos"] + saved["n_neg"])
        assert saved["share"] == pytest.approx(normal, abs=0.1)
        assert saved["sensitivity"] > 0.9
        assert saved["spared_flops"] < saved["share"], "the gate has its own cost"
        assert (found.points["verdict"] != "loses").all()
        assert "At away the gate holds back" in found.sentences[1]


def test_skipping_is_recorded_with_operations_and_seconds(trained):
    _, runs = trained
    made = files.read_json(runs["joint"].hierarchy("home"))
    assert (made["format"], made["images"]) == ("cxrlab-hierarchy", N_HOME)
    assert made["gate_seconds"] > 0 and made["disease_seconds"] > 0
    cost = files.read_json(runs["joint"].efficiency)
    assert cost["gate"]["gate_flops"] + cost["gate"]["disease_flops"] == cost["forward_flops"]
    assert (made["gate_flops"], made["disease_flops"]) == (
        cost["gate"]["gate_flops"], cost["gate"]["disease_flops"],
    )  # fmt: skip


def test_maps_are_of_the_disease_network_and_what_the_gate_says_has_none(trained):
    from cxrlab.explain import mapfile, maps
    from cxrlab.jobs import stages

    lab, runs = trained
    asked = checkpoint.read(runs["joint"].checkpoint).spec
    stages.tune(asked, runs["joint"], Progress())
    maps.make(lab, runs["joint"], "away", Progress(), "cpu")
    made = mapfile.read(runs["joint"].maps("away"))
    assert made.layer.startswith("disease.")
    assert not set(made.rows["label"]) & {"No Finding", "Abnormal"}


def test_findings_are_learnt_of_abnormal_rows_and_the_gate_of_all(lab):
    planted.write_site(lab, "home", n=N_HOME, change=sided(N_HOME, 0))
    made = cohort.build(wanted(model=GATED), lab)
    assert made.labels == (*LABELS, "Abnormal")
    abnormal = made.y_true[:, 3] == 1
    assert np.isnan(made.target[~abnormal, 1:3]).all() and np.isnan(made.target[:, 0]).all()
    assert not np.isnan(made.target[abnormal, 1:3]).any() and not np.isnan(made.target[:, 3]).any()
    weights = hierarchy.weights_of(made.y_true[made.train], made.labels, balance=True)
    y = made.y_true[made.train]
    sick = y[y[:, 3] == 1]
    assert weights[1] == pytest.approx((sick[:, 1] == 0).sum() / (sick[:, 1] == 1).sum())
    assert weights[3] == pytest.approx((y[:, 3] == 0).sum() / (y[:, 3] == 1).sum())


def test_parts_of_a_batch_add_up_to_its_loss():
    torch.manual_seed(0)
    weight = torch.tensor([2.0, 1.0, 3.0])
    asked = wanted(model=GATED)
    objective = hierarchy.Gated(asked, weight)
    out, y = torch.randn(12, 3), (torch.rand(12, 3) < 0.5).float()
    y[y[:, 2] == 0, :2] = torch.nan
    site = torch.zeros(12, dtype=torch.int64)
    whole = objective(lambda x: x, out, y, site)
    parts = sum(objective(lambda x: x, out[p], y[p], site[p], y) for p in (slice(0, 5), slice(5, 12)))
    torch.testing.assert_close(parts, whole)
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    by_hand = bce(out[:, 2] + weight[2].log(), y[:, 2], pos_weight=weight[2])
    sick = y[:, 2] == 1
    by_hand = (
        by_hand
        + sum(bce(out[sick, k] + weight[k].log(), y[sick, k], pos_weight=weight[k]) for k in (0, 1)) / 2
    )
    torch.testing.assert_close(whole, by_hand)


@pytest.mark.parametrize(("value", "word"), [(1, "no normal"), (0, "no abnormal")])
@pytest.mark.parametrize("fields", [{"task": "normal"}, {"model": GATED}], ids=["normal", "joint"])
def test_a_gate_that_has_seen_one_kind_alone_is_refused(lab, value, word, fields):
    def change(evidence):
        evidence[:, 0], evidence[:, 1:] = 1 - value, value

    planted.write_site(lab, "home", n=120, change=change)
    asked = wanted(view={"external": ()}, **fields)
    for refuse in (lambda: request.complete(lab, asked), lambda: cohort.build(asked, lab)):
        with pytest.raises(BadSpec, match=f"{word} images among its training rows"):
            refuse()


def test_nobody_known_as_either_is_refused_too(lab):
    planted.write_site(lab, "home", n=120, change=lambda e: e.__setitem__(..., int(Evidence.UNCERTAIN)))
    with pytest.raises(BadSpec, match="no normal and no abnormal images"):
        request.complete(lab, wanted(task="normal", view={"external": ()}))


def test_a_finding_that_every_abnormal_image_has_cannot_stand_behind_a_gate(lab):
    def change(evidence):
        _, has, _ = planted.images(120, 0)
        evidence[:, 0], evidence[:, 1], evidence[:, 2] = ~has, has, 0

    planted.write_site(lab, "home", n=120, change=change)
    with pytest.raises(BadSpec, match="'Pneumonia' is not both positive and negative among the abnormal"):
        cohort.build(wanted(model=GATED, view={"labels": ("No Finding", "Pneumonia"), "external": ()}), lab)


def test_too_few_abnormal_rows_for_max_f1_match_their_number_and_say_so(lab):
    planted.write_site(lab, "home", n=160, change=sided(160, 0))
    model = {**GATED, "options": {**GATED["options"], "rule": "max-f1"}}
    run = carried_out(lab, wanted(model=model, view={"external": ()}, training={"epochs": 1}))
    cost = files.read_json(run.efficiency)["gate"]
    assert cost["rule"] == "prevalence" and "too few for max-F1" in cost["why_rule"]


def test_a_joint_run_that_was_cut_off_goes_on_as_if_it_had_not_been(lab):
    from tests.test_train import Cut, cutting, same_tensors

    planted.write_site(lab, "home", n=160, change=sided(160, 0))
    asked = wanted(model=GATED, view={"external": ()}, training={"epochs": 2})
    whole, cut = lab.run(asked.run_id), lab.run(asked.run_id + "-cut")
    train.fit(asked, lab, whole, Progress(), "cpu")
    with pytest.raises(Cut):
        train.fit(asked, lab, cut, cutting(9), "cpu", save_every=0)
    train.fit(asked, lab, cut, Progress(), "cpu", save_every=0)
    assert same_tensors(whole, cut)


def test_a_disease_network_without_maps_has_none_behind_a_gate_either():
    from cxrlab.explain import maps

    swin = {"name": "hierarchical", "options": {"disease": "timm:swin_tiny_patch4_window7_224"}}
    assert not maps.applies(wanted(model=swin, view={"image_px": 224}))
    assert maps.applies(wanted(model=GATED))
