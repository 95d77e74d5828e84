"""One training in several processes, started as a job starts them: equal to one process, and as hard to kill.

What differs from one process, and is said in cxrlab/learning/parallel.py: batch norm and losses that compare rows see a
process's share, and each process draws its own dropout. Nets here are without both where they are held against one
process; what is left is the order of float32 sums.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import threading
import time
from pathlib import Path

import psutil
import pytest
import torch

from cxrlab import checkpoint, files, train
from cxrlab.errors import BadSpec, CxrlabError
from cxrlab.learning import parallel, ranks
from cxrlab.progress import Progress, read
from tests import planted
from tests.learning import plain

IN_RANK = Path(__file__).parent / "in_rank"
SEED = os.environ.get("CXRLAB_TEST_SEED", "0")
NO_NORM = {"name": "timm:test_convnext"}  # layer norm: what an image does depends on no other


@pytest.fixture
def home(lab, monkeypatch):
    planted.write_site(lab, "home", n=60, change=plain.masks)
    monkeypatch.setenv("PYTHONPATH", f"{IN_RANK}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    return lab


def fit(lab, wanted, folder, processes, monkeypatch, asked="", save_every=train.SAVE_EVERY):
    monkeypatch.setenv(parallel.PROCESSES, str(processes))
    monkeypatch.setenv("CXRLAB_IN_RANK", asked)
    run = lab.run(wanted.run_id + folder)
    train.fit(wanted, lab, run, Progress(run.progress, every=0), "cpu", save_every=save_every)
    return run


def without_dropout(monkeypatch):
    """Let this process train as "no-dropout" lets the others."""
    from cxrlab.learning import loop

    walk = loop.walk

    def changed(going, *more):
        for layer in going.net.modules():
            if isinstance(layer, torch.nn.Dropout):
                layer.p = 0.0
        walk(going, *more)

    monkeypatch.setattr(loop, "walk", changed)


def furthest(a, b):
    """The largest difference of two runs' weights."""
    a, b = checkpoint.read(a.checkpoint).tensors, checkpoint.read(b.checkpoint).tensors
    return max(float((a[name].double() - b[name].double()).abs().max()) for name in a)


def history(run):
    return files.read_json(run.efficiency)["history"]


def cost(run):
    return files.read_json(run.efficiency)


def same(a, b):
    a, b = (checkpoint.read(run.checkpoint) for run in (a, b))
    return [k for k in a.tensors if not torch.equal(a.tensors[k], b.tensors[k])] == []


TOGETHER = {
    "epochs": 3, "batch": 9, "accumulate": 2, "optimizer": "gsam", "sampling": "balanced", "clip_norm": 0.5,
    "precision": "fp32", "learning_rate": 1e-3, "select": "last",
}  # fmt: skip


def test_two_processes_are_one(home, monkeypatch, tmp_path):
    """Shares of 4 and 5 rows in two parts each, masks, balanced sampling, augmentation, two passes a step, clipping."""
    wanted = planted.train_spec(model=NO_NORM, training=TOGETHER)
    noted = tmp_path / "writes.txt"
    two = fit(home, wanted, "-two", 2, monkeypatch, f"no-dropout writes:{noted}", save_every=0)
    without_dropout(monkeypatch)
    one = fit(home, wanted, "-one", 1, monkeypatch)
    losses = [[line["loss"] for line in history(run)] for run in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0][-1] != pytest.approx(losses[0][0], rel=1e-2)  # and it has moved
    assert furthest(one, two) < 1e-5  # where a step is about 1e-3 long
    assert cost(two)["processes"] == 2 and cost(one)["processes"] == 1
    assert cost(two)["notes"] == cost(one)["notes"] == []
    # And one of the two alone has written anything in the lab.
    lines = [line.split(" ", 1) for line in noted.read_text().splitlines()]
    assert len({pid for pid, path in lines if str(home.root) in path}) == 1
    assert len({pid for pid, _ in lines}) == 2


# The loss remembers scores, each process those of its share; batch norm and dropout are in.
REMEMBERS = {
    "epochs": 8, "batch": 12, "patience": 50, "optimizer": "sam", "loss": "pairwise", "precision": "fp32",
    "select": "last",
}  # fmt: skip


