"""Does the training room keep its promises on this device?

In:    a lab, a device, a size.
Out:   Check: what was tried, whether it holds, by how much.
Never: times; memory and several devices (limits.py).
"""

import math
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import torch

from cxrlab import checkpoint, predictions, score, train
from cxrlab.augment import AUGMENT
from cxrlab.bench.gpu import ground
from cxrlab.bench.gpu.ground import Size
from cxrlab.learning import devices, parallel
from cxrlab.learning.state import Training, restore, state_of
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from cxrlab.spec import TrainSpec

SITE = "noise"
# oneDNN against torch's own kernels on a CPU, DenseNet-121 at 64 px, four steps: first gradient .012, losses 1e-4, way .12;
# with noise of 3e-4 in every convolution's output, as TF32 would leave it: losses 1e-4, way .34. Of the gradient nearly all
# is the CPU's: channels last, its batch norm adds a channel up in float32, and noise as images leaves gradients of little
# but differences. AdamW follows a gradient's sign; what did not move, or moved elsewhere, is 1 or more apart.
GRADIENT_APART, LOSS_APART, WAY_APART = 0.05, 1e-3, 0.6
LOGIT_APART = 1e-3
HALF_GREY = 0.5 / 255
TWINS, RESUMED_APART = 3.0, 1e-3  # of two ways: times what two equal ones differ by, or this if that is more


@dataclass(frozen=True)
class Check:
    """One promise, tried."""

    name: str
    holds: bool | None  # None: could not be tried here
    said: str
    figures: dict[str, float] = field(default_factory=dict)


def apart(a: list[float], b: list[float]) -> float:
    """Return the largest difference of two lists of losses, as a share of the first; infinite where one is no number.

    >>> apart([1.0, 2.0], [1.0, 2.2])
    0.1...
    """
    gaps = [abs(x - y) / abs(x) for x, y in zip(a, b, strict=True)]
    return max(gaps) if all(map(math.isfinite, gaps)) else math.inf


def away(a: torch.Tensor, b: torch.Tensor) -> float:
    """Return how far vector b is from a, as a share of a's length; infinite where one is no number."""
    gap = float((a - b).norm() / a.norm())
    return gap if math.isfinite(gap) else math.inf


def steps_on_both(here: Lab, device: torch.device, size: Size, network: str) -> Check:
    """Take the same steps on the CPU and on the device, in full float32."""
    wanted = ground.spec_of(SITE, network, size.check_px, size.check_batch, precision="fp32")
    sides = []
    for place in (torch.device("cpu"), device):
        going = ground.without_dropout(ground.prepared(here, wanted, place))
        start = ground.weights_of(going)
        with ground.other_sums(device) if sides else nullcontext():
            losses = ground.walk(going, 1)
            gradient = ground.gradient_of(going)
            losses += ground.walk(going, size.check_steps - 1)
        sides.append((losses, gradient, ground.weights_of(going) - start))
    (expected, gradient, way), (found, its_gradient, its_way) = sides
    gaps = {
        "gradient_apart": away(gradient, its_gradient),
        "loss_apart": apart(expected, found),
        "way_apart": away(way, its_way),
    }
    allowed = (GRADIENT_APART, LOSS_APART, WAY_APART)
    return Check(
        f"{network}: {size.check_steps} training steps, fp32, {device.type} against the CPU",
        all(gap <= most for gap, most in zip(gaps.values(), allowed, strict=True)),
        "first gradient, losses and way of the weights differ by "
        + ", ".join(f"{gap:.1g}" for gap in gaps.values())
        + f" of themselves (allowed {', '.join(f'{most:g}' for most in allowed)}; dropout off, each device draws its own)",
        gaps,
    )


