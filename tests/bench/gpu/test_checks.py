"""Each check of the GPU bench holds here, and fails where its promise is broken."""

import dataclasses
import math
import sys

import pytest
import torch

from cxrlab import score
from cxrlab.augment import AUGMENT
from cxrlab.bench.gpu import checks, ground, limits, whole
from cxrlab.errors import BadRun
from cxrlab.learning import loop
from cxrlab.optimizers.base import Driver

CPU = torch.device("cpu")
TINY = dataclasses.replace(ground.MINIATURE, check_networks=("small_cnn",), full_px=32)


@pytest.fixture(scope="module")
def noise():
    with ground.lab() as here:
        ground.write_noise(here, checks.SITE, TINY.check_images, TINY.check_px)
        yield here


def test_losses_are_apart_by_the_worst_step_and_infinitely_where_one_is_no_number():
    assert checks.apart([1.0, 2.0], [1.0, 2.5]) == pytest.approx(0.25)
    assert checks.apart([1.0, 2.0], [1.0, math.nan]) == math.inf


def test_steps_agree(noise):
    found = checks.steps_on_both(noise, CPU, TINY, "small_cnn")
    assert found.holds and found.figures["way_apart"] > 0, "the other side adds up in another order"


@pytest.mark.parametrize("broken", ["gradient", "loss", "way"])
def test_a_device_that_steps_otherwise_is_seen(noise, monkeypatch, broken):
    plain, places = ground.prepared, []

    def prepared(here, wanted, device):
        going = plain(here, wanted, device)
        places.append(device)
        if len(places) == 2:  # the device's
            if broken == "gradient":
                going.net.blocks[0][0].weight.register_hook(lambda gradient: -gradient)
            elif broken == "loss":
                going.target = 1 - going.target
            else:
                going.driver.set_rate = lambda rate: None
                for group in going.driver.groups:
                    group["lr"] = 1e-5
        return going

    monkeypatch.setattr(ground, "prepared", prepared)
    found = checks.steps_on_both(noise, CPU, TINY, "small_cnn")
    allowed = {"gradient": checks.GRADIENT_APART, "loss": checks.LOSS_APART, "way": checks.WAY_APART}
    assert found.holds is False and found.figures[f"{broken}_apart"] > allowed[broken]


def test_scores_agree_and_another_score_is_seen(noise, monkeypatch):
    found = checks.scores_on_both(noise, CPU, TINY, "small_cnn")
    assert found.holds and found.figures["deviation_of_logits"] > 10 * checks.LOGIT_APART
    plain, asked = score.Scorer.logits, []

    def logits(self, x):
        asked.append(1)
        return plain(self, x) + (0.002 if len(asked) == 1 else 0.0)

    monkeypatch.setattr(score.Scorer, "logits", logits)
    assert checks.scores_on_both(noise, CPU, TINY, "small_cnn").holds is False


def test_sixteen_bits_that_overflow_or_a_scale_that_stands_still_are_seen(noise, monkeypatch):
    assert checks.short_numbers(noise, CPU, TINY, "bf16").holds
    assert checks.short_numbers(noise, CPU, TINY, "fp16").holds
    with monkeypatch.context() as patched:
        patched.setattr(torch.amp.GradScaler, "update", lambda self: self._per_optimizer_states.clear())
        assert checks.short_numbers(noise, CPU, TINY, "fp16").holds is False
    monkeypatch.setattr(ground, "walk", lambda going, n: [0.7, math.nan])
    found = checks.short_numbers(noise, CPU, TINY, "bf16")
    assert found.holds is False and found.said.startswith("not finite")


def test_a_resume_that_forgets_the_optimizer_is_seen(noise, monkeypatch):
    found = checks.exact_resume(noise, CPU, TINY, "fp32")
    assert found.holds and found.said.endswith("equal to the bit") and found.figures["way_apart"] == 0
    monkeypatch.setattr(Driver, "load", lambda *_: None)
    found = checks.exact_resume(noise, CPU, TINY, "fp32")
    assert found.holds is False
    # What two equal walks on a GPU may differ by lies below what forgetting changes.
    assert found.figures["way_apart"] > 100 * checks.RESUMED_APART


def test_an_augmentation_that_draws_on_the_device_is_seen(monkeypatch):
    assert checks.augmentations(CPU, TINY).holds
    monkeypatch.setitem(AUGMENT._items, "light", lambda images, _: images + 0.01 * torch.rand_like(images))
    found = checks.augmentations(CPU, TINY)
    assert found.holds is False and "'light'" in found.said


def test_a_network_in_the_other_order_is_seen(noise, monkeypatch):
    assert checks.channels_last(noise, CPU, TINY).holds
    plain = ground.prepared

    def other(*given):
        going = plain(*given)
        going.net.to(memory_format=torch.contiguous_format)
        return going

    monkeypatch.setattr(ground, "prepared", other)
    found = checks.channels_last(noise, CPU, TINY)
    assert found.holds is False and "kernel of blocks.0" in found.said


@pytest.mark.skipif(sys.platform != "linux", reason="macOS and Windows do not limit a process's addresses")
def test_memory_that_is_never_short_proves_nothing(noise):
    found = limits.out_of_memory(noise, CPU, TINY)  # 64 images of 32 px fit
    assert found.holds is False and "went in 1 parts" in found.said
    import resource

    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY, (
        "the limit ends with its check"
    )


def test_processes_that_add_nothing_up_are_seen(noise, monkeypatch):
    assert limits.several(noise, CPU, TINY, 1).holds is None

    def alone(n, wanted, here, run, progress, device, save_every):
        """Instead of two processes: one, whose batches go in no parts, so that batch norm sees other images."""
        limits.train.fit(wanted, here, run, progress, device, group=limits.parallel.Group())

    monkeypatch.setattr(limits.ranks, "launch", alone)
    found = limits.several(noise, CPU, TINY, 2)
    assert found.holds is False and found.figures["loss_apart"] > checks.LOSS_APART


def test_a_check_that_breaks_has_failed_and_says_why(capsys):
    def breaks():
        raise RuntimeError("CUDA error: an illegal memory access")

    found = whole.tried("x", breaks)
    assert found.holds is False and "illegal memory access" in found.said
    assert "Traceback" in capsys.readouterr().err

    def refuses():
        raise BadRun("memory ran out.")

    assert whole.tried("x", refuses) == checks.Check("x", False, "memory ran out.")
    assert "Traceback" not in capsys.readouterr().err


def test_walking_is_the_real_loop(noise, monkeypatch):
    steps = []
    plain = loop.step
    monkeypatch.setattr(loop, "step", lambda *given: steps.append(plain(*given)) or steps[-1])
    going = ground.prepared(noise, ground.spec_of(checks.SITE, "small_cnn", 32, 8), CPU)
    losses = ground.walk(going, 3)
    assert losses == pytest.approx([float(step) for step in steps], rel=1e-6) and going.step == 3
