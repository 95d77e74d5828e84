"""Which failures of a run at a site are drawn, and their maps.

In:    a run's checkpoint, predictions and thresholds; the site's store.
Out:   maps/<site>.h5.
Never: training rows, thresholds of its own, scores other than the predictions'.
"""

import numpy as np
import pandas as pd

from cxrlab import inputs, predictions, score, store
from cxrlab.choices.networks import disease_of, is_gated
from cxrlab.errors import BadRun
from cxrlab.explain import cam, mapfile
from cxrlab.labels import NO_FINDING
from cxrlab.metrics import thresholds
from cxrlab.metrics.thresholds import ThresholdSet
from cxrlab.models import MODELS
from cxrlab.models.base import cam_layer
from cxrlab.paths import Lab, RunPaths
from cxrlab.predictions import ABNORMAL, Predictions
from cxrlab.progress import Progress
from cxrlab.spec import NetworkSpec

METHOD = "grad-cam"
BATCH = 32


def applies(spec: NetworkSpec) -> bool:
    """Return whether a run of this spec has maps at all: an autoencoder, a pretraining and a head on latents have none."""
    return spec.task in ("labels", "normal") and not _why_none(spec)


def _why_none(spec: NetworkSpec) -> str:
    """Return why the network gives no maps; "" when it does. Behind a gate it is the disease network that does or not."""
    model = disease_of(spec.model) if is_gated(spec.model) else spec.model
    return MODELS[model.name].why_no_map


def make(
    lab: Lab, run: RunPaths, site: str, progress: Progress, device: str = "auto", *, method: str = METHOD
) -> None:
    """Draw the maps of a run's failures at a site; at home, of its test rows only.

    Raises:
        BadRun: the network gives no maps, or the store is not the one that was scored.
        MissingInput: predictions, thresholds, checkpoint or store are not there.
    """
    scorer = score.open_run(lab, run, device, site)
    spec = scorer.made.spec
    if not applies(spec):
        raise BadRun(
            f"{run.run_id} gives no heatmaps: the network {spec.model.name!r} has none, since "
            f"{_why_none(spec)} Choose a run of the task 'labels'."
        )
    said = predictions.read(run.predictions(site))
    opened = store.read(lab.store(site))
    if said.store_digest != opened.digest:
        raise BadRun(f"the store of {site} has changed since it was scored; score the site again.")
    rows, skipped = choose(said, thresholds.read(run.thresholds), spec.maps_per_group, spec.seed)
    if scorer.made.head == "gated":
        by_gate = rows["label"].isin((NO_FINDING, ABNORMAL))
        skipped |= dict.fromkeys(rows["label"][by_gate], "the gate says it; maps are of the disease network")
        rows = rows[~by_gate].reset_index(drop=True)
    layer, grid = cam_layer(scorer.net, spec.model.name, scorer.image_px)
    drawn = _draw(scorer, scorer.pixels(lab, opened, progress), rows, layer, grid, method, progress)
    made = mapfile.Maps(
        rows=rows, maps=drawn, method=method, layer=layer, run_id=run.run_id, site=site, skipped=skipped
    )
    mapfile.write(run.maps(site), made)


def choose(
    said: Predictions, cuts: ThresholdSet, most: int, seed: int
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Choose the failures to draw.

    FN and FP are random samples, so that what a reader sees there is typical; "sure" are the failures whose logit is
    farthest from the threshold's, where the network was most wrong.

    Args:
        said: predictions of one site; of home, rows of "test" are taken, of others all.
        cuts: thresholds on the score scale.
        most: images a label and group.
        seed: of the samples.

    Returns:
        rows (K, mapfile.ROW_COLUMNS) and label → why it has none.
    """
    kept = said.only("test", "external")
    y_true, logit, score_ = kept.y_true(), kept.logit(), kept.score()
    chosen, skipped = [], {}
    for k, label in enumerate(kept.labels):
        cut = cuts.of(label)
        if not np.isfinite(cut):
            skipped[label] = f"no threshold: {cuts.why_not(label) or 'it is undefined'}"
            continue
        y, s = y_true[:, k], score_[:, k]
        if np.isnan(y).all():
            skipped[label] = f"{said.site} never annotates it"
            continue
        called = s >= cut
        missed, alarmed = np.flatnonzero((y == 1) & ~called), np.flatnonzero((y == 0) & called)
        if not len(missed) + len(alarmed):
            skipped[label] = "no failures at this threshold"
        rng = np.random.default_rng([seed, k])
        wrong = np.concatenate([missed, alarmed])
        margin = np.abs(logit[wrong, k] - _logit_of(cut))
        groups = {
            "FN": np.sort(rng.permutation(missed)[:most]),
            "FP": np.sort(rng.permutation(alarmed)[:most]),
            "sure": wrong[np.argsort(-margin, kind="stable")][:most],
        }
        for group, of in groups.items():
            facts = kept.table.iloc[of][["image_id", "row"]]
            chosen.append(facts.assign(label=label, group=group, score=s[of], threshold=cut, y=y[of]))
    rows = pd.concat(chosen, ignore_index=True) if chosen else mapfile.empty_rows()
    return rows[list(mapfile.ROW_COLUMNS)], skipped


def _logit_of(probability: float) -> float:
    clipped = np.clip(probability, 1e-7, 1 - 1e-7)
    return float(np.log(clipped / (1 - clipped)))


def _draw(
    scorer: score.Scorer,
    opened: store.Store,
    rows: pd.DataFrame,
    layer: str,
    grid: tuple[int, int],
    method: str,
    progress: Progress,
) -> np.ndarray:
    """Return the map of each row, (K, h, w) float32; an image that is in several rows is run once."""
    out = np.zeros((len(rows), *grid), np.float32)
    wanted = np.unique(rows["row"].to_numpy(np.int64))
    progress.stage(f"maps {opened.site}", of=len(wanted))
    if not len(wanted):
        return out
    names: tuple[str, ...] = scorer.made.labels
    columns = sorted({names.index(label) for label in rows["label"]})
    place = {names[column]: i for i, column in enumerate(columns)}
    feed = scorer.feed(inputs.load([(opened, wanted)], scorer.image_px, scorer.device))
    scorer.net.requires_grad_(False)
    done = 0
    for x in feed.batches(np.arange(len(wanted)), BATCH):
        _, maps = cam.maps_of(scorer.net, layer, x, columns, method, scorer.says)
        here = maps.cpu().numpy()
        first, last = wanted[done], wanted[done + len(x) - 1]
        for i in np.flatnonzero((rows["row"] >= first) & (rows["row"] <= last)):
            at = int(np.searchsorted(wanted, rows["row"].iloc[i])) - done
            out[i] = here[at, place[rows["label"].iloc[i]]]
        done += len(x)
        progress.step(done)
    return out