def scores_on_both(here: Lab, device: torch.device, size: Size, network: str) -> Check:
    """Train a network on the device, score its site there and on the CPU, through the files that the product writes."""
    wanted = ground.spec_of(SITE, network, size.check_px, size.check_batch, epochs=1)
    run = here.run(f"scored-{network}")
    train.fit(wanted, here, run, Progress(), device.type, group=parallel.Group())
    said: dict[str, np.ndarray] = {}
    for name, place in (("there", device.type), ("here", "cpu")):
        score.score_site(here, run, SITE, Progress(), place)
        said[name] = predictions.read(run.predictions(SITE)).logit()
    gap = float(np.abs(said["there"] - said["here"]).max())
    return Check(
        f"{network}: scores of a network trained there, {device.type} against the CPU",
        # Logits that are all alike would agree anywhere.
        gap <= LOGIT_APART and float(said["here"].std()) > 10 * LOGIT_APART,
        f"{said['here'].size} logits differ by {gap:.1g} at most (allowed {LOGIT_APART:g})",
        {"logit_apart": gap, "deviation_of_logits": float(said["here"].std())},
    )


def short_numbers(here: Lab, device: torch.device, size: Size, precision: str) -> Check:
    """Step in 16 bits: losses and weights stay numbers, weights move, and fp16's scale does its work."""
    network = size.state_network
    name = f"{network}: {size.check_steps} training steps in {precision}"
    if (
        device.type == "cuda"
        and precision == "bf16"
        and not torch.cuda.is_bf16_supported(including_emulation=False)
    ):
        return Check(name, None, "this device does not multiply bfloat16")
    wanted = ground.spec_of(SITE, network, size.check_px, size.check_batch, precision=precision)
    going = ground.prepared(here, wanted, device)
    before = [p.detach().clone() for p in going.net.parameters()]
    scale = going.scaler.state_dict() if going.scaler else {}
    losses = ground.walk(going, size.check_steps)
    finite = all(map(math.isfinite, losses)) and all(bool(p.isfinite().all()) for p in going.net.parameters())
    moved = sum(not torch.equal(p, q) for p, q in zip(going.net.parameters(), before, strict=True))
    said = f"losses {losses[0]:.4f} to {losses[-1]:.4f}, {moved} of {len(before)} tensors moved"
    holds = finite and moved > len(before) // 2
    if precision == "fp16":
        now = going.scaler.state_dict() if going.scaler else {}
        holds = holds and bool(now) and now != scale
        said += f", scale {now.get('scale')} after {now.get('_growth_tracker')} good steps in a row"
    return Check(name, holds, said if finite else f"not finite: {said}")


def exact_resume(here: Lab, device: torch.device, size: Size, precision: str) -> Check:
    """Save a training in the middle of an epoch, read it into another one, and go on with both."""
    network, k = size.state_network, size.check_steps
    wanted = ground.spec_of(SITE, network, size.check_px, size.check_batch, precision=precision)
    straight, resumed, twin = _three_walks(here, device, wanted, k)
    is_equal = _same(straight, resumed)
    gap, noise = away(straight[1], resumed[1]), away(resumed[1], twin[1])
    said = f"the next {k} losses and the weights after them are equal to the bit"
    if not is_equal:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True):
            exact = _three_walks(here, device, wanted, k)
        same = "" if _same(exact[0], exact[1]) else "not "
        said = (
            f"the next {k} losses differ by {apart(straight[0], resumed[0]):.1g}, the weights' way by {gap:.1g}, that of two "
            f"equal resumed walks by {noise:.1g}; with cuDNN's deterministic kernels they are {same}equal to the bit"
        )
    # Off a GPU the promise is the last bit.
    allowed = max(TWINS * noise, RESUMED_APART) if device.type == "cuda" else 0.0
    return Check(
        f"{network}: exact resume from last.ckpt, {precision}",
        is_equal or gap <= allowed,
        said,
        {"way_apart": gap, "two_equal_ways_apart": noise, "loss_apart": apart(straight[0], resumed[0])},
    )


Walk = tuple[list[float], torch.Tensor]  # losses, and the way that the weights went


def _same(a: Walk, b: Walk) -> bool:
    return a[0] == b[0] and torch.equal(a[1], b[1])


