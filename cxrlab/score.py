"""A frozen network and any site → who, where, true, said.

In:    a run's checkpoint and a site's store.
Out:   predictions/<site>.parquet; of an autoencoder also latents/<site>.npy and reconstructions/<site>.npz.
Never: training, thresholds, metrics; a network that did not load whole.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import nn

from cxrlab import checkpoint, files, inputs, predictions, spec, store, variants, views
from cxrlab.checkpoint import Checkpoint
from cxrlab.errors import BadRun
from cxrlab.learning import cohort, devices, feeds, hierarchy
from cxrlab.models.autoencoder import reconstruction_error
from cxrlab.models.gating import none_of
from cxrlab.models.heads import joint_logit, logit_of, weights_of
from cxrlab.paths import Lab, RunPaths
from cxrlab.progress import Progress

SHOWN = 6  # best and worst reconstructions that are kept as pictures


@dataclass(frozen=True)
class Scorer:
    """A run's frozen network, ready to be asked."""

    made: Checkpoint
    net: nn.Module
    encoder: feeds.Encoder | None
    device: torch.device
    site: str = ""  # whose images it is asked of; of several heads, which speaks for it

    @property
    def image_px(self) -> int:
        """The side of the images that come in."""
        return (self.encoder.made if self.encoder else self.made).input.image_px

    def pixels(self, lab: Lab, site: store.Store, progress: Progress) -> store.Store:
        """Return `site` with the images that the network is to see; they are made when they are not there."""
        made = self.encoder.made if self.encoder else self.made
        return variants.opened(lab, site, feeds.recipe_of(made), progress)

    def feed(self, images: inputs.Images) -> feeds.Feed:
        """Return what the network is fed of `images`."""
        return self.encoder.feed(images) if self.encoder else feeds.ImageFeed(images, self.made.input)

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Return (N, L) float32 logits of a batch, with training's positive weight taken off again.

        Training with weight w on positives fits the odds times w, so log w too much.
        """
        if self.made.head == "gated":
            return hierarchy.joined(self.net, x, none_of(self.made.labels))
        shift = torch.tensor(self.made.log_pos_weight, dtype=torch.float32, device=self.device)
        return self.says(self.net(x)).float() - shift

    def says(self, out: torch.Tensor) -> torch.Tensor:
        """Return (N, L), the logits as trained, of the network's outputs.

        Of several heads a home's own speaks for it, the mean of them for any other site; a head that was never taught a
        label, both ways, has no say in it.
        """
        made, n = self.made, len(self.made.labels)
        if not made.heads:
            return logit_of(out, made.head, n, none_of(made.labels))
        homes = list(made.heads)
        own = homes.index(self.site) if self.site in homes else None
        return joint_logit(out, made.head, n, weights_of(made.learnt, own))


def open_run(lab: Lab, run: RunPaths, device: str = "auto", site: str = "") -> Scorer:
    """Load the frozen network of a run, to ask it about images of `site`.

    Raises:
        MissingInput: no checkpoint, or not the autoencoder's that it reads latents of.
        BadRun: a damaged checkpoint, the autoencoder was trained again since, or a pretraining, which says nothing.
    """
    made, where = checkpoint.read(run.checkpoint), devices.pick(device)
    if made.spec.task == "moco":
        raise BadRun(f"{run.run_id} is a pretraining and says nothing of an image; start a run from it.")
    encoder = None
    if made.spec.model.latents_of:
        encoder = feeds.encoder_of(lab, made.spec.model.latents_of, where)
        if encoder.digest != made.latents_digest:
            raise BadRun(
                f"the autoencoder run {made.spec.model.latents_of!r} is not the one that {run.run_id} was trained on; "
                "train the head again."
            )
    return Scorer(made, checkpoint.network(made, where), encoder, where, site)


def score_site(lab: Lab, run: RunPaths, site: str, progress: Progress, device: str = "auto") -> None:
    """Score every row of a site with the frozen network of `run` and write what it said.

    Rows of a site that the network has seen in training, here or in a run that it started from, carry their split, those of
    any other site "external". Inference is fp32 on every device.

    Raises:
        MissingInput, BadStore, BadRun: the store or checkpoint is not there, or not the one that was trained on.
    """
    scorer = open_run(lab, run, device, site)
    opened = store.read(lab.store(site))
    seen = _truth(scorer.made, opened)
    pixels = scorer.pixels(lab, opened, progress)
    images = inputs.load([(pixels, seen.rows)], scorer.image_px, scorer.device, progress)
    if min(opened.image_shape) < scorer.image_px:
        print(
            f"{site} is stored at {min(opened.image_shape)} px and enlarged to {scorer.image_px}: blurred, unlike home."
        )
    facts = _facts(seen)
    progress.stage(f"score {site}", of=len(seen))
    with devices.exact(), torch.inference_mode():
        if scorer.made.spec.task == "autoencoder":
            error, latents = _rebuild(scorer, images, progress)
            table = facts.assign(re=error)
            _write_latents(run, site, latents)
            _write_reconstructions(scorer, run, seen, images, error)
        else:
            table = pd.concat([facts, _said(scorer, run, seen, images, progress)], axis=1)
    made = predictions.Predictions(
        table=table,
        run_id=run.run_id,
        site=site,
        spec_digest=spec.digest(scorer.made.spec),
        store_digest=opened.digest,
        cxrlab_version=scorer.made.cxrlab_version,
        synthetic=opened.header.synthetic,
    )
    predictions.write(run.predictions(site), made)


def _truth(made: Checkpoint, opened: store.Store) -> views.View:
    trained_on = made.stores.get(opened.site)
    if trained_on is not None and trained_on != opened.digest:
        raise BadRun(
            f"the store of {opened.site} has changed since the run was trained on it ({trained_on[:12]} then, "
            f"{opened.digest[:12]} now), so its test rows may have been trained on; train again."
        )
    return cohort.truth(
        opened, made.spec.task, made.spec.view, external=trained_on is None, gated=made.head == "gated"
    )


def _facts(seen: views.View) -> pd.DataFrame:
    facts = seen.facts[["image_id", "patient_id", "age_years", "sex", "view"]]
    return facts.assign(row=seen.rows, split=seen.split)[list(predictions.FACTS)]


def _said(
    scorer: Scorer, run: RunPaths, seen: views.View, images: inputs.Images, progress: Progress
) -> pd.DataFrame:
    feed, site = scorer.feed(images), seen.store.site
    if scorer.made.head == "gated":
        none = none_of(seen.labels)
        said, saving = hierarchy.ask(scorer.net, feed, len(seen), none, site, progress)
        files.write_json(run.hierarchy(site), saving.to_json())
    else:
        said = feeds.through(feed, np.arange(len(seen)), scorer.logits, progress.step)
    logit = said.numpy()
    columns = {f"y:{label}": seen.y_true[:, k] for k, label in enumerate(seen.labels)}
    columns |= {f"logit:{label}": logit[:, k] for k, label in enumerate(seen.labels)}
    return pd.DataFrame(columns)


def _rebuild(scorer: Scorer, images: inputs.Images, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """Return RE (N,) float32 and latents (N, K) float32 of all images."""

    def ask(x: torch.Tensor) -> torch.Tensor:
        latent = scorer.net.encode(x)
        return torch.cat([reconstruction_error(x, scorer.net.decode(latent))[:, None], latent], dim=1)

    said = feeds.through(scorer.feed(images), np.arange(len(images)), ask, progress.step).numpy()
    return np.ascontiguousarray(said[:, 0]), np.ascontiguousarray(said[:, 1:])


def _write_latents(run: RunPaths, site: str, latents: np.ndarray) -> None:
    with files.whole(run.latents(site)) as part, part.open("wb") as out:
        np.save(out, latents, allow_pickle=False)


def _write_reconstructions(
    scorer: Scorer, run: RunPaths, seen: views.View, images: inputs.Images, error: np.ndarray
) -> None:
    """Keep the best and worst pairs; of home only test rows, for the others were trained or chosen on."""
    pool = np.flatnonzero(np.isin(seen.split, ("test", "external")))
    pool = pool if len(pool) else np.arange(len(seen))
    order = pool[np.argsort(error[pool], kind="stable")]
    k = min(SHOWN, len(order) // 2)
    picked = np.concatenate([order[:k], order[len(order) - k :][::-1]])
    x = torch.cat([*scorer.feed(images).batches(picked, feeds.SCORING_BATCH)])
    rebuilt = scorer.net(x)
    with files.whole(run.reconstructions(site := seen.store.site)) as part, part.open("wb") as out:
        np.savez_compressed(
            out,
            images=_bytes(x),
            rebuilt=_bytes(rebuilt),
            re=error[picked],
            image_id=seen.facts["image_id"].to_numpy().astype(str)[picked],
            kind=np.array(["best"] * k + ["worst"] * k, dtype=str),
            row=seen.rows[picked],
            site=np.array(site),
        )


def _bytes(x: torch.Tensor) -> np.ndarray:
    return (x[:, 0].clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
