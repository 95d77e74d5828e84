"""Memory that really runs out: a limit on the process's own addresses, and what training does about it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from cxrlab import files
from cxrlab.errors import BadRun
from cxrlab.learning import devices, feeds, judging, loop
from tests import planted
from tests.learning import plain

ROOT = Path(__file__).parent.parent.parent
LINUX = pytest.mark.skipif(
    sys.platform != "linux", reason="macOS and Windows do not limit a process's addresses"
)

# The first step shows how much the process holds; then so many megabytes more are allowed.
TIGHT = """
import json, resource, sys
from pathlib import Path
from cxrlab import train
from cxrlab.errors import BadRun
from cxrlab.learning import loop
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from tests import planted

px, batch, megabytes = (int(word) for word in sys.argv[1:4])
lab, walk = Lab.here(), loop.walk
wanted = planted.train_spec(
    view={"image_px": px}, training={"epochs": 2, "batch": batch, "precision": "fp32", "augment": "none"}
)


def tight(going, *more):
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + megabytes * 2**20, resource.RLIM_INFINITY))
    walk(going, *more)


loop.walk = tight
try:
    train.fit(wanted, lab, lab.run("tight"), Progress(), "cpu")
except BadRun as error:
    print(json.dumps(str(error)))
"""


def tight(lab, px, batch, megabytes):
    planted.write_site(lab, "home", n=60, px=px)
    done = subprocess.run(
        [sys.executable, "-c", TIGHT, str(px), str(batch), str(megabytes)],
        cwd=ROOT, check=False, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@LINUX
def test_where_memory_runs_out_a_batch_goes_in_parts_and_the_run_ends_trained(lab):
    said = tight(lab, 128, 32, 400)  # also less than what a batch of 32 takes without gradients
    cost = files.read_json(lab.run("tight").efficiency)
    assert cost["notes"] and cost["notes"][0] in said
    assert cost["notes"][0].startswith("memory ran out: each batch of 32 goes in 2 parts since epoch 1")
    assert len(cost["history"]) == 2 and lab.run("tight").checkpoint.exists()


@LINUX
def test_an_image_that_is_too_large_alone_is_one_sentence(lab):
    said = json.loads(tight(lab, 512, 4, 60).splitlines()[-1])
    assert said == (
        "memory ran out even for one image at a time; choose a smaller image side or network, or free memory and resume."
    )
    assert not lab.run("tight").checkpoint.exists()


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), True),
        (MemoryError(), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: …"), True),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."), True),
        (RuntimeError("could not create a memory object"), True),
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("could not create a primitive descriptor for a convolution forward"), False),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("can't allocate memory"), False),
    ],
    ids=lambda given: str(given)[:40] if isinstance(given, Exception) else "",
)  # fmt: skip
def test_which_errors_say_that_memory_ran_out(error, is_memory):
    assert devices.is_out_of_memory(error) == is_memory


class Full:
    """An objective that finds no memory in its `at`-th call, the first `times` times that it gets there."""

    def __init__(self, objective, at):
        self.objective, self.forward, self.at, self.calls = objective, objective.forward, at, 0

    def __call__(self, *given):
        self.calls += 1
        loss = self.forward(*given)
        if self.calls == self.at:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return loss


@pytest.mark.parametrize("optimizer", ["adamw", "sam", "gsam"])
@pytest.mark.parametrize("loss", ["bce", "pairwise", "auc-margin"])
def test_a_step_that_failed_leaves_nothing_behind(lab, optimizer, loss, monkeypatch):
    """In a third part of a first pass, or in the pass uphill: batch norm, queues and weights are as without it."""
    planted.write_site(lab, "home", n=60)
    wanted = planted.train_spec(
        training={"optimizer": optimizer, "loss": loss, "accumulate": 2, "precision": "fp32"}
    )
    failed, clean = plain.prepared(lab, wanted), plain.prepared(lab, wanted)
    at = 2 if optimizer == "adamw" else 4
    monkeypatch.setattr(failed.objective, "forward", Full(failed.objective, at))
    clean.parts = 4  # where the other arrives
    for step in range(3):
        for going in (failed, clean):
            loop.step(going, *plain.batch(going), step)
    assert failed.parts == 4 and len(failed.notes) == 1
    for mine, theirs in ((failed.net, clean.net), (failed.objective, clean.objective)):
        pairs = zip(mine.state_dict().items(), theirs.state_dict().values(), strict=True)
        assert [name for (name, a), b in pairs if not torch.equal(a, b) and not a.isnan().any()] == []
    told = failed.driver.tensors(), clean.driver.tensors()
    assert all(torch.equal(told[0][name], told[1][name]) for name in told[0])


def test_a_pretraining_step_that_failed_follows_once(lab):
    """MoCo's second encoder follows the first at each step: not twice where the step needs a second attempt."""
    planted.write_site(lab, "home", n=60)
    wanted = planted.train_spec(task="moco", training={"augment": "light", "precision": "fp32"})
    failed, clean = plain.prepared(lab, wanted), plain.prepared(lab, wanted)
    failed.objective.forward = Full(
        failed.objective, 2
    )  # in the second step: in the first both encoders are equal
    for step in range(3):
        clean.parts = 1 if step == 0 else 2  # as the other comes to do
        for going in (failed, clean):
            x, y, site = plain.batch(going)
            loop.step(going, torch.cat([x, x.flip(3)]), y, site, step)
    assert failed.parts == 2 and len(failed.notes) == 1
    mine, theirs = failed.objective.state_dict(), clean.objective.state_dict()
    assert [name for name in mine if not torch.equal(mine[name], theirs[name])] == []


