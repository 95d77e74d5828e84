"""Costs by hand and against published numbers; devices that are there or refused."""

import pytest
import torch

from cxrlab.errors import BadInput
from cxrlab.learning import devices, efficiency
from cxrlab.models.base import Plan, build
from cxrlab.spec import ModelSpec


def test_operations_by_hand():
    plan = Plan(ModelSpec(name="latent_head", latents_of="x"), 3, 32, inputs=16)
    assert efficiency.count_forward_flops(plan) == 2 * (16 * 64 + 64 * 3)
    assert efficiency.count_parameters(build(plan)) == 16 * 64 + 64 + 64 * 3 + 3


def test_operations_of_densenet_are_the_published_ones():
    plan = Plan(ModelSpec(name="densenet121"), 14, 224)
    assert efficiency.count_forward_flops(plan) / 1e9 == pytest.approx(5.51, abs=0.01)
    assert efficiency.count_parameters(build(plan)) / 1e6 == pytest.approx(7.0, abs=0.05)


def test_counting_draws_no_random_number():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    efficiency.count_forward_flops(Plan(ModelSpec(name="small_cnn"), 2, 32))
    assert torch.equal(torch.rand(1), expected)


def test_inference_is_timed_a_batch():
    found = efficiency.measure_inference(
        lambda x: x + 1, torch.zeros(4, 1, 8, 8), torch.device("cpu"), batches=5
    )
    assert found["batch"] == 4
    assert 0 < found["p50_ms"] <= found["p95_ms"]


def test_a_device_that_is_not_there_is_refused():
    assert devices.pick("cpu") == torch.device("cpu")
    with pytest.raises(BadInput, match="use 'auto' or 'cpu'"):
        devices.pick("toaster")
    if not torch.cuda.is_available():
        with pytest.raises(BadInput, match="use 'auto' or 'cpu'"):
            devices.pick("cuda")
        assert devices.pick() == torch.device("cpu")


def test_training_precision_is_one_that_a_block_can_run_in():
    cpu = torch.device("cpu")
    assert devices.training_precision(cpu) in devices.PRECISIONS
    a = torch.rand(4, 4)
    for precision, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with devices.autocast(cpu, precision):
            assert (a @ a).dtype == kind
    assert devices.free_bytes(cpu) > 0


def test_where_memory_runs_out_inference_is_timed_on_a_smaller_batch_and_says_so():
    def call(x):
        if len(x) > 10:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return x

    found = efficiency.measure_inference(call, torch.zeros(32, 1, 4, 4), torch.device("cpu"), batches=2)
    assert found["batch"] == 8 and found["images_per_s"] > 0
