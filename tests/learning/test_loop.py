"""The walk's own promises: parts that add up, rules that choose, precisions, stopping; each tried on a real training."""

import copy
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from torch.nn import functional

from cxrlab import checkpoint, files, train
from cxrlab.checkpoint import Selection
from cxrlab.errors import BadRun
from cxrlab.labels import Evidence
from cxrlab.learning import judging, loop
from cxrlab.progress import Progress
from tests import planted
from tests.learning import plain

ROOT = Path(__file__).parent.parent.parent


def masks(evidence):
    """Some rows say nothing of some labels, so that labels have different numbers of known rows."""
    evidence[::3, 1] = int(Evidence.NOT_ANNOTATED)
    evidence[1::5, 2] = int(Evidence.NOT_ANNOTATED)


@pytest.fixture
def home(lab):
    planted.write_site(lab, "home", n=60, change=masks)
    return lab


def fit(lab, wanted):
    run = lab.run(wanted.run_id)
    train.fit(wanted, lab, run, Progress(), "cpu")
    return run


@pytest.mark.parametrize("loss", ["bce", "focal", "asymmetric", "smoothed"])
@pytest.mark.parametrize("parts", [2, 3, 8])
def test_the_gradients_of_a_batch_in_parts_add_up(home, loss, parts):
    going = plain.prepared(home, planted.train_spec(training={"loss": loss, "precision": "fp32"}))
    torch.manual_seed(0)
    plain.put_in(going, plain.Plain(3))
    x, y, site = plain.batch(going)
    found = {}
    for going.parts in (1, parts):
        going.net.zero_grad()
        value = loop._descend(going, x, y, site, 0)
        found[going.parts] = value, torch.cat([p.grad.flatten() for p in going.net.parameters()])
    assert found[1][0] == pytest.approx(float(found[parts][0]), abs=1e-6)
    assert float((found[1][1] - found[parts][1]).abs().max()) < 1e-6
    assert float(found[1][1].abs().max()) > 1e-3


def test_a_batch_that_no_number_of_parts_divides_is_seen_whole(home):
    going = plain.prepared(home, planted.train_spec(training={"accumulate": 3, "precision": "fp32"}))
    seen = []
    plain.put_in(going, plain.Plain(3)).net.register_forward_pre_hook(
        lambda _net, given: seen.append(len(given[0]))
    )
    loop._descend(going, *plain.batch(going), 0)
    assert seen == [3, 3, 2]


def test_a_step_follows_no_gradient_longer_than_asked(home):
    going = plain.prepared(home, planted.train_spec(training={"clip_norm": 0.01, "precision": "fp32"}))
    plain.put_in(going, plain.Plain(3))
    loop.step(going, *plain.batch(going), 0)
    length = math.sqrt(sum(float(p.grad.square().sum()) for p in going.net.parameters()))
    assert length == pytest.approx(0.01, rel=1e-3)


def test_kernels_lie_channels_last(home):
    going = plain.prepared(home, planted.train_spec())
    kernels = [p for p in going.net.parameters() if p.ndim == 4 and min(p.shape[:2]) > 1]
    assert kernels and all(p.is_contiguous(memory_format=torch.channels_last) for p in kernels)
    x = next(going.feed.batches(going.rows.train[:8], 8))
    assert x.is_contiguous(memory_format=torch.channels_last)


# --- by which rule an epoch is chosen -----------------------------------------------------------------------------------


def by_hand(going):
    """Every rule's value, from the network's outputs alone."""
    rows = going.rows.val
    net = copy.deepcopy(going.net).eval()
    with torch.no_grad():
        out = net(next(going.feed.batches(rows, len(rows))))
    y, z = going.rows.y_true[rows], out.numpy()
    known = [~np.isnan(y[:, k]) for k in range(3)]
    mean = lambda score: np.mean([score(y[w, k], z[w, k]) for k, w in enumerate(known)])
    bce = functional.binary_cross_entropy_with_logits(
        torch.from_numpy(np.nan_to_num(z)), torch.nan_to_num(torch.from_numpy(y)), pos_weight=going.pos_weight,
        reduction="none",
    ).numpy()  # fmt: skip
    return {
        "val-macro-auroc": mean(roc_auc_score),
        "val-macro-auprc": mean(average_precision_score),
        "val-loss": np.mean([bce[w, k].mean() for k, w in enumerate(known)]),
        "last": mean(roc_auc_score),
    }


@pytest.mark.parametrize("name", ["val-macro-auroc", "val-macro-auprc", "val-loss", "last"])
def test_a_rule_says_what_it_says_by_hand(lab, name):
    planted.write_site(lab, "home", n=160, change=masks)
    going = plain.prepared(lab, planted.train_spec(training={"select": name}))
    assert judging.rule_of(going).name == name
    assert judging.validate(going) == pytest.approx(by_hand(going)[name], abs=1e-6)


def test_the_rule_of_reconstruction_is_the_error_by_hand(lab):
    planted.write_site(lab, "home", n=60)
    going = plain.prepared(lab, planted.train_spec(task="autoencoder", model={"name": "autoencoder"}))
    assert judging.rule_of(going).name == "val-mse"
    x = next(going.feed.batches(going.rows.val, len(going.rows.val)))
    with torch.no_grad():
        expected = functional.mse_loss(copy.deepcopy(going.net).eval()(x), x)
    assert judging.validate(going) == pytest.approx(float(expected), rel=1e-5)


