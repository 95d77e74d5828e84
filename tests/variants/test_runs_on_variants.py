"""A run with prepared images trains, scores and maps on them, and everything else of it is about the original stores."""

import numpy as np
import pytest

from cxrlab import checkpoint, files, inputs, predictions, score, spec, store, train, variants
from cxrlab.errors import BadSpec
from cxrlab.explain import mapfile, maps
from cxrlab.jobs import stages
from cxrlab.progress import Progress
from cxrlab.ui import pictures
from tests import planted
from tests.variants.kit import write_phantoms

LABELS = ("Pleural Effusion", "Cardiomegaly")
BAKED = {"crop": "lungs", "contrast": "nyul", "shape": "letterbox"}


@pytest.fixture
def sites(lab):
    write_phantoms(lab, "home", n=70)
    write_phantoms(lab, "away", n=24, gain=0.6, gamma=1.5, start=300)
    return lab


def fit(lab, **fields):
    preprocess = fields.pop("preprocess", {})
    view = {"labels": LABELS, "external": ("away",), "preprocess": preprocess}
    data = {site: store.read(lab.store(site)).digest for site in ("home", "away")}
    wanted = planted.train_spec(view=view, training={"epochs": 2}, data=data, **fields)
    run = lab.run(wanted.run_id)
    files.write_text(run.spec, spec.dumps(wanted))
    train.fit(wanted, lab, run, Progress(), "cpu")
    return run


def said(lab, run, site="away"):
    score.score_site(lab, run, site, Progress(), "cpu")
    return predictions.read(run.predictions(site))


def test_it_trains_and_scores_outside_and_says_other_things_than_the_plain_run(sites):
    plain, prepared = fit(sites), fit(sites, preprocess=BAKED)
    assert plain.run_id != prepared.run_id
    assert len(list(sites.derived.glob("home-*.h5"))) == 1
    one, other = said(sites, plain), said(sites, prepared)
    assert not np.allclose(one.logit(), other.logit(), atol=1e-3)
    assert one.table["image_id"].tolist() == other.table["image_id"].tolist()
    assert other.store_digest == store.read(sites.store("away")).digest, (
        "a prediction is of the original store"
    )
    made = checkpoint.read(prepared.checkpoint)
    assert made.stores == {"home": store.read(sites.store("home")).digest}
    assert len(made.input.landmarks) == 11
    assert len(list(sites.derived.glob("away-*.h5"))) == 1


def test_scoring_reads_the_variant_with_homes_landmarks_though_home_is_gone(sites):
    run = fit(sites, preprocess=BAKED)
    before = said(sites, run).logit()
    for path in (sites.store("home"), *sites.derived.iterdir()):
        path.unlink()
    assert np.array_equal(said(sites, run).logit(), before)
    asked = variants.recipe_of_run(sites, spec.read(run.spec))
    seen = variants.existing(sites, store.read(sites.store("away")), asked)
    assert (
        tuple(seen.header.preprocess["derived"]["landmarks"])
        == checkpoint.read(run.checkpoint).input.landmarks
    )


def test_a_planted_gain_moves_scores_less_when_histograms_are_standardised(sites):
    """The same patients through another machine: what the plain network says changes, and changes less with nyul."""
    write_phantoms(sites, "twin", n=24, start=300)
    moved = {}
    for name, preprocess in (("plain", {}), ("nyul", {"contrast": "nyul"})):
        run = fit(sites, preprocess=preprocess)
        moved[name] = np.abs(said(sites, run, "twin").logit() - said(sites, run, "away").logit()).mean()
    assert moved["nyul"] < 0.5 * moved["plain"]


def test_maps_are_drawn_on_the_variant_and_shown_on_it_with_its_truth(sites, monkeypatch):
    run = fit(sites, preprocess=BAKED)
    for site in ("home", "away"):
        said(sites, run, site)
    stages.tune(spec.read(run.spec), run, Progress())
    seen, load = [], inputs.load

    def watched(rows, *more, **named):
        seen.extend(one.path.parent.name for one, _ in rows)
        return load(rows, *more, **named)

    monkeypatch.setattr(inputs, "load", watched)
    maps.make(sites, run, "away", Progress(), "cpu")
    assert seen == ["derived"]
    row = int(mapfile.read(run.maps("away")).rows["row"].iloc[0])
    assert pictures.seen_as(run.run_id, "away", row).startswith(
        "As the network saw it: lungs crop, letterbox, histogram as at home"
    )
    with_it = pictures.mapped(run.run_id, "away", 0)
    for path in sites.derived.glob("away-*"):
        path.unlink()
    assert "Shown as stored, not as the network saw it" in pictures.seen_as(run.run_id, "away", row)
    assert pictures.mapped(run.run_id, "away", 0) != with_it
    assert pictures.seen_as(fit(sites).run_id, "away", row) == ""


@pytest.mark.parametrize("normalise", ["imagenet", "minmax", "percentile", "zscore"])
def test_values_are_scaled_as_asked_and_the_checkpoint_knows(sites, normalise):
    run = fit(sites, preprocess={"normalise": normalise})
    kept = checkpoint.read(run.checkpoint).input
    assert kept.values == ("fixed" if normalise == "imagenet" else normalise)
    assert (kept.mean, kept.std) == ((0.449, 0.226) if normalise == "imagenet" else (0.0, 1.0))
    assert np.isfinite(said(sites, run).logit()).all()
    assert not sites.derived.exists(), "nothing is baked for values"


def test_values_scaled_by_each_image_do_not_see_a_planted_gain(sites):
    write_phantoms(sites, "twin", n=12, start=300)
    write_phantoms(sites, "dim", n=12, start=300, gain=0.6)
    run = fit(sites, preprocess={"normalise": "zscore"})
    there, dim = said(sites, run, "twin").logit(), said(sites, run, "dim").logit()
    plain = fit(sites)
    moved = np.abs(said(sites, plain, "twin").logit() - said(sites, plain, "dim").logit()).mean()
    assert np.abs(there - dim).mean() < 0.2 * moved


def test_an_autoencoder_and_a_head_on_its_latents_see_the_same_prepared_images(sites):
    write_phantoms(sites, "home", n=140)  # both normal and abnormal images among the validation rows
    asked = {"crop": "centre", "normalise": "percentile"}
    autoencoder = fit(sites, task="autoencoder", model={"name": "autoencoder"}, preprocess=asked)
    table = said(sites, autoencoder).table
    assert table["re"].between(0, 1).all()
    head = {"name": "latent_head", "latents_of": autoencoder.run_id}
    with pytest.raises(BadSpec, match="asks for other images"):
        fit(sites, task="normal", model=head)
    run = fit(sites, task="normal", model=head, preprocess=asked)
    assert np.isfinite(said(sites, run).logit()).all()
    assert len(list(sites.derived.glob("*.h5"))) == 2, "one a site, shared by both runs"
    users = {run_id for one in variants.listed(sites) for run_id in one.used_by}
    assert users >= {autoencoder.run_id, run.run_id}


@pytest.mark.parametrize("values", ["zscore", "imagenet"])
def test_values_that_leave_zero_to_one_are_refused_for_an_autoencoder(values):
    with pytest.raises(BadSpec, match="rebuilds grey values between 0 and 1"):
        planted.train_spec(
            task="autoencoder", model={"name": "autoencoder"}, view={"preprocess": {"normalise": values}}
        )