def test_parts_are_as_even_as_can_be(lab):
    """Batch norm cannot see one image alone where a map has one place; a remainder of one would be such a part."""
    planted.write_site(lab, "home", n=60)
    going = plain.prepared(lab, planted.train_spec(training={"accumulate": 3, "precision": "fp32"}))
    seen = []
    plain.put_in(going, plain.Plain(3)).net.register_forward_pre_hook(
        lambda _net, given: seen.append(len(given[0]))
    )
    loop._descend(going, *plain.batch(going, 7), 0)
    assert seen == [3, 2, 2]


def test_parts_too_small_for_batch_norm_are_one_sentence(lab):
    planted.write_site(lab, "home", n=60)
    going = plain.prepared(lab, planted.train_spec(training={"accumulate": 8, "precision": "fp32"}))
    plain.put_in(going, plain.Placeless(3))
    with pytest.raises(BadRun, match=r"batch norm sees one number of an image.* 8 parts .*fewer parts"):
        loop.step(going, *plain.batch(going, 8), 0)


def test_where_there_is_no_memory_for_a_whole_batch_the_network_is_judged_in_smaller_ones(lab):
    """Training went in parts; judging what it made must not be what ends it."""
    planted.write_site(lab, "home", n=160)
    going = plain.prepared(lab, planted.train_spec())
    rows, seen, told = going.rows.train, [], []
    whole = judging.outputs(going.net, going.feed, rows)

    def call(net, x):
        seen.append(len(x))
        if len(x) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return net(x)

    assert torch.equal(judging.outputs(going.net, going.feed, rows, call), whole) or torch.allclose(
        judging.outputs(going.net, going.feed, rows, call), whole, atol=1e-6
    )
    assert seen[:3] == [64, 32, 16] and max(seen[2:8]) == 16
    feeds.through(going.feed, rows, going.net, told.append)
    assert told[-1] == len(rows)

    def never(_net, _x):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    with pytest.raises(torch.OutOfMemoryError):
        judging.outputs(going.net, going.feed, rows, never)


@pytest.mark.parametrize(("parts", "sees"), [(1, 8), (2, 4), (8, 2)])
def test_batch_norm_is_taken_anew_in_batches_that_memory_allows(lab, parts, sees):
    planted.write_site(lab, "home", n=60)
    going = plain.prepared(lab, planted.train_spec(training={"optimizer": "schedule-free-adamw"}))
    going.parts, seen = parts, []
    going.net.register_forward_pre_hook(lambda _net, given: seen.append(len(given[0])))
    loop.recalibrate(going)
    assert max(seen) == sees and sum(seen) >= len(going.rows.train) - 1


@pytest.mark.parametrize("loss", ["pairwise", "auc-margin"])
def test_a_second_pass_is_of_the_same_loss_as_the_first(lab, loss):
    """What a loss remembers of earlier batches is the same in both; else SAM would compare two losses."""
    planted.write_site(lab, "home", n=60)
    going = plain.prepared(
        lab, planted.train_spec(training={"optimizer": "sam", "loss": loss, "precision": "fp32"})
    )
    plain.put_in(going, plain.Plain(3))
    climb, backward, values = going.driver._climb, loop._backward, []
    going.driver._climb = lambda: None  # stays where it is: the second loss must be the first
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "_backward", lambda *given: values.append(backward(*given)) or values[-1])
        for step in range(3):
            loop.step(going, *plain.batch(going), step)
    assert climb is not going.driver._climb and len(values) == 6
    assert values[0::2] == values[1::2]
    assert len(set(map(float, values))) == 3  # and it is remembered from batch to batch