def children():
    """The processes that train, first of rank 0."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # of another test, over and not yet reaped
            if "cxrlab.learning.ranks" in " ".join(child.cmdline()):
                found.append(child)
    return sorted(found, key=lambda p: p.create_time())


def killing(rank, run, after, begin):
    """Kill a process of a run at some time after it has told of `after` steps; the training begins in `begin`."""
    said = []

    def work():
        try:
            begin()
        except CxrlabError as error:
            said.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    until = time.monotonic() + 60
    while time.monotonic() < until and thread.is_alive():
        if sum(line["stage"] == "train" for line in read(run.progress)) > after:
            break
        time.sleep(0.01)
    victims = children()
    victims[rank].send_signal(signal.SIGKILL)
    thread.join(60)
    assert not any(p.is_running() for p in victims)
    return said


def test_a_process_that_is_killed_ends_the_run_in_a_sentence_and_it_resumes_exactly(home, monkeypatch):
    """Each process of the resumed run goes on with the scores that its own loss remembered, not with the first one's."""
    wanted = planted.train_spec(training=REMEMBERS)
    draw = random.Random(f"{SEED} killed")
    cut, after = home.run(wanted.run_id + "-cut"), draw.randrange(3, 12)
    print(f"killed after step {after}")
    said = killing(1, cut, after, lambda: fit(home, wanted, "-cut", 2, monkeypatch, save_every=0))
    assert len(said) == 1 and said[0] == (
        "process 2 of the 2 that train this run was killed by SIGKILL; memory may have run out. Resume the run, or set "
        "CXRLAB_PROCESSES to fewer."
    )
    last = checkpoint.read_last(cut.last)
    assert last.processes == 2 and last.epoch * 3 + last.step > 0
    shutil.copytree(cut.folder, home.run(wanted.run_id + "-alone").folder)
    whole = fit(home, wanted, "-whole", 2, monkeypatch)
    assert same(whole, fit(home, wanted, "-cut", 2, monkeypatch))
    assert history(whole) == history(cut) and cost(cut)["notes"] == []
    # With another number of processes it goes on, and says what that means.
    alone = fit(home, wanted, "-alone", 1, monkeypatch)
    assert cost(alone)["processes"] == 1 and history(alone)[: last.epoch] == history(whole)[: last.epoch]
    assert cost(alone)["notes"][0].startswith(
        f"2 processes trained until epoch {last.epoch + 1}, 1 from there:"
    )
    assert checkpoint.read(alone.checkpoint).selection.value > 0.5


def test_where_one_process_has_no_memory_all_take_smaller_parts(lab, monkeypatch):
    planted.write_site(lab, "home", n=60, px=128)
    # More arenas take addresses by chance, 64 MB each, and hold nothing.
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    monkeypatch.setenv("PYTHONPATH", f"{IN_RANK}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    wanted = planted.train_spec(
        view={"image_px": 128}, training={"epochs": 1, "batch": 32, "precision": "fp32", "augment": "none"}
    )
    run = fit(lab, wanted, "", 2, monkeypatch, "tight:1:300")
    assert cost(run)["notes"][0] == "memory ran out: each batch of 32 goes in 2 parts since epoch 1"
    assert cost(run)["processes"] == 2 and len(history(run)) == 1


class Three(parallel.Group):
    """One of many, as far as rows are concerned."""

    rank, size = 3, 30


def test_a_home_with_too_few_rows_for_its_processes_is_one_sentence(home):
    wanted = planted.train_spec(training={"batch": 512})
    with pytest.raises(BadSpec, match=r"a step of 44 images.* 30 processes.*CXRLAB_PROCESSES to 22 or fewer"):
        plain.prepared(home, wanted, Three())


def of(status, words=None):
    """Return what launch says when processes ended with `status`, and some left words."""

    class Store(dict):
        def check(self, keys):
            return all(key in self for key in keys)

        def get(self, key):
            return self[key]

    store = Store({ranks._words(rank): json.dumps(said) for rank, said in (words or {}).items()})
    return str(ranks._reason(store, status))


def test_who_was_killed_is_the_reason_and_not_who_missed_it():
    """The others fail within milliseconds, for want of the one; both are seen at once."""
    lost, bug = ["", "RuntimeError: Connection closed by peer", 2], ["", "KeyError: 'a bug'", 1]
    assert "process 2 of the 2 that train this run was killed by SIGKILL" in of([1, -9], {0: lost})
    assert "process 2 of the 2 that train this run failed (KeyError: 'a bug')" in of(
        [1, 1], {0: lost, 1: bug}
    )
    assert "process 1 of the 2 that train this run failed (RuntimeError" in of([1, 1], {0: lost})
    assert "process 2 of the 2 that train this run failed (KeyError: 'a bug')" in of([None, 1], {1: bug})
    assert of([1, -9], {0: ["BadRun", "the loss became nan", 1]}) == "the loss became nan"
