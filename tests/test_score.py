"""A frozen network says the same of an image wherever it is, and never says it with half its weights."""

import shutil

import numpy as np
import pytest
import torch

from cxrlab import checkpoint, predictions, score, spec, store, train, views
from cxrlab.errors import BadRun, MissingInput
from cxrlab.metrics.auroc import auroc
from cxrlab.paths import Lab
from cxrlab.progress import Progress, read
from tests import planted


def fitted(lab, **fields):
    wanted = planted.train_spec(**fields)
    run = lab.run(wanted.run_id)
    train.fit(wanted, lab, run, Progress(), "cpu")
    return run


def scored(lab, run, site, progress=None):
    score.score_site(lab, run, site, progress or Progress(), "cpu")
    return predictions.read(run.predictions(site))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A lab with two sites and every kind of run, trained once."""
    lab = Lab(tmp_path_factory.mktemp("trained"))
    planted.write_site(lab, "home", n=100)
    planted.write_site(lab, "away", n=40, seed=4, change=planted.never_annotated("Edema"))
    autoencoder = {"name": "autoencoder", "latent_units": 16}
    runs = {
        "labels": fitted(lab, view={"external": ("away",)}, training={"epochs": 8}),
        "autoencoder": fitted(lab, task="autoencoder", model=autoencoder, training={"epochs": 4}),
        "normal": fitted(lab, task="normal"),
    }
    on_latents = {"name": "latent_head", "latents_of": runs["autoencoder"].run_id}
    runs["normal-latents"] = fitted(lab, task="normal", model=on_latents)
    return lab, {task: run.run_id for task, run in runs.items()}


@pytest.fixture
def sites(trained, tmp_path):
    """A copy of that lab, to be spoiled at will."""
    shutil.copytree(trained[0].root, tmp_path / "lab")
    return Lab(tmp_path / "lab")


@pytest.fixture
def labels_run(sites, trained):
    return sites.run(trained[1]["labels"])


@pytest.fixture
def autoencoder(sites, trained):
    return sites.run(trained[1]["autoencoder"])


@pytest.mark.parametrize("task", ["labels", "autoencoder", "normal-latents"])
def test_where_memory_runs_out_scores_come_in_smaller_batches_and_are_the_same(
    sites, trained, task, monkeypatch
):
    run, seen = sites.run(trained[1][task]), []
    plain = scored(sites, run, "home")

    def full(module, given):
        seen.append(len(given[0]))
        if seen[-1] > 20:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    network = checkpoint.network

    def crowded(made, device):
        net = network(made, device)
        next(m for m in net.modules() if not list(m.children())).register_forward_pre_hook(full)
        return net

    monkeypatch.setattr(checkpoint, "network", crowded)
    tight = scored(sites, run, "home")
    assert seen[:3] == [64, 32, 16]
    for column in tight.table.columns:
        if column.startswith("logit:") or column == "re":
            np.testing.assert_allclose(tight.table[column], plain.table[column], rtol=1e-4, atol=1e-5)
    assert tight.table["image_id"].tolist() == plain.table["image_id"].tolist()


def test_homes_rows_keep_their_split_and_an_external_sites_are_external(sites, labels_run):
    home, away = scored(sites, labels_run, "home"), scored(sites, labels_run, "away")
    seen = store.read(sites.store("home"))
    assert home.table["split"].tolist() == views.view(seen, planted.LABELS, external=False).split.tolist()
    assert set(away.table["split"]) == {"external"}
    assert home.table["row"].tolist() == list(range(100))
    assert home.table["image_id"].tolist() == seen.rows["image_id"].tolist()
    wanted = checkpoint.read(labels_run.checkpoint).spec
    assert (home.run_id, home.site, home.spec_digest) == (labels_run.run_id, "home", spec.digest(wanted))
    assert home.store_digest == seen.digest
    assert home.synthetic


def test_the_planted_square_is_found_at_another_site(sites, labels_run):
    away = scored(sites, labels_run, "away")
    k = away.labels.index("Pneumonia")
    assert auroc(away.y_true()[:, k], away.logit()[:, k]) > 0.95


def test_a_label_that_a_site_never_annotates_is_scored_with_unknown_truth(sites, labels_run):
    away = scored(sites, labels_run, "away")
    k = away.labels.index("Edema")
    assert np.isnan(away.y_true()[:, k]).all()
    assert np.isfinite(away.logit()[:, k]).all()


def test_an_image_is_scored_alike_alone_and_among_others(sites, labels_run):
    scorer = score.open_run(sites, labels_run, "cpu")
    x = torch.rand(9, 1, planted.PX, planted.PX)
    with torch.inference_mode():
        together, alone = scorer.logits(x), torch.cat([scorer.logits(one[None]) for one in x])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_the_positive_weight_is_taken_off_the_logit(sites, labels_run):
    scorer = score.open_run(sites, labels_run, "cpu")
    made = checkpoint.read(labels_run.checkpoint)
    assert any(abs(shift) > 0.05 for shift in made.log_pos_weight)
    x = torch.rand(3, 1, planted.PX, planted.PX)
    with torch.inference_mode():
        np.testing.assert_allclose(
            scorer.logits(x) + torch.tensor(made.log_pos_weight), scorer.net(x), atol=1e-5
        )


def test_a_site_may_be_scored_that_the_spec_did_not_name(sites, labels_run):
    planted.write_site(sites, "later", n=20, seed=6)
    assert set(scored(sites, labels_run, "later").table["split"]) == {"external"}


def test_a_home_that_changed_since_training_is_refused(sites, labels_run):
    planted.write_site(sites, "home", n=100, seed=77)
    with pytest.raises(BadRun, match="has changed since the run was trained on it"):
        scored(sites, labels_run, "home")
    assert not labels_run.predictions("home").exists()


def test_a_damaged_checkpoint_gives_no_scores(sites, labels_run):
    whole = labels_run.checkpoint.read_bytes()
    labels_run.checkpoint.write_bytes(whole[:-1000])
    with pytest.raises(BadRun, match="not a whole safetensors file"):
        scored(sites, labels_run, "away")
    assert not labels_run.predictions("away").exists()


def test_a_run_without_checkpoint_or_a_site_without_store_is_missing(sites, labels_run):
    with pytest.raises(MissingInput, match="no store"):
        scored(sites, labels_run, "nowhere")
    with pytest.raises(MissingInput, match="no checkpoint"):
        scored(sites, sites.run("nothing"), "away")


def test_progress_counts_the_images(sites, labels_run):
    log = sites.root / "progress.jsonl"
    scored(sites, labels_run, "away", Progress(log, every=0))
    lines = read(log)
    assert list(dict.fromkeys(line["stage"] for line in lines)) == ["load", "score away"]
    assert lines[-1]["done"] == lines[-1]["of"] == 40


def test_an_autoencoder_gives_errors_latents_and_pairs(sites, autoencoder):
    home = scored(sites, autoencoder, "home")
    assert home.labels == ()
    latents = np.load(autoencoder.latents("home"), allow_pickle=False)
    assert latents.shape == (100, 16)
    assert latents.dtype == np.float32
    assert np.abs(latents).max() <= 1
    pairs = np.load(autoencoder.reconstructions("home"), allow_pickle=False)
    kinds, table = pairs["kind"].tolist(), home.table
    assert kinds == ["best"] * 6 + ["worst"] * 6
    assert pairs["images"].shape == pairs["rebuilt"].shape == (12, planted.PX, planted.PX)
    assert (table["split"].to_numpy()[pairs["row"]] == "test").all()
    tested = table[table["split"] == "test"]["re"]
    assert pairs["re"][0] == tested.min()
    assert pairs["re"][6] == tested.max()
    assert pairs["image_id"].tolist() == table["image_id"].to_numpy()[pairs["row"]].tolist()
    assert (pairs["images"] == store.read(sites.store("home")).images(pairs["row"])).all()


def test_re_is_the_mean_squared_error_of_the_picture_in_zero_to_one(sites, autoencoder):
    away = scored(sites, autoencoder, "away")
    scorer = score.open_run(sites, autoencoder, "cpu")
    picture = store.read(sites.store("away")).image(3)
    with torch.inference_mode():
        rebuilt = scorer.net(torch.from_numpy(picture)[None, None].float() / 255)[0, 0].numpy()
    assert away.table["re"][3] == pytest.approx(np.mean((picture / 255 - rebuilt) ** 2), rel=1e-4)


def test_pictures_unlike_home_have_larger_errors_and_more_of_home_does_not(sites, autoencoder):
    planted.write_site(sites, "same", n=60, seed=31)
    planted.write_site(sites, "blank", n=60, seed=32, shown=False)
    tested = scored(sites, autoencoder, "home").only("test").table["re"].to_numpy()
    for site, low, high in (("same", 0.3, 0.7), ("blank", 0.0, 0.4)):
        there = scored(sites, autoencoder, site).table["re"].to_numpy()
        y = np.repeat([0, 1], [len(tested), len(there)])
        assert low < auroc(y, np.concatenate([tested, there])) < high


@pytest.mark.parametrize("task", ["normal", "normal-latents"])
def test_normal_heads_say_abnormal_from_images_and_from_latents(sites, trained, task):
    away = scored(sites, sites.run(trained[1][task]), "away")
    assert away.labels == (predictions.ABNORMAL,)
    evidence = store.read(sites.store("away")).evidence
    assert away.y_true()[:, 0].tolist() == (evidence[:, 0] == 0).astype(float).tolist()


def test_a_head_whose_autoencoder_was_trained_again_is_refused(sites, trained, autoencoder):
    head = sites.run(trained[1]["normal-latents"])
    made = checkpoint.read(autoencoder.checkpoint)
    made.tensors["to_latent.bias"] += 1
    checkpoint.write(autoencoder.checkpoint, made)
    with pytest.raises(BadRun, match="train the head again"):
        scored(sites, head, "away")
    autoencoder.checkpoint.unlink()
    with pytest.raises(MissingInput, match="has no finished checkpoint"):
        scored(sites, head, "away")
