"""Utilisation by hand, and no guesses about cards that are not listed."""

import math

import pytest

from cxrlab.bench.gpu import peaks


@pytest.mark.parametrize(
    ("device", "tflops"),
    [
        ("NVIDIA A100-SXM4-80GB", 312), ("NVIDIA A100-SXM4-40GB", 312), ("NVIDIA A100-PCIE-40GB", 312),
        ("NVIDIA A100 80GB PCIe", 312), ("NVIDIA H100 80GB HBM3", 989), ("NVIDIA H100 PCIe", 756), ("NVIDIA H200", 989),
        ("NVIDIA L4", 121), ("Tesla T4", 65), ("Tesla V100-SXM2-16GB", 125), ("Tesla V100-PCIE-32GB", 112),
        ("NVIDIA GeForce RTX 4090", 165),
    ],
)  # fmt: skip
def test_listed_devices(device, tflops):
    assert peaks.peak_of(device).tflops == tflops


@pytest.mark.parametrize(
    "device",
    [
        "NVIDIA L40", "NVIDIA L40S", "NVIDIA H100 NVL", "NVIDIA H200 NVL", "NVIDIA GeForce RTX 4090 D", "CPU, 2 threads",
        "NVIDIA GeForce RTX 4090 Laptop GPU", "NVIDIA A100-SXM4-80GB MIG 3g.40gb", "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
    ],
)  # fmt: skip
def test_a_card_of_a_similar_name_and_a_slice_of_a_card_have_no_peak(device):
    value, why = peaks.utilisation(100.0, 10**9, device, "bf16")
    assert math.isnan(value) and why == f"no peak is listed for {device!r}"


def test_utilisation_by_hand():
    # 1,000 images × 3 × 5.5 GFLOP = 16.5 TFLOP/s of 989
    value, why = peaks.utilisation(1000.0, 5_500_000_000, "NVIDIA H100 80GB HBM3", "bf16")
    assert value == pytest.approx(16.5 / 989) and why == ""


def test_a_precision_without_a_peak_and_a_training_that_was_not_timed_are_no_number():
    value, why = peaks.utilisation(100.0, 10**9, "Tesla T4", "bf16")
    assert math.isnan(value) and "fp16, not bf16" in why
    assert math.isnan(peaks.utilisation(math.nan, 10**9, "NVIDIA L4", "bf16")[0])