# Validation values of five epochs, and the epoch that each rule keeps of them.
VALUES = [0.5, 0.7, 0.6, 0.7, 0.4]
CHOSEN = {"val-macro-auroc": 2, "val-macro-auprc": 2, "val-loss": 5, "val-mse": 5, "last": 5}


@pytest.mark.parametrize("name", judging.RULES)
def test_every_rule_keeps_its_epoch_and_says_its_name(lab, name, monkeypatch):
    planted.write_site(lab, "home", n=60)
    values = iter(VALUES)
    monkeypatch.setattr(judging, "validate", lambda _: next(values))
    task = {"task": "autoencoder", "model": {"name": "autoencoder"}} if name == "val-mse" else {}
    run = fit(lab, planted.train_spec(**task, training={"epochs": 5, "select": name}))
    assert checkpoint.read(run.checkpoint).selection == Selection(
        name, VALUES[CHOSEN[name] - 1], CHOSEN[name], 5
    )


@pytest.mark.parametrize(("name", "ends"), [("val-macro-auroc", 4), ("val-loss", 5), ("last", 5)])
def test_patience_counts_epochs_without_a_better_value(lab, name, ends, monkeypatch):
    planted.write_site(lab, "home", n=60)
    values = iter(VALUES)
    monkeypatch.setattr(judging, "validate", lambda _: next(values))
    more = {"val-loss": {"patience": 4}}.get(name, {"patience": 2})
    run = fit(lab, planted.train_spec(training={"epochs": 5, "select": name, **more}))
    assert len(files.read_json(run.efficiency)["history"]) == ends


# --- precisions, compiling ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_every_precision_learns_the_planted_square(lab, precision):
    planted.write_site(lab, "home", n=120)
    wanted = planted.train_spec(
        view={"labels": ("Pneumonia",)}, training={"epochs": 8, "precision": precision}
    )
    made = checkpoint.read(fit(lab, wanted).checkpoint)
    assert made.precision == precision and made.selection.value > 0.95
    assert all(t.dtype in (torch.float32, torch.int64) for t in made.tensors.values())


def test_the_scale_of_fp16_is_part_of_the_state(home):
    """A resumed run that began with another scale would skip other steps."""
    from cxrlab.learning.state import restore, state_of

    wanted = planted.train_spec(training={"precision": "fp16"})
    going = plain.prepared(home, wanted)
    going.scaler.scale(torch.zeros(()))  # which makes it
    going.scaler.update(1024.0)
    path = home.run(wanted.run_id).last
    checkpoint.write_last(path, state_of(going))
    again = plain.prepared(home, wanted)
    restore(again, checkpoint.read_last(path))
    assert again.scaler.scale(torch.ones(())) == 1024.0


COMPILED = """
import sys
from cxrlab import train, spec
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from tests import planted
lab = Lab.here()
wanted = planted.train_spec(task="autoencoder", model={"name": "autoencoder"},
                            training={"epochs": 1, "compile": True, "precision": "fp32"})
train.fit(wanted, lab, lab.run("compiled"), Progress(), "cpu")
"""


def compiled(lab, tmp_path, **env):
    planted.write_site(lab, "home", n=40)
    return subprocess.run(
        [sys.executable, "-c", COMPILED], cwd=ROOT, check=False, capture_output=True, text=True,
        env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"), **env},
    )  # fmt: skip


def test_without_a_compiler_the_wish_to_compile_is_one_sentence(lab, tmp_path):
    done = compiled(lab, tmp_path, CXX="no-such-compiler")
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("cxrlab.errors.BadRun: the network could not be compiled here (")
    assert last.endswith("switch 'Compile' off, or install a C++ compiler.")


@pytest.mark.slow
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="needs a C++ compiler")
def test_a_compiled_network_trains_to_an_ordinary_checkpoint(lab, tmp_path):
    done = compiled(lab, tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    made = checkpoint.read(lab.run("compiled").checkpoint)
    checkpoint.network(made, torch.device("cpu"))  # names as of a network that was not compiled


# --- a run that breaks --------------------------------------------------------------------------------------------------


def test_a_run_that_really_diverges_stops_and_keeps_its_best_network(lab):
    """Steps of RMSprop at a rate of 1 drive fp16 beyond its largest number after an epoch."""
    planted.write_site(lab, "home", n=60)
    wanted = planted.train_spec(
        training={"epochs": 12, "patience": 12, "learning_rate": 1.0, "optimizer": "rmsprop", "precision": "fp16"}
    )  # fmt: skip
    with pytest.raises(
        BadRun, match=r"the loss became nan in epoch .*lower the learning rate \(1\).*kept\.saf"
    ):
        fit(lab, wanted)
    kept = checkpoint.read(lab.run(wanted.run_id).kept)
    net = checkpoint.network(kept, torch.device("cpu"))
    assert torch.isfinite(net(torch.rand(2, 1, planted.PX, planted.PX))).all()
    assert not lab.run(wanted.run_id).checkpoint.exists()
