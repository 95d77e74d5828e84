"""A run that was cut off, however often and wherever, ends as the run that was not: every optimizer, bit for bit.

Optimizers, losses, schedules and samplings are taken from their lists: adding one adds its case. Where a run is cut comes
from a digest of the case's name and CXRLAB_TEST_SEED, and is printed.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from cxrlab import checkpoint, files, spec, train
from cxrlab.choices import losses, optimizers, sampling, schedules
from cxrlab.learning import efficiency, loop
from cxrlab.optimizers import OPTIMIZERS
from cxrlab.progress import Progress, read
from tests import planted
from tests.learning import plain

ROOT = Path(__file__).parent.parent.parent
SEED = os.environ.get("CXRLAB_TEST_SEED", "0")
EPOCHS = 3
# Options that make the rare event of a plug-in happen within a few steps.
BRISK = {"soap": {"every": 2}, "looksam": {"every": 3}, "plateau": {"wait": 0, "threshold": 0.5}}
IN_FP16 = "adam"  # one is enough: a CPU without such units computes in it ten times slower


def turn(of, k):
    return list(of)[k % len(of)]


def case(optimizer, k):
    """The k-th optimizer with a loss, a schedule and so on: each list in turn, at a pace of its own."""
    schedule, precision = turn(schedules.CHOICES, k // 3), turn(("fp32", "bf16"), k)
    by_site = k % 4 == 1
    in_fp16 = optimizer == IN_FP16
    return {
        "model": {"name": "small_cnn3" if in_fp16 else "small_cnn"},
        "view": {"source": ("home", "second")} if by_site else {},
        "strategy": {"heads": "by-site"} if by_site else {},
        "training": {
            "optimizer": optimizer,
            "optimizer_options": BRISK.get(optimizer, {}),
            "loss": turn(losses.CHOICES, k),
            "schedule": schedule,
            "schedule_options": BRISK.get(schedule, {}),
            "sampling": turn(sampling.CHOICES, k // 2),
            "precision": "fp16" if in_fp16 else precision,
            "accumulate": turn((1, 3), k // 3),
            "clip_norm": turn((0.0, 0.3), k // 2),
        },
    }


CASES = {name: case(name, k) for k, name in enumerate(optimizers.CHOICES)} | {
    "moco, two passes": {
        "task": "moco",
        "training": {"optimizer": "sam", "augment": "contrast", "accumulate": 2},
    },
    "moco, an average": {
        "task": "moco",
        "training": {"optimizer": "schedule-free-adamw", "augment": "contrast"},
    },
    "autoencoder": {
        "task": "autoencoder",
        "model": {"name": "autoencoder"},
        "training": {"optimizer": "muon", "schedule": "plateau", "schedule_options": BRISK["plateau"]},
    },
    "gated": {
        "model": {"name": "hierarchical", "options": {"gate": "small_cnn3", "disease": "small_cnn"}},
        "training": {"optimizer": "lion", "learning_rate": 3e-4},
    },
}


def wanted_of(name):
    fields = CASES[name]
    training = {"epochs": EPOCHS, "batch": 12, "patience": 50, **fields["training"]}
    return planted.train_spec(**{**fields, "training": training})


def test_every_plug_in_that_remembers_or_draws_has_a_case():
    said = [wanted_of(name) for name in CASES]
    assert {one.training.optimizer for one in said} == set(OPTIMIZERS)
    assert {one.training.loss for one in said} >= set(losses.CHOICES)
    assert {one.training.schedule for one in said} >= set(schedules.CHOICES)
    assert {one.training.sampling for one in said} >= set(sampling.CHOICES)
    assert {one.training.precision for one in said} >= {"fp32", "bf16", "fp16"}
    for field, values in (("accumulate", {1, 3}), ("clip_norm", {0.0, 0.3})):
        assert {getattr(one.training, field) for one in said} >= values
    assert {one.strategy.heads for one in said} == {"shared", "by-site"}
    assert {one.task for one in said} == {"labels", "moco", "autoencoder"}


class Cut(BaseException):
    """The power going."""


def cutting(when):
    """Return a Progress that cuts the power when `when` says so of a line of the training and the step it stands at."""

    def echo(line):
        # A resumed run counts what is left of the steps planned.
        if line["stage"] == "train" and when(line, line["done"] - line["of"]):
            raise Cut

    return Progress(every=0, echo=echo)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """One batch is timed in place of twenty-three: how long a network takes is no matter here."""
    monkeypatch.setattr(
        train, "measure_inference", lambda *args: efficiency.measure_inference(*args, batches=1)
    )


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """A lab with two homes; some rows say nothing of some labels."""
    from cxrlab.paths import Lab

    lab = Lab(tmp_path_factory.mktemp("resume"))
    planted.write_site(lab, "home", n=60, change=plain.masks)
    planted.write_site(lab, "second", n=40, seed=1)
    return lab


def fit(lab, wanted, folder, progress=None):
    run = lab.run(wanted.run_id + folder)
    # A run that nobody cuts need not keep anything on its way.
    save_every = 0 if folder else train.SAVE_EVERY
    train.fit(wanted, lab, run, progress or Progress(), "cpu", save_every=save_every)
    return run


def assert_same(whole, cut):
    """Every tensor, and all that the checkpoint and the run's record say of it, but for the time it took."""
    one, other = checkpoint.read(whole.checkpoint), checkpoint.read(cut.checkpoint)
    assert set(one.tensors) == set(other.tensors)
    moved = [k for k, t in one.tensors.items() if not torch.equal(t, other.tensors[k])]
    assert moved == []
    assert {**vars(one), "tensors": 0} == {**vars(other), "tensors": 0}
    one, other = files.read_json(whole.efficiency), files.read_json(cut.efficiency)
    assert (one["history"], one["notes"], one["epochs"]) == (
        other["history"],
        other["notes"],
        other["epochs"],
    )