def _three_walks(here: Lab, device: torch.device, wanted: TrainSpec, k: int) -> tuple[Walk, Walk, Walk]:
    """Return `k` steps after the first `k`: of the training that took these, and twice of one that was resumed."""
    path = here.run("resumed").last
    going = ground.prepared(here, wanted, device)
    ground.walk(going, k)
    checkpoint.write_last(path, state_of(going))
    walks = [_walk_on(going, k)]
    del going
    for _ in range(2):
        again = ground.prepared(here, wanted, device)
        restore(again, checkpoint.read_last(path))
        walks.append(_walk_on(again, k))
    return walks[0], walks[1], walks[2]


def _walk_on(going: Training, k: int) -> Walk:
    start = ground.weights_of(going)
    return ground.walk(going, k), ground.weights_of(going) - start


def augmentations(device: torch.device, size: Size) -> Check:
    """Change the same images by every recipe on the CPU and on the device."""
    images = torch.rand(8, 1, size.full_px, size.full_px, generator=torch.Generator().manual_seed(1))
    gaps = {}
    for name, augment in AUGMENT.items():
        expected = augment(images.clone(), torch.Generator().manual_seed(2))
        found = augment(images.to(device), torch.Generator().manual_seed(2)).cpu()
        gaps[name] = float((expected - found).abs().max())
    worst = max(gaps, key=lambda name: gaps[name])
    return Check(
        f"{len(gaps)} augmentations, {device.type} against the CPU",
        all(gap <= HALF_GREY for gap in gaps.values()),
        f"grey values differ by {gaps[worst]:.1g} of full scale at most, in {worst!r} (allowed {HALF_GREY:.1g}, half "
        "of a grey value; noise as images, the worst case)",
        gaps,
    )


def channels_last(here: Lab, device: torch.device, size: Size) -> Check:
    """Look at every convolution's kernel and at what comes out of it in a training step."""
    network = size.state_network
    going = ground.prepared(here, ground.spec_of(SITE, network, size.check_px, size.check_batch), device)
    wrong, seen = [], 0

    def look(name: str) -> Callable[..., None]:
        def hook(module: torch.nn.Module, _given: object, out: torch.Tensor) -> None:
            nonlocal seen
            for what, tensor in (("kernel", module.weight), ("output", out)):
                # One channel or one place lies in both orders at once.
                if tensor.shape[1] > 1 and tensor.shape[2] * tensor.shape[3] > 1:
                    seen += 1
                    if not tensor.is_contiguous(memory_format=torch.channels_last):
                        wrong.append(f"{what} of {name}")

        return hook

    for name, module in going.net.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(look(name))
    ground.walk(going, 1)
    said = f"{seen - len(wrong)} of {seen} kernels and outputs of convolutions lie so in {going.precision}"
    return Check(f"{network}: channels last", seen > 0 and not wrong, "; ".join([said, *wrong[:2]]))


def all_of(here: Lab, device: torch.device, size: Size) -> list[tuple[str, Callable[[], Check]]]:
    """Return what there is to try: a name, and the trial."""
    ground.write_noise(here, SITE, size.check_images, size.check_px)
    tries: list[tuple[str, Callable[[], Check]]] = []
    for network in size.check_networks:
        tries.append((f"{network}: steps", lambda n=network: steps_on_both(here, device, size, n)))
        tries.append((f"{network}: scores", lambda n=network: scores_on_both(here, device, size, n)))
    for precision in ("bf16", "fp16"):
        tries.append((f"{precision} steps", lambda p=precision: short_numbers(here, device, size, p)))
    for precision in dict.fromkeys((devices.training_precision(device), "fp16")):
        tries.append((f"resume in {precision}", lambda p=precision: exact_resume(here, device, size, p)))
    tries.append(("augmentations", lambda: augmentations(device, size)))
    tries.append(("channels last", lambda: channels_last(here, device, size)))
    return tries
