"""Both sides train, the same network; a batch that does not fit gives way to the next."""

import dataclasses
import json
import math

import pytest
import torch

import cxrlab.bench.gpu as bench
from cxrlab.bench.gpu import __main__ as command
from cxrlab.bench.gpu import ground, needs, told, whole
from cxrlab.bench.gpu.timing import Ours, Row, Side, Timms, rows
from cxrlab.errors import BadSpec
from cxrlab.learning.efficiency import count_parameters

CPU = torch.device("cpu")
TINY = dataclasses.replace(
    ground.MINIATURE, networks=("mobilenetv3_large",), image_px=32, batches=(4, 8), epoch_steps=3
)
ROW = Row("mobilenetv3_large", 32, 4, "fp32", False, 0)


@pytest.fixture
def noise():
    with ground.lab() as here:
        ground.write_noise(here, "timed", 40, 32)
        yield here


def test_both_sides_move_the_same_network(noise):
    ours, peer = Ours(noise, CPU, ROW, False), Timms(CPU, ROW)
    assert count_parameters(ours.going.net) == count_parameters(peer.net)
    for side, net in ((ours, ours.going.net), (peer, peer.net)):
        before = [p.detach().clone() for p in net.parameters()]
        with side.kernels():
            side.step()
        moved = sum(not torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))
        assert moved > 0.9 * len(before)
    assert torch.backends.cudnn.benchmark is False
    ours.close()
    peer.close()


def test_our_side_goes_on_over_the_ends_of_epochs(noise):
    ours = Ours(noise, CPU, ROW, False)
    for _ in range(ours.going.steps * 2 + 1):
        ours.step()
    assert ours.going.epoch == 2
    ours.close()


def test_the_largest_batch_that_both_sides_take_whole_is_timed(monkeypatch):
    plain = Timms.step

    def step(self):
        if len(self.x) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        plain(self)

    monkeypatch.setattr(Timms, "step", step)
    with ground.lab() as here:
        (row,) = rows(here, CPU, TINY, "NVIDIA L4", compiled=False, autotune=False)
    assert row.batch == 4 and row.notes == ("batch 8 does not fit",)
    assert row.ratio == pytest.approx(row.ours.images_per_s / row.timm.images_per_s)
    assert row.ours.images_per_s == pytest.approx(4 / row.ours.ms_a_step * 1e3)


def test_a_network_that_fits_in_no_batch_is_a_dash_and_no_nought(monkeypatch):
    def step(self):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Timms, "step", step)
    with ground.lab() as here:
        (row,) = rows(here, CPU, TINY, "NVIDIA L4", compiled=False, autotune=False)
    assert math.isnan(row.ratio) and row.notes == ("batch 8 does not fit", "batch 4 does not fit")
    found = whole.Found("NVIDIA L4", 1, "2", "1", [], [row])
    assert "–" in told.table(found) and json.loads(json.dumps(told.plain(found)))["times"][0]["ratio"] is None


def test_a_network_that_timm_has_not_is_refused():
    size = dataclasses.replace(TINY, networks=("small_cnn",))
    with ground.lab() as here, pytest.raises(BadSpec, match="timm has no 'small_cnn'"):
        list(rows(here, CPU, size, "", compiled=False, autotune=False))


def test_the_table_shows_what_was_found():
    fast, slow = Side(1000.0, 128.0, 0.25, 2**30), Side(900.0, 142.2, 0.225, 2 * 2**30)
    row = Row("densenet121", 224, 128, "bf16", True, 10**9, fast, slow, notes=("a note",))
    text = told.table(whole.Found("NVIDIA H200", 2, "2.11.0", "1.0.20", [], [row]))
    assert "NVIDIA H200 (2 of them), torch 2.11.0, timm 1.0.20" in text
    ours, timm = text.splitlines()[3:5]
    assert ours.split() == [
        "densenet121",
        "224",
        "px,",
        "128,",
        "bf16,",
        "compiled",
        "ours",
        "1000",
        "25.0%",
        "128.00",
        "1.00",
        "1.111",
    ]
    assert timm.split() == ["timm", "900", "22.5%", "142.20", "2.00"]
    assert "    a note" in text


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what a machine without a GPU is told")
def test_without_a_gpu_one_line_says_so_and_nothing_fails(capsys):
    assert bench.run() == []
    (line,) = capsys.readouterr().err.splitlines()
    assert "no GPU here, nothing measured" in line and "DenseNet-121" in line
    assert command.main([]) == 2 and capsys.readouterr().out == ""
    assert needs.problem("cpu") == ""