@pytest.mark.parametrize("name", CASES)
def test_a_run_cut_off_three_times_is_the_uninterrupted_run(homes, name):
    """Within an epoch; after its last step, before it was judged; after it was judged."""
    wanted = wanted_of(name)
    whole = fit(homes, wanted, "")
    a_epoch = plain.prepared(homes, wanted).steps
    planned = EPOCHS * a_epoch
    draw = random.Random(f"{SEED} {name}")
    step, judged, closed = draw.randrange(1, a_epoch), draw.randrange(1, EPOCHS), EPOCHS - 1
    print(f"{name}: cut after step {step}, before epoch {judged} is judged, after epoch {closed}")
    moments = [
        (lambda _line, at: at >= step + 1 - planned, (0, step)),
        (lambda line, _at: line.get("epoch") == judged, (judged - 1, a_epoch)),
        (lambda _line, at: at >= closed * a_epoch + 1 - planned, (closed, 0)),
    ]
    for when, stands_at in moments:
        with pytest.raises(Cut):
            fit(homes, wanted, "-cut", cutting(when))
        last = checkpoint.read_last(homes.run(wanted.run_id + "-cut").last)
        assert (last.epoch, last.step) == stands_at
        if wanted.training.precision == "fp16":
            assert last.scaler
    assert_same(whole, fit(homes, wanted, "-cut"))


CHILD = """
import sys
from pathlib import Path
from cxrlab import spec, train
from cxrlab.paths import Lab
from cxrlab.progress import Progress

wanted, lab = spec.read(Path(sys.argv[1])), Lab(Path(sys.argv[2]))
run = lab.run(wanted.run_id + "-killed")
train.fit(wanted, lab, run, Progress(run.progress, every=0), "cpu", save_every=0)
"""


def killed(lab, wanted, draw, tmp_path):
    """Train in a process of its own and kill it at a moment that nobody chose; return the steps that it had told of."""
    files.write_text(tmp_path / "spec.json", spec.dumps(wanted))
    run = lab.run(wanted.run_id + "-killed")
    before = len(read(run.progress))
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "spec.json"), str(lab.root)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    until, told = time.monotonic() + 60, []
    while time.monotonic() < until and process.poll() is None:
        told = [line for line in read(run.progress)[before:] if line["stage"] == "train"]
        if told and told[-1]["done"] > 1:  # one step at least was kept
            break
        time.sleep(0.02)
    time.sleep(draw.uniform(0, 0.4))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was over before it was killed"
    return len(read(run.progress)) - before


@pytest.mark.parametrize("optimizer", ["gsam", "schedule-free-adamw"])
def test_a_process_killed_twice_at_any_moment_resumes_to_the_same_network(homes, optimizer, tmp_path):
    wanted = planted.train_spec(
        training={"epochs": 10, "batch": 12, "optimizer": optimizer, "loss": "pairwise", "patience": 50}
    )
    draw = random.Random(f"{SEED} {optimizer}")
    for _ in range(2):
        told = killed(homes, wanted, draw, tmp_path)
        last = checkpoint.read_last(homes.run(wanted.run_id + "-killed").last)
        print(f"{optimizer}: killed {told} lines on; it stands at epoch {last.epoch}, step {last.step}")
    assert_same(fit(homes, wanted, ""), fit(homes, wanted, "-killed"))


def test_what_recalibrates_batch_norm_draws_the_same_after_a_resumption(homes):
    """Dropout before a batch norm: what the generator drew before must not matter, a resumed run has drawn nothing."""
    wanted = planted.train_spec(training={"optimizer": "schedule-free-adamw"})
    found = []
    for drawn in (0, 7):
        going = plain.put_in(plain.prepared(homes, wanted), plain.Wavering(3))
        torch.rand(drawn)
        with loop.judged(going):
            found.append([t.clone() for t in going.net.buffers()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_recalibrated_statistics_are_of_the_weights_that_are_judged_and_no_earlier_ones(homes):
    """A small home has a few batches; a running mean over them would still be half of what it was before."""
    wanted = planted.train_spec(training={"optimizer": "schedule-free-adamw", "augment": "none"})
    going = plain.prepared(homes, wanted)
    norms = [m for m in going.net.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.running_mean.fill_(100.0)
        norm.running_var.fill_(100.0)
    momentum = [norm.momentum for norm in norms]
    with loop.judged(going):
        judged = going.net.blocks[0][1].running_mean.clone()
        with torch.no_grad():
            seen = torch.cat([going.net.blocks[0][0](x) for x in going.feed.batches(going.rows.train, 8)])
        assert float((judged - seen.mean(dim=(0, 2, 3))).abs().max()) < 0.02
    assert [norm.momentum for norm in norms] == momentum
    assert all(float(norm.running_mean.min()) == 100.0 for norm in norms)
