"""Training learns what is there, stops when it should, and goes on as if it had never been cut off."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from cxrlab import checkpoint, files, spec, store, train
from cxrlab.errors import BadRun, BadSpec, MissingInput
from cxrlab.learning import devices, judging, loop, objectives
from cxrlab.optimizers.schedules import SCHEDULES
from cxrlab.progress import Progress, read
from tests import planted

ROOT = Path(__file__).parent.parent


class Cut(BaseException):
    """The power going."""


def cutting(at):
    """Return a Progress that cuts the power at the `at`-th training step."""

    def echo(line):
        if line["stage"] == "train" and line["done"] >= at:
            raise Cut

    return Progress(every=0, echo=echo)


def fit(lab, wanted, progress=None, folder="", **more):
    run = lab.run(wanted.run_id + folder)
    train.fit(wanted, lab, run, progress or Progress(), "cpu", **more)
    return run


def same_tensors(a, b):
    a, b = checkpoint.read(a.checkpoint).tensors, checkpoint.read(b.checkpoint).tensors
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def home(lab):
    planted.write_site(lab, "home", n=120)
    return lab


def test_a_run_learns_the_planted_square_and_leaves_a_whole_folder(home):
    run = fit(home, planted.train_spec(view={"labels": ("Pneumonia",)}, training={"epochs": 10}))
    made = checkpoint.read(run.checkpoint)
    assert made.selection.rule == "val-macro-auroc"
    assert made.selection.value > 0.95
    assert made.labels == ("Pneumonia",)
    assert made.stores == {"home": store.read(home.store("home")).digest}
    assert not run.last.exists()
    cost = files.read_json(run.efficiency)
    assert cost["parameters"] == 531033
    assert cost["forward_flops"] > 0
    assert cost["peak_memory_bytes"] > 0
    assert cost["inference"]["p95_ms"] >= cost["inference"]["p50_ms"] > 0
    assert len(cost["history"]) == cost["epochs"]


def test_a_coin_cannot_be_learned(home):
    run = fit(home, planted.train_spec(view={"labels": ("Edema",)}, training={"epochs": 3}))
    from cxrlab import score
    from cxrlab.metrics.auroc import auroc
    from cxrlab.predictions import read as read_predictions

    planted.write_site(home, "away", n=200, seed=8)
    score.score_site(home, run, "away", Progress(), "cpu")
    said = read_predictions(run.predictions("away"))
    assert 0.35 < auroc(said.y_true()[:, 0], said.logit()[:, 0]) < 0.65


@pytest.mark.parametrize("network", ["small_cnn", "autoencoder"])
@pytest.mark.parametrize("at", [1, 12, 30])
def test_cut_off_anywhere_and_resumed_is_the_uninterrupted_run_bit_for_bit(home, network, at):
    wanted = planted.train_spec(
        task="autoencoder" if network == "autoencoder" else "labels",
        model={"name": network},
        training={"epochs": 3, "optimizer": "adam" if network == "autoencoder" else "adamw"},
    )
    whole = fit(home, wanted)
    with pytest.raises(Cut):
        fit(home, wanted, cutting(at), "-cut", save_every=0)
    assert not home.run(wanted.run_id + "-cut").checkpoint.exists()
    cut = fit(home, wanted, folder="-cut")
    assert same_tensors(whole, cut)
    one, other = files.read_json(whole.efficiency), files.read_json(cut.efficiency)
    assert one["history"] == other["history"]


def test_a_resumed_run_keeps_its_number_of_threads(home):
    """Sums split over other threads differ in their last bits."""
    wanted, before = planted.train_spec(training={"epochs": 3}), torch.get_num_threads()
    with devices.threads(1):
        whole = fit(home, wanted)
        with pytest.raises(Cut):
            fit(home, wanted, cutting(14), "-cut", save_every=0)
    with devices.threads(2):
        assert same_tensors(whole, fit(home, wanted, folder="-cut"))
    assert torch.get_num_threads() == before


def test_the_network_with_dropout_and_latents_resumes_too(home):
    autoencoder = fit(home, planted.train_spec(task="autoencoder", model={"name": "autoencoder"}))
    wanted = planted.train_spec(
        task="normal", model={"name": "latent_head", "latents_of": autoencoder.run_id}, training={"epochs": 3}
    )
    whole = fit(home, wanted)
    with pytest.raises(Cut):
        fit(home, wanted, cutting(14), "-cut", save_every=0)
    assert same_tensors(whole, fit(home, wanted, folder="-cut"))


def test_a_killed_process_resumes_to_the_same_network(home, tmp_path):
    """SIGKILL at a moment that nobody chose; last.ckpt is whole whenever it comes."""
    wanted = planted.train_spec(training={"epochs": 4})
    files.write_text(tmp_path / "spec.json", spec.dumps(wanted))
    code = (
        "import sys; from pathlib import Path; from cxrlab import spec, train; from cxrlab.paths import Lab\n"
        "from cxrlab.progress import Progress\n"
        "wanted = spec.read(Path(sys.argv[1])); lab = Lab.here(); run = lab.run(wanted.run_id + '-cut')\n"
        "train.fit(wanted, lab, run, Progress(run.progress, every=0), 'cpu', save_every=0)"
    )
    cut = home.run(wanted.run_id + "-cut")
    threads = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "spec.json")], cwd=ROOT, env=threads
    )
    wait_until = time.monotonic() + 60
    while time.monotonic() < wait_until and process.poll() is None:
        if any(line["stage"] == "train" and line["done"] > 5 for line in read(cut.progress)):
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert cut.last.exists()
    assert same_tensors(fit(home, wanted), fit(home, wanted, folder="-cut"))


def test_the_same_spec_is_the_same_network_and_another_seed_is_not(home):
    one, again = fit(home, planted.train_spec()), fit(home, planted.train_spec(), folder="-again")
    assert same_tensors(one, again)
    assert not same_tensors(one, fit(home, planted.train_spec(seed=1)))


def test_training_leaves_the_callers_random_stream_alone(home):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit(home, planted.train_spec(training={"epochs": 1}))
    assert torch.equal(torch.rand(1), expected)


def test_a_finished_run_is_not_trained_again(home):
    wanted = planted.train_spec()
    run = fit(home, wanted)
    then = run.checkpoint.stat().st_mtime_ns
    run.last.write_text("left by a process that was killed between its two last deeds")
    fit(home, wanted)
    assert run.checkpoint.stat().st_mtime_ns == then and not run.last.exists()
    with pytest.raises(BadRun, match="another spec"):
        train.fit(planted.train_spec(seed=2), home, run, Progress(), "cpu")


def test_the_state_of_another_spec_is_not_resumed(home):
    wanted = planted.train_spec()
    with pytest.raises(Cut):
        fit(home, wanted, cutting(3), save_every=0)
    with pytest.raises(BadRun, match="belongs to another spec"):
        train.fit(planted.train_spec(seed=2), home, home.run(wanted.run_id), Progress(), "cpu")


def test_it_stops_early_and_keeps_the_best_epoch(home, monkeypatch):
    values = iter([0.5, 0.8, 0.7, 0.8, 0.6, 0.9])
    monkeypatch.setattr(judging, "validate", lambda _: next(values))
    run = fit(home, planted.train_spec(training={"epochs": 6, "patience": 3}))
    chosen = checkpoint.read(run.checkpoint).selection
    assert (chosen.epoch, chosen.value, chosen.epochs_run) == (2, 0.8, 5)


def test_an_autoencoder_is_chosen_by_the_lowest_error(home):
    run = fit(
        home, planted.train_spec(task="autoencoder", model={"name": "autoencoder"}, training={"epochs": 4})
    )
    history = files.read_json(run.efficiency)["history"]
    chosen = checkpoint.read(run.checkpoint).selection
    assert chosen.rule == "val-mse"
    assert chosen.value == min(line["val"] for line in history)
    assert history[-1]["loss"] < history[0]["loss"]


def test_progress_counts_every_step_and_tells_loss_and_value_an_epoch(home):
    wanted = planted.train_spec(training={"epochs": 3})
    progress = Progress(home.root / "progress.jsonl", every=0)
    fit(home, wanted, progress)
    lines = read(home.root / "progress.jsonl")
    stages = list(dict.fromkeys(line["stage"] for line in lines))
    assert stages == ["load", "train"]
    steps = [line for line in lines if line["stage"] == "train"]
    assert steps[-1]["done"] == steps[-1]["of"] == 3 * (88 // 8)
    epochs = [line for line in steps if "val" in line]
    assert [line["epoch"] for line in epochs] == [1, 2, 3]
    assert all(math.isfinite(line["loss"]) for line in epochs)


def test_a_resumed_run_counts_only_what_is_left(home):
    wanted = planted.train_spec(training={"epochs": 3})
    with pytest.raises(Cut):
        fit(home, wanted, cutting(13), save_every=0)
    progress = Progress(home.root / "progress.jsonl", every=0)
    fit(home, wanted, progress)
    steps = [line for line in read(home.root / "progress.jsonl") if line["stage"] == "train"]
    assert steps[0]["of"] == steps[-1]["done"] == 33 - 12


def test_a_run_away_loss_is_one_sentence(home, monkeypatch):
    whole = objectives.Labelled.forward
    monkeypatch.setattr(objectives.Labelled, "forward", lambda *given: whole(*given) * math.nan)
    for save_every in (0, 20):
        with pytest.raises(BadRun, match="the loss became nan in epoch 1; lower the learning rate"):
            fit(home, planted.train_spec(), save_every=save_every)


def test_the_best_network_before_a_run_broke_is_kept(home, monkeypatch):
    whole, close, ended = objectives.Labelled.forward, loop.close_epoch, []
    monkeypatch.setattr(loop, "close_epoch", lambda *given: close(*given) or ended.append(1))
    monkeypatch.setattr(
        objectives.Labelled, "forward", lambda *given: whole(*given) * (math.nan if ended else 1)
    )
    wanted = planted.train_spec(training={"epochs": 6})
    with pytest.raises(BadRun, match=r"The network of epoch 1 .* is in kept\.safetensors"):
        fit(home, wanted)
    kept = checkpoint.read(home.run(wanted.run_id).kept)
    assert kept.selection.epoch == 1 and all(torch.isfinite(t.float()).all() for t in kept.tensors.values())


def test_a_network_that_says_nothing_finite_is_never_chosen(home, monkeypatch):
    monkeypatch.setattr(judging, "outputs", lambda _net, _feed, rows: torch.full((len(rows), 3), math.inf))
    with pytest.raises(BadRun, match="the validation value became nan"):
        fit(home, planted.train_spec())


def test_a_network_for_another_task_is_refused():
    with pytest.raises(BadSpec, match="does not do the task 'labels'; it does: normal"):
        planted.train_spec(model={"name": "latent_head", "latents_of": "x"})


def test_latents_of_a_run_that_is_not_there_are_missing(home):
    wanted = planted.train_spec(task="normal", model={"name": "latent_head", "latents_of": "nowhere"})
    with pytest.raises(MissingInput, match=r"'nowhere'.*has no finished checkpoint"):
        fit(home, wanted)


def test_latents_of_a_classifier_are_refused(home):
    other = fit(home, planted.train_spec(training={"epochs": 1}))
    wanted = planted.train_spec(task="normal", model={"name": "latent_head", "latents_of": other.run_id})
    with pytest.raises(BadSpec, match="expected an autoencoder run"):
        fit(home, wanted)


def test_the_rate_rises_then_falls():
    rates = [SCHEDULES["cosine"].rate(None, 1e-3, step, 200) for step in range(200)]
    top = int(np.argmax(rates))
    assert max(rates) == pytest.approx(1e-3)
    assert 5 < top < 15
    assert all(np.diff(rates[: top + 1]) >= 0)
    assert all(np.diff(rates[top:]) <= 0)
    assert rates[-1] < 2e-5
