"""One training on several processors: each process takes its share of every batch.

In:    which process this is, of how many; CXRLAB_PROCESSES.
Out:   Group: my share of a batch, sums and agreements over all processes; how many there should be.
Never: starting and ending processes (ranks.py), losses, files.

A batch is cut as accumulation cuts it: a process's loss is its share of the whole batch's, so gradients are added up, not
averaged, and a row or a label counts as it would alone however the masks fall. Batch norm sees the share alone, and the
first process's statistics are those that are judged and kept; losses that compare rows compare those of a share.

Plain torch.distributed, not lightning-fabric: what Fabric brings is a wrapper that reduces inside backward, where a
second pass, parts of a batch and memory that ran out on one GPU alone need to decide first; and a launcher that runs the
caller's command line anew. What is left are two collectives.
"""

import datetime
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
import torch.distributed as dist

from cxrlab.errors import BadInput

PROCESSES = "CXRLAB_PROCESSES"
FEWEST, FEWEST_ON_GPU = (
    2,
    16,
)  # images a process: batch norm needs two; below sixteen it is noise and a GPU idles
# Nobody waits for a process that is gone: ranks.py sees that at once. Whoever waits, waits for one that works.
PATIENCE = datetime.timedelta(days=2)
Augment = Callable[[torch.Tensor, torch.Generator], torch.Tensor]


def count(device: str, batch: int) -> int:
    """Return how many processes train: CXRLAB_PROCESSES, or one a visible GPU; no more than a batch feeds.

    Raises:
        BadInput: CXRLAB_PROCESSES is no number of at least 1, or there are fewer GPUs.
    """
    said = os.environ.get(PROCESSES)
    gpus = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    if said is None:
        return max(1, min(gpus, batch // FEWEST_ON_GPU))
    if not said.isdigit() or int(said) < 1:
        raise BadInput(f"{PROCESSES} is {said!r}; expected a number of processes, 1 or more.")
    if gpus and int(said) > gpus:
        raise BadInput(f"{PROCESSES} is {said} and this machine has {gpus} GPUs; set it to {gpus} or fewer.")
    return max(1, min(int(said), batch // FEWEST))


class Group:
    """A training in one process: everything is its own share."""

    rank, size = 0, 1

    @property
    def leads(self) -> bool:
        """Whether this process judges, writes and speaks."""
        return self.rank == 0

    def share(self, n: int) -> slice:
        """Return which of `n` rows are this process's."""
        return slice(n * self.rank // self.size, n * (self.rank + 1) // self.size)

    def any(self, flag: bool) -> bool:
        """Return whether it is so in any process."""
        return flag

    def first(self, value: Callable[[], float]) -> float:
        """Return the first process's value; the others wait and do not compute it."""
        return value()

    def add_up(self, parameters: Iterable[torch.Tensor], loss: torch.Tensor) -> torch.Tensor:
        """Add up the gradients over the processes, in place; return the sum of `loss`, a scalar."""
        return loss

    def agree(self, tensors: Iterable[torch.Tensor]) -> None:
        """Give every process the first one's tensors, in place."""

    def others(self, tensors: Mapping[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        """Return, in the first process, what each of the others has by these names, rank by rank; in others nothing."""
        return []

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """Run a block in the first process, then in the others: what it made lies there for them."""
        yield

    def in_place(self, augment: Augment, n: int) -> Augment:
        """Return `augment` for this process's share of `n` images: they are changed as in the whole batch."""
        return augment


class Joined(Group):
    """One of several processes that have found each other."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def any(self, flag: bool) -> bool:
        """Return whether it is so in any process."""
        said = torch.tensor([int(flag)])  # on the CPU: asking must not wait for what a GPU has still to do
        dist.all_reduce(said, dist.ReduceOp.MAX)
        return bool(said.item())

    def first(self, value: Callable[[], float]) -> float:
        """Return the first process's value; the others wait and do not compute it."""
        said = torch.tensor([value() if self.leads else 0.0], dtype=torch.float64)
        dist.broadcast(said, 0)
        return float(said.item())

    def add_up(self, parameters: Iterable[torch.Tensor], loss: torch.Tensor) -> torch.Tensor:
        """Add up the gradients over the processes, in place; return the sum of `loss`, a scalar."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([*(g.flatten() for g in gradients), loss.detach().view(1)])
        dist.all_reduce(flat)
        *parts, total = flat.split([*(g.numel() for g in gradients), 1])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))
        return total.view(())

    def agree(self, tensors: Iterable[torch.Tensor]) -> None:
        """Give every process the first one's tensors, in place."""
        for tensor in tensors:
            held = tensor.detach().contiguous()  # a collective takes no channels-last
            dist.broadcast(held, 0)
            tensor.detach().copy_(held)

    def others(self, tensors: Mapping[str, torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        """Return, in the first process, what each of the others has by these names, rank by rank; in others nothing."""
        found: list[dict[str, torch.Tensor]] = [{} for _ in range(self.size)]
        for name, tensor in tensors.items():
            mine = tensor.detach().cpu().contiguous()
            theirs = [torch.empty_like(mine) for _ in found] if self.leads else None
            dist.gather(mine, theirs, dst=0)
            for its, one in zip(found, theirs or (), strict=False):
                its[name] = one
        return found[1:] if self.leads else []

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """Run a block in the first process, then in the others: what it made lies there for them."""
        if not self.leads:
            self.any(False)
        yield
        if self.leads:
            self.any(False)

    def in_place(self, augment: Augment, n: int) -> Augment:
        """Return `augment` for this process's share of `n` images: they are changed as in the whole batch.

        An augmentation draws a block a batch and a row an image (augment/changes.py): the rows of the others are drawn
        and thrown away on images of one pixel.
        """
        mine = self.share(n)

        def changed(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
            skip(images, mine.start, generator)
            out = augment(images, generator)
            skip(images, n - mine.stop, generator)
            return out

        def skip(images: torch.Tensor, others: int, generator: torch.Generator) -> None:
            if others:
                augment(images[:1, :, :1, :1].expand(others, -1, -1, -1), generator)

        return changed


@contextmanager
def joined(rank: int, size: int, store: dist.Store, device: str) -> Iterator[Joined]:
    """Find the other processes at `store`; on GPUs, take the one of this rank's number."""
    on_gpu = device in ("auto", "cuda") and torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(rank)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo", store=store, rank=rank, world_size=size, timeout=PATIENCE
    )
    yield Joined(rank, size)
    # Only where all went well: behind an error the others may never come to say goodbye.
    dist.destroy_process_group()
