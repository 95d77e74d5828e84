"""Failures are chosen by the thresholds, drawn from the frozen network, and a label without a threshold says why."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from cxrlab import predictions, score, store, train
from cxrlab.errors import BadRun, MissingInput
from cxrlab.explain import cam, mapfile, maps
from cxrlab.metrics import thresholds
from cxrlab.metrics.thresholds import Threshold, ThresholdSet
from cxrlab.paths import Lab
from cxrlab.predictions import Predictions
from cxrlab.progress import Progress
from tests import planted


def said(n=40, site="away", split="external"):
    """Predictions of "Edema" whose every failure is known: logits rise with the row, truth alternates."""
    table = pd.DataFrame({"image_id": [f"i{k}" for k in range(n)], "row": np.arange(n)})
    table = table.assign(patient_id=table["image_id"], split=split, age_years=50.0, sex="F", view="PA")
    table["y:Edema"], table["logit:Edema"] = np.arange(n) % 2.0, np.linspace(-4, 4, n)
    table["y:Pneumonia"], table["logit:Pneumonia"] = np.nan, 0.0
    return Predictions(table, "run", site, "d", "s", "0", synthetic=True)


def cuts(**of):
    return ThresholdSet(
        "default", "run", "max-f1", "home val", {k: Threshold(threshold=v) for k, v in of.items()}
    )


def test_every_failure_is_in_its_group_and_the_surest_are_the_farthest():
    rows, skipped = maps.choose(said(), cuts(Edema=0.5, Pneumonia=0.5), most=6, seed=0)
    missed, alarmed, sure = (rows[rows["group"] == group] for group in mapfile.GROUPS)
    assert ((missed["y"] == 1) & (missed["score"] < 0.5)).all()
    assert ((alarmed["y"] == 0) & (alarmed["score"] >= 0.5)).all()
    assert len(missed) == len(alarmed) == len(sure) == 6
    assert sorted(sure["row"]) == [1, 3, 5, 34, 36, 38]
    assert skipped == {"Pneumonia": "away never annotates it"}


def test_the_threshold_decides_what_a_failure_is():
    rows, _ = maps.choose(said(), cuts(Edema=0.9), most=50, seed=0)
    assert (rows["threshold"] == 0.9).all()
    assert ((rows["score"] >= 0.9) == (rows["y"] == 0)).all()


def test_an_undefined_threshold_is_skipped_with_its_reason():
    undefined = ThresholdSet(
        "d", "r", "max-f1", "home val", {"Edema": Threshold(why_nan="no positive images")}
    )
    rows, skipped = maps.choose(said(), undefined, most=6, seed=0)
    assert len(rows) == 0
    assert skipped["Edema"] == "no threshold: no positive images"
    assert "no threshold was tuned" in skipped["Pneumonia"]


def test_at_home_only_test_rows_are_drawn():
    mixed = said(split="train")
    mixed.table.loc[20:, "split"] = "test"
    rows, _ = maps.choose(mixed, cuts(Edema=0.5), most=50, seed=0)
    assert rows["row"].min() >= 20
    nothing, skipped = maps.choose(said(split="val"), cuts(Edema=0.5), most=50, seed=0)
    assert len(nothing) == 0
    assert "Edema" in skipped


def test_a_perfect_network_has_nothing_to_draw():
    perfect = said()
    perfect.table["logit:Edema"] = np.where(perfect.table["y:Edema"] == 1, 3.0, -3.0)
    rows, skipped = maps.choose(perfect, cuts(Edema=0.5), most=6, seed=0)
    assert len(rows) == 0
    assert skipped["Edema"] == "no failures at this threshold"


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A lab with one run, trained, scored and tuned once."""
    lab = Lab(tmp_path_factory.mktemp("tuned"))
    planted.write_site(lab, "home", n=100)
    planted.write_site(lab, "away", n=40, seed=4)
    wanted = planted.train_spec(view={"external": ("away",)}, maps_per_group=5)
    run = lab.run(wanted.run_id)
    train.fit(wanted, lab, run, Progress(), "cpu")
    for site in ("home", "away"):
        score.score_site(lab, run, site, Progress(), "cpu")
    thresholds.write(run.thresholds, thresholds.tune(predictions.read(run.predictions("home")), 0))
    return lab, run.run_id


@pytest.fixture
def lab(tuned, tmp_path):
    shutil.copytree(tuned[0].root, tmp_path / "lab")
    return Lab(tmp_path / "lab")


@pytest.fixture
def run(lab, tuned):
    return lab.run(tuned[1])


def test_a_runs_maps_are_the_networks_own_for_those_images(lab, run):
    maps.make(lab, run, "away", Progress(), "cpu")
    made = mapfile.read(run.maps("away"))
    assert len(made.rows) > 0
    assert made.grid == (8, 8)
    assert made.layer == "blocks.2"
    scorer, site = score.open_run(lab, run, "cpu"), store.read(lab.store("away"))
    for i in range(0, len(made.rows), 3):
        row = made.rows.iloc[i]
        raw = torch.from_numpy(site.image(row["row"]))[None, None]
        x = scorer.made.input.normalise(scorer.made.input.scale(raw))
        k = scorer.made.labels.index(row["label"])
        logit, expected = cam.maps_of(scorer.net, made.layer, x, [k])
        np.testing.assert_allclose(made.maps[i], expected[0, 0], atol=1e-5 + 1e-3 * float(expected.max()))
        shifted = float(logit[0, k]) - scorer.made.log_pos_weight[k]
        assert 1 / (1 + np.exp(-shifted)) == pytest.approx(row["score"], abs=1e-4)


def test_maps_before_scoring_or_tuning_are_missing(lab, run):
    run.thresholds.unlink()
    with pytest.raises(MissingInput):
        maps.make(lab, run, "away", Progress(), "cpu")
    run.predictions("away").unlink()
    with pytest.raises(MissingInput, match="no predictions"):
        maps.make(lab, run, "away", Progress(), "cpu")


def test_maps_of_another_store_than_was_scored_are_refused(lab, run):
    planted.write_site(lab, "away", n=40, seed=5)
    with pytest.raises(BadRun, match="has changed since it was scored"):
        maps.make(lab, run, "away", Progress(), "cpu")
    assert not run.maps("away").exists()


def test_an_autoencoder_gives_no_maps_and_says_why(lab):
    wanted = planted.train_spec(task="autoencoder", model={"name": "autoencoder"}, training={"epochs": 1})
    run = lab.run(wanted.run_id)
    train.fit(wanted, lab, run, Progress(), "cpu")
    assert not maps.applies(wanted)
    with pytest.raises(BadRun, match="it rebuilds images and has no label"):
        maps.make(lab, run, "home", Progress(), "cpu")
