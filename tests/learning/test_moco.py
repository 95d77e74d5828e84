"""Pretraining without labels: it learns what views share, resumes exactly, and other runs start from it."""

import numpy as np
import pandas as pd
import pytest
import torch

from cxrlab import checkpoint, files, predictions, score, spec, store, train
from cxrlab.errors import BadRun, BadSpec
from cxrlab.jobs import request, stages
from cxrlab.labels import Evidence
from cxrlab.learning import cohort, moco, starting
from cxrlab.metrics.auroc import auroc
from cxrlab.models.base import Plan, build
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from tests import planted

FINDING = ("Pneumonia",)
OPTIONS = {"momentum": 0.99}
LIGHT = {"augment": "light", "batch": 16, "learning_rate": 1e-3, "patience": 50}


def write_stripes(lab, site, n, seed, *, annotated=True):
    """Write a store of faint stripes in noise, lying or standing: no single pixel, nor their mean, says which."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[: planted.PX, : planted.PX]
    lies = rng.random(n) < 0.5
    period, phase, height = rng.uniform(4, 9, n), rng.uniform(0, 2 * np.pi, n), rng.uniform(8, 14, n)
    at = np.where(lies[:, None, None], down, across)
    waves = np.sin(at * (2 * np.pi / period)[:, None, None] + phase[:, None, None]) * height[:, None, None]
    grey = rng.uniform(105, 115, n)[:, None, None] + waves + rng.normal(0, 16, (n, planted.PX, planted.PX))
    rows = pd.DataFrame({column: [""] * n for column in store.ROW_COLUMNS})
    rows["image_id"], rows["patient_id"] = [f"{site}-{i}" for i in range(n)], [f"p{i}" for i in range(n)]
    rows["age_years"], rows["width"], rows["height"] = 50.0, planted.PX, planted.PX
    evidence = (
        lies.astype(np.int8)[:, None] if annotated else np.full((n, 1), int(Evidence.NOT_ANNOTATED), np.int8)
    )
    header = store.Header(site, site.title(), "planted", FINDING, synthetic=True)
    store.write(lab.store(site), header, rows, evidence, list(grey.clip(0, 255).astype(np.uint8)))


def carried_out(lab, wanted, *sites):
    run = lab.run(wanted.run_id)
    files.write_text(run.spec, spec.dumps(wanted) + "\n")
    train.fit(wanted, lab, run, Progress(), "cpu")
    for site in sites:
        score.score_site(lab, run, site, Progress(), "cpu")
    return run


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """A lab with many images that nobody annotated, few that somebody did, and a pretraining on the many."""
    lab = Lab(tmp_path_factory.mktemp("pretrained"))
    write_stripes(lab, "many", 300, 0, annotated=False)
    write_stripes(lab, "few", 150, 1)
    write_stripes(lab, "away", 120, 2)
    wanted = planted.train_spec(
        task="moco",
        view={"source": ("many",)},
        training={**LIGHT, "epochs": 12},
        strategy={"moco_options": OPTIONS},
    )
    return lab, carried_out(lab, request.complete(lab, wanted))


def neighbours_say(lab, net, seen):
    """Return how well the seven nearest images of `few` tell the stripes of `away` apart, by AUROC."""
    said, truth = [], []
    for site in ("few", "away"):
        opened = store.read(lab.store(site))
        x = torch.from_numpy(np.stack(list(opened.images(np.arange(len(opened)))))).reshape(
            -1, 1, planted.PX, planted.PX
        )
        with torch.inference_mode():
            said.append(torch.nn.functional.normalize(net.eval().embed(seen.normalise(seen.scale(x))), dim=1))
        truth.append(opened.evidence[:, 0].astype(float))
    nearest = (said[1] @ said[0].T).topk(7).indices.numpy()
    return auroc(truth[1], truth[0][nearest].mean(axis=1))


def test_it_learns_what_random_weights_do_not_know(pretrained):
    lab, run = pretrained
    made = checkpoint.read(run.checkpoint)
    history = files.read_json(run.efficiency)["history"]
    assert made.selection.rule == "val-loss" and made.labels == ()
    assert made.selection.value < history[0]["val"] - 0.3
    wanted, plan = planted.train_spec(view={"labels": FINDING}), Plan(made.spec.model, 1, planted.PX)
    random = []
    for seed in range(3):
        torch.manual_seed(seed)
        random.append(neighbours_say(lab, build(plan), made.input))
    net = build(plan)
    starting.load(net, made, plan, wanted, FINDING)
    assert neighbours_say(lab, net, made.input) > max(0.97, max(random) + 0.02), random


def test_a_run_starts_from_it_with_a_new_head(pretrained):
    lab, run = pretrained
    wanted = planted.train_spec(
        view={"source": ("few",), "external": ("away",), "labels": FINDING},
        strategy={"start_from": run.run_id, "layers": "head", "images": 40},
        training={"epochs": 12, "augment": "none", "learning_rate": 1e-2},
    )
    whole = request.complete(lab, wanted)
    assert set(whole.data) == {"few", "away", "many", f"start:{run.run_id}"}
    tuned = carried_out(lab, whole, "away")
    said = predictions.read(tuned.predictions("away"))
    assert auroc(said.y_true()[:, 0], said.logit()[:, 0]) > 0.9
    came = checkpoint.read(tuned.checkpoint).weights
    assert came.missing == 2 and came.unexpected == 4  # a new layer in the place of a projection of two
    with pytest.raises(BadSpec, match="many cannot be external"):
        request.complete(
            lab, wanted.model_copy(update={"view": wanted.view.model_copy(update={"external": ("many",)})})
        )


@pytest.mark.parametrize("optimizer", ["adamw", "sam"])
def test_cut_off_and_resumed_is_the_uninterrupted_run(pretrained, optimizer):
    lab, _ = pretrained
    wanted = planted.train_spec(
        task="moco",
        view={"source": ("few",)},
        training={"augment": "contrast", "epochs": 2, "optimizer": optimizer, "batch": 16},
    )

    def cutting(line):
        if line["stage"] == "train" and line["done"] >= 9:
            raise KeyboardInterrupt

    whole, cut = carried_out(lab, wanted), lab.run(f"{wanted.run_id}-cut")
    with pytest.raises(KeyboardInterrupt):
        train.fit(wanted, lab, cut, Progress(every=0, echo=cutting), "cpu", save_every=0)
    kept = checkpoint.read_last(cut.last).tensors
    assert {"objective.queue", "objective.patient", "objective.key.blocks.0.0.weight"} <= set(kept)
    train.fit(wanted, lab, cut, Progress(), "cpu")
    one, other = (checkpoint.read(run.checkpoint).tensors for run in (whole, cut))
    assert set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)


# The objective itself ------------------------------------------------------------------------------------------------


class Plain(torch.nn.Module):
    """A network whose outputs can be worked out by hand."""

    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(3, 16, bias=False)

    def forward(self, x):
        return self.head(x)


def objective(net, batch=2, n_train=20, **options):
    wanted = planted.train_spec(
        task="moco",
        training={"batch": batch},
        strategy={"moco_options": {"projected": 16, "queue": 16, **options}},
    )
    return moco.Moco(net, wanted, n_train)


def test_the_loss_is_the_formulas_and_leaves_the_patients_own_images_out():
    torch.manual_seed(0)
    net = Plain()
    made = objective(net, temperature=0.5)
    x, patient = torch.randn(4, 3), torch.tensor([[3.0], [4.0]])
    made.patient[:4] = torch.tensor([3, 3, 4, 9])
    queue, masked = made.queue.clone(), made.patient.clone()
    unit = torch.nn.functional.normalize
    query, key = (
        unit(net(x[:2]), dim=1),
        unit(net(x[2:]), dim=1),
    )  # at the first step the second encoder is the first
    expected = 0.0
    for i in range(2):
        others = [query[i] @ queue[j] for j in range(len(queue)) if masked[j] != patient[i, 0]]
        weights = torch.stack([query[i] @ key[i], *others]).div(0.5).exp()
        expected -= (weights[0] / weights.sum()).log() / 2
    torch.testing.assert_close(made(net, x, patient, torch.zeros(2)), expected)
    torch.testing.assert_close(made.queue[:2], key.detach())
    assert made.patient[:2].tolist() == [3, 4] and int(made.at) == 2
    made.train()
    made(net, x, patient, torch.zeros(2))
    assert int(made.at) == 4 and torch.equal(made.queue[4:], queue[4:])


def test_the_second_encoder_follows_once_a_batch_and_gets_no_gradient():
    torch.manual_seed(0)
    net = Plain()
    made = objective(net, batch=4, momentum=0.9)
    x, patient = torch.randn(8, 3), torch.arange(4.0)[:, None]
    made(net, x, patient, torch.zeros(4)).backward()
    assert net.head.weight.grad is not None and made.key.head.weight.grad is None
    before = made.key.head.weight.clone()
    with torch.no_grad():
        net.head.weight.add_(1.0)
    made.train()
    for part in (slice(0, 2), slice(2, 4)):  # a batch in parts
        seen = x.unflatten(0, (2, 4))[:, part].flatten(0, 1)
        made(net, seen, patient[part], torch.zeros(2), patient)
    torch.testing.assert_close(
        made.key.head.weight, (before + net.head.weight) / 2
    )  # at step 1: 1/2, below 0.9
    made.eval()
    kept = made.state_dict()["queue"].clone()
    made(net, x, patient, torch.zeros(4))
    assert torch.equal(made.queue, kept), "an optimizer's second look is not remembered"


def test_the_queue_stays_below_the_images():
    assert len(objective(Plain(), batch=4, n_train=14, queue=1000).queue) == 10
    assert len(objective(Plain(), batch=8, n_train=9, queue=1000).queue) == 8


def test_patients_are_told_apart_by_site_too(lab):
    planted.write_site(lab, "home", n=60, images_a_patient=3)
    planted.write_site(lab, "second", n=60, seed=1, images_a_patient=3)
    made = cohort.build(planted.train_spec(task="moco", view={"source": ("home", "second")}), lab)
    assert made.target.shape == (len(made.y_true), 1) and made.labels == ()
    of_home, of_second = (set(made.target[made.site == k, 0]) for k in (0, 1))
    assert not of_home & of_second and len(of_home) < len(made.target) / 4


# Around it -----------------------------------------------------------------------------------------------------------


def test_a_job_of_it_ends_after_training_and_nothing_is_scored(pretrained, tmp_path):
    lab, run = pretrained
    stages.carry_out(lab, spec.read(run.spec), run, Progress())
    assert run.checkpoint.exists() and not run.predictions_folder.exists() and not run.thresholds.exists()
    with pytest.raises(BadSpec, match="is a pretraining and says nothing of an image; start a run from it"):
        request.complete(lab, spec.ScoreSpec(run=run.run_id, sites=("away",)))
    with pytest.raises(BadRun, match="is a pretraining"):
        score.score_site(lab, run, "away", Progress(), "cpu")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            {"view": {"external": ("away",)}},
            "pretraining is not scored, so it has no external sites; leave out away",
        ),
        ({"training": {"augment": "none"}}, "two views of an image must differ"),
        ({"training": {"select": "val-macro-auroc"}}, "leave training.select at 'auto'"),
        ({"view": {"source": ("a", "b")}, "strategy": {"heads": "by-site"}}, "'by-site'"),
        ({"model": {"name": "latent_head", "latents_of": "x"}}, "does not do the task 'moco'"),
    ],
)
def test_what_makes_no_sense_without_labels_is_one_sentence(change, match):
    with pytest.raises(BadSpec, match=match):
        planted.train_spec(task="moco", **change)
