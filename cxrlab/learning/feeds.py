"""What a network is fed: normalised images, or the latents of a frozen autoencoder.

In:    resident images and an InputSpec; a finished autoencoder run.
Out:   batches of float32 on the device, augmented where asked.
Never: targets, losses, selection.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cxrlab import checkpoint, files, variants
from cxrlab.errors import BadSpec, MissingInput
from cxrlab.inputs import Images, InputSpec
from cxrlab.learning import devices
from cxrlab.paths import Lab

Augment = Callable[[torch.Tensor, torch.Generator], torch.Tensor]
SCORING_BATCH = 64  # fastest on a CPU: 128 falls out of its cache


@dataclass(frozen=True)
class ImageFeed:
    """Images → (B, 1, px, px) float32, normalised."""

    images: Images
    input: InputSpec

    def batches(
        self,
        positions: torch.Tensor | np.ndarray,
        batch: int,
        augment: Augment | None = None,
        generator_of: Callable[[int], torch.Generator] | None = None,
    ) -> Iterator[torch.Tensor]:
        """Yield the images at `positions`; batch i is augmented with the generator `generator_of(i)`."""
        for i, raw in enumerate(self.images.batches(positions, batch)):
            scaled = self.input.scale(raw)
            if augment is not None and generator_of is not None:
                scaled = augment(scaled, generator_of(i))
            yield self.input.normalise(scaled).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class LatentFeed:
    """Latents (N, K) float32 on the device → (B, K)."""

    latents: torch.Tensor

    def batches(
        self,
        positions: torch.Tensor | np.ndarray,
        batch: int,
        augment: Augment | None = None,
        generator_of: Callable[[int], torch.Generator] | None = None,
    ) -> Iterator[torch.Tensor]:
        """Yield the latents at `positions`; a latent has no exposure to change, so nothing is augmented."""
        order = torch.as_tensor(positions).to(self.latents.device)
        for start in range(0, len(order), batch):
            yield self.latents.index_select(0, order[start : start + batch])


Feed = ImageFeed | LatentFeed


def through(
    feed: Feed,
    positions: torch.Tensor | np.ndarray,
    call: Callable[[torch.Tensor], torch.Tensor],
    tell: Callable[[int], None] = lambda done: None,
) -> torch.Tensor:
    """Return what `call` says of the rows at `positions`, (M, …) float32 on the CPU; in smaller batches where memory runs out.

    Args:
        feed: of the rows.
        positions: (M,) which.
        call: what is asked, row by row whatever rows are beside it; the caller has switched gradients off.
        tell: told how many rows are done.
    """
    said: list[torch.Tensor] = []
    done, batch = 0, SCORING_BATCH
    while done < len(positions):
        try:
            for x in feed.batches(positions[done:], batch):
                said.append(call(x).float().cpu())
                done += len(x)
                tell(done)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if batch == 1 or not devices.is_out_of_memory(error):
                raise
            batch //= 2
    return torch.cat(said)


def recipe_of(made: checkpoint.Checkpoint) -> variants.Recipe | None:
    """Return what is done to a site's images before this network sees them, with the landmarks it was trained with."""
    return variants.recipe_of(made.spec.view, made.stores, made.input.landmarks)


@dataclass(frozen=True)
class Encoder:
    """A frozen autoencoder whose latents a head reads."""

    made: checkpoint.Checkpoint
    net: nn.Module
    digest: str  # of its checkpoint file

    @property
    def recipe(self) -> variants.Recipe | None:
        """What is done to the images that come in."""
        return recipe_of(self.made)

    def feed(self, images: Images) -> LatentFeed:
        """Encode all images, which must have the autoencoder's own side."""
        with torch.inference_mode():
            latents = through(ImageFeed(images, self.made.input), np.arange(len(images)), self.net.encode)
        # A clone made outside inference mode may take part in a later backward pass.
        return LatentFeed(latents.clone().to(images.device))


def encoder_of(lab: Lab, run_id: str, device: torch.device) -> Encoder:
    """Return the frozen autoencoder of the run `run_id`.

    Raises:
        MissingInput: that run is not there or has not finished training.
        BadSpec: it is no autoencoder.
        BadRun: its checkpoint is damaged.
    """
    path = lab.run(run_id).checkpoint
    if not path.exists():
        raise MissingInput(
            f"the autoencoder run {run_id!r}, whose latents are asked for, has no finished checkpoint in this lab; "
            "train or resume it first."
        )
    made = checkpoint.read(path)
    if made.spec.task != "autoencoder":
        raise BadSpec(
            f"latents_of names {run_id!r}, a run of the task {made.spec.task!r}; expected an autoencoder run."
        )
    return Encoder(made, checkpoint.network(made, device), files.digest_of(path.read_bytes()))
