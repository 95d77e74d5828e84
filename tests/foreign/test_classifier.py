"""A classifier from elsewhere: it scores as it did there, it is a run like any other, and what is not whole stays out."""

import hashlib
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
import torchvision

from cxrlab import checkpoint, files, predictions, score, spec, store, train
from cxrlab.__main__ import main
from cxrlab.errors import BadInput, BadRun, BadSpec, CxrlabError, MissingInput
from cxrlab.explain import mapfile
from cxrlab.foreign import classifier, outputs
from cxrlab.foreign.classifier import Said
from cxrlab.jobs import request, stages, state
from cxrlab.learning import lineage
from cxrlab.metrics import thresholds
from cxrlab.metrics.auroc import auroc
from cxrlab.models.foreign import IMAGENET
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from tests import planted

TAG, PX = "test_resnet", planted.PX
MEAN, STD = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in IMAGENET)
NAMES = ("Oedema", "-", "pneumonia")  # in the file's order; the second is not used
SAID = Said(network=f"timm:{TAG}", labels=NAMES, image_px=PX, name="theirs")
LABELS = ("Edema", "Pneumonia")


def colours(pictures):
    """Return what the network was fed there: (N, 3, H, W), normalised as ImageNet."""
    grey = torch.from_numpy(np.asarray(pictures)).float().unsqueeze(1) / 255
    return (grey.expand(-1, 3, -1, -1) - MEAN) / STD


@pytest.fixture(scope="module")
def taught():
    """Their network, taught in their way to see squares as pneumonia; nothing of ours is in it."""
    torch.manual_seed(0)
    net = timm.create_model(TAG, num_classes=len(NAMES))
    pictures, has, _ = planted.images(256, seed=77)
    x, y = colours(pictures), torch.zeros(256, len(NAMES))
    y[:, 2], y[:, 1] = torch.from_numpy(has).float(), torch.from_numpy(~has).float()
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    for step in range(60):
        rows = torch.arange(32) + 32 * (step % 8)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


@pytest.fixture
def sites(lab):
    planted.write_site(lab, "home", 120, seed=1)
    planted.write_site(lab, "away", 90, seed=2)
    return lab


@pytest.fixture
def weights(taught, tmp_path):
    path = tmp_path / "theirs.pth"
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": t for k, t in taught.state_dict().items()}}, path)
    return path


def brought(lab, path, said=SAID, *elsewhere, **more):
    """Import and carry out as the verb and its jobs do; return the run."""
    found = classifier.read(lab, path, Said(**{**vars(said), **more}))
    classifier.place(lab, found)
    run = lab.run(found.spec.run_id)
    files.write_text(run.spec, spec.dumps(found.spec) + "\n")
    stages.carry_out(lab, found.spec, run, Progress())
    state.write_end(run, "done")
    if elsewhere:
        asked = request.complete(lab, spec.build({"kind": "score", "run": run.run_id, "sites": elsewhere}))
        stages.carry_out(lab, asked, lab.run(asked.run_id), Progress())
    return run


def test_it_says_of_every_image_what_it_said_there(sites, weights, taught):
    run = brought(sites, weights, SAID, "away")
    there = predictions.read(run.predictions("away"))
    with torch.no_grad():
        then = taught(colours(store.read(sites.store("away")).images(np.arange(90))))[:, [0, 2]]
    assert there.labels == LABELS and set(there.table["split"]) == {"external"}
    np.testing.assert_allclose(there.logit(), then.numpy(), atol=1e-4)
    truth = there.y_true()
    assert auroc(truth[:, 1], there.logit()[:, 1]) > 0.95  # planted
    assert 0.3 < auroc(truth[:, 0], there.logit()[:, 0]) < 0.7  # a coin: nothing in the picture shows it
    assert not run.thresholds.exists() and not run.maps("away").exists()  # without a home


def test_a_network_that_torchvision_names_otherwise_scores_as_it_did_there(sites, tmp_path):
    torch.manual_seed(0)
    net = torchvision.models.mobilenet_v3_small(num_classes=len(NAMES))
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        net.classifier[3].weight.normal_(0, 0.02)
        # Statistics of its own, in which torchvision's eps shows.
        net.train()(colours(planted.images(64, seed=78)[0]))
    torch.save(net.eval().state_dict(), tmp_path / "mobile.pth")
    run = brought(
        sites, tmp_path / "mobile.pth", SAID, "away", network="timm:mobilenetv3_small_100", name="mobile"
    )
    there = predictions.read(run.predictions("away"))
    with torch.no_grad():
        then = net(colours(store.read(sites.store("away")).images(np.arange(90))))[:, [0, 2]].numpy()
    assert then.std(axis=0).min() > 0.01
    np.testing.assert_allclose(there.logit(), then, atol=1e-4)
    assert spec.read(run.spec).file.loaded == len(net.state_dict())


def test_where_nothing_is_to_be_seen_it_is_at_chance(sites, weights):
    planted.write_site(sites, "dark", 160, seed=4, shown=False)
    there = predictions.read(brought(sites, weights, SAID, "dark").predictions("dark"))
    assert 0.35 < auroc(there.y_true()[:, 1], there.logit()[:, 1]) < 0.65


def test_with_a_home_it_is_cut_and_drawn_as_a_run_of_ours(sites, weights):
    run = brought(sites, weights, SAID, "away", site="home")
    home = predictions.read(run.predictions("home"))
    assert set(home.table["split"]) == {"train", "val", "test"}
    assert set(predictions.read(run.predictions("away")).table["split"]) == {"external"}
    cuts = thresholds.read(run.thresholds)
    assert cuts.tuned_on == "home val" and 0 < cuts.of("Pneumonia") < 1
    drawn = mapfile.read(run.maps("away"))
    assert len(drawn.rows) and set(drawn.rows["label"]) <= set(LABELS) and np.isfinite(drawn.maps).all()


def test_the_run_says_where_its_weights_came_from(sites, weights, taught):
    run = brought(sites, weights, licence="mit")
    known, made = spec.read(run.spec), checkpoint.read(run.checkpoint)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert (known.file.name, known.file.digest, known.file.licence) == ("theirs.pth", digest, "mit")
    assert known.file.loaded == len(taught.state_dict()) and known.file.outputs == NAMES
    assert made.spec == known and made.weights.source == "theirs.pth" and made.weights.missing == 0
    assert (
        made.selection.rule == "imported" and math.isnan(made.selection.value) and made.selection.epoch == 0
    )
    head = run.checkpoint.read_bytes()[8:4000]
    assert b"NaN" not in head  # strict JSON


def test_the_same_again_is_there_already_and_anything_else_needs_another_name(sites, weights):
    found = classifier.read(sites, weights, SAID)
    assert classifier.place(sites, found) is False
    run = sites.run(found.spec.run_id)
    files.write_text(run.spec, spec.dumps(found.spec) + "\n")
    before = run.checkpoint.stat().st_mtime_ns
    assert classifier.place(sites, classifier.read(sites, weights, SAID)) is True
    assert run.checkpoint.stat().st_mtime_ns == before
    other = classifier.read(sites, weights, Said(**{**vars(SAID), "labels": ("-", "-", "Pneumonia")}))
    with pytest.raises(BadRun, match=r"differs in file.outputs, view.labels; give this one another --name"):
        classifier.place(sites, other)
    assert run.checkpoint.stat().st_mtime_ns == before


def test_an_import_that_was_killed_is_finished_by_the_next(sites, weights, monkeypatch):
    found = classifier.read(sites, weights, SAID)
    run = sites.run(found.spec.run_id)

    def killed(path, made):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        classifier.place(sites, found)
    assert not run.folder.exists()  # nothing came of it
    monkeypatch.undo()
    monkeypatch.setenv("CXRLAB_HOME", str(sites.root))
    classifier.place(sites, found)  # and killed here, before the job was submitted
    assert run.run_id not in sites.run_ids()
    assert brought(sites, weights, SAID, "away").predictions("away").exists()


def test_a_run_whose_network_is_gone_says_so(sites, weights):
    run = brought(sites, weights)
    run.checkpoint.unlink()
    with pytest.raises(BadRun, match=r"has lost its network; import the file theirs\.pth again"):
        stages.carry_out(sites, spec.read(run.spec), run, Progress())


# Refusals ------------------------------------------------------------------------------------------------------------


class Planted:
    """What an attacker's file would run when it is read: it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize(
    ("more", "kind", "sentence"),
    [
        ({"network": "resnet50"}, BadInput, r"holds \d+ of the \d+ tensors of the backbone \(\d+ missing"),
        ({"network": "resnet5000"}, CxrlabError, "no network named 'resnet5000'"),
        ({"network": "timm:nothing_such"}, CxrlabError, "has no network named 'nothing_such'"),
        ({"network": "small_cnn"}, BadSpec, "only a checkpoint of this lab holds it"),
        ({"network": ""}, BadInput, "say --network and --labels"),
        ({"labels": ("Edema", "Pneumonia")}, BadInput, "answers 3 labels, you named 2"),
        ({"labels": ("Edema", "Gout", "-")}, BadInput, "'Gout' is no label known here"),
        ({"labels": ("Effusion", "Pleural Effusion", "-")}, BadInput, "'Effusion' and 'Pleural Effusion' are one label"),
        ({"labels": ("-", "-", "-")}, BadInput, "no output is named"),
        ({"site": "nowhere"}, MissingInput, "no store for the site 'nowhere'"),
        ({"licence": "cc-by-nc-4.0"}, BadSpec, "under cc-by-nc-4.0, which is not free for every use; say --allow-noncommercial"),
        ({"softmax": True}, BadInput, "--softmax is for two outputs, and 3 are named"),
        ({"mean": (0.1, 0.2), "std": (1.0,)}, BadInput, "so say one number each, or 3"),
        ({"std": (0.0,), "mean": (0.5,)}, BadInput, "deviations are above 0"),
        ({"image_px": 8}, CxrlabError, "view.image_px"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_a_sentence_and_leaves_nothing(sites, weights, more, kind, sentence):
    with pytest.raises(kind, match=sentence):
        classifier.read(sites, weights, Said(**{**vars(SAID), **more}))
    assert sites.run_ids() == [] and not list(sites.runs.glob("*"))


def test_a_licence_that_was_allowed_is_kept(sites, weights):
    said = Said(**{**vars(SAID), "licence": "cc-by-nc-4.0", "allow_noncommercial": True})
    found = classifier.read(sites, weights, said)
    assert found.spec.file.licence == found.made.weights.licence == "cc-by-nc-4.0"


def test_a_file_that_is_damaged_or_would_run_code_is_refused(sites, weights, tmp_path):
    with pytest.raises(MissingInput, match="no file at"):
        classifier.read(sites, tmp_path / "gone.pth", SAID)
    whole = weights.read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match="holds more than tensors or is damaged"):
        classifier.read(sites, tmp_path / "half.pth", SAID)
    marker = tmp_path / "was-here"
    torch.save({"state_dict": {"fc.weight": torch.zeros(3)}, "extra": Planted(marker)}, tmp_path / "evil.pth")
    with pytest.raises(
        BadInput, match=r"holds more than tensors: the Python object .*, which is not run here"
    ):
        classifier.read(sites, tmp_path / "evil.pth", SAID)
    assert not marker.exists()
    (tmp_path / "noise.safetensors").write_bytes(b"\x10" * 64)
    with pytest.raises(BadInput, match=r"is not a readable \.safetensors file"):
        classifier.read(sites, tmp_path / "noise.safetensors", SAID)


def test_names_mean_what_the_label_maps_agree_on():
    assert outputs.labels_of(("Pleural_Thickening", "Infiltrate", "oedema")) == (
        "Pleural Thickening", "Infiltration", "Edema",
    )  # fmt: skip


# Going on from it ----------------------------------------------------------------------------------------------------


def test_a_run_can_go_on_from_it(sites, weights):
    run = brought(sites, weights, site="home")
    planted.write_site(sites, "second", 80, seed=3)
    fields = {
        "view": {"source": ("second",), "external": ("away",), "labels": ("Pneumonia",)},
        "model": {"name": f"timm:{TAG}", "colours": 3},
        "training": {"epochs": 1, "learning_rate": 1e-6, "augment": "none"},
        "strategy": {"start_from": run.run_id},
    }
    wanted = request.complete(sites, planted.train_spec(**fields))
    assert lineage.seen_sites(wanted) == ("second", "home")
    new = sites.run(wanted.run_id)
    train.fit(wanted, sites, new, Progress(), "cpu")
    made = checkpoint.read(new.checkpoint)
    assert made.weights.missing == 0 and made.weights.source == f"run {run.run_id}"
    score.score_site(sites, new, "away", Progress(), "cpu")
    there = predictions.read(new.predictions("away"))
    assert auroc(there.y_true()[:, 0], there.logit()[:, 0]) > 0.95  # the head came with it
    score.score_site(sites, new, "home", Progress(), "cpu")
    assert "external" not in set(predictions.read(new.predictions("home")).table["split"])
    with pytest.raises(BadSpec, match=r"takes the image in 3 colours and this run in 1; set model\.colours"):
        request.complete(sites, planted.train_spec(**{**fields, "model": {"name": f"timm:{TAG}"}}))
    view = {**fields["view"], "external": ("home",)}
    with pytest.raises(BadSpec, match="home cannot be external"):
        request.complete(sites, planted.train_spec(**{**fields, "view": view}))


# Checkpoints of a cxrlab ---------------------------------------------------------------------------------------------


@pytest.fixture
def ours(sites):
    """A run that was trained here, scored away."""
    wanted = request.complete(sites, planted.train_spec(view={"labels": ("Pneumonia", "Edema")}))
    run = sites.run(wanted.run_id)
    train.fit(wanted, sites, run, Progress(), "cpu")
    for site in ("home", "away"):
        score.score_site(sites, run, site, Progress(), "cpu")
    return run


def test_a_checkpoint_of_another_lab_says_all_itself_and_scores_the_same(ours, tmp_path, monkeypatch):
    other = Lab(tmp_path / "other")
    monkeypatch.setenv("CXRLAB_HOME", str(other.root))
    planted.write_site(other, "away", 90, seed=2)
    run = brought(other, ours.checkpoint, Said(name="colleague"), "away")
    then, now = (predictions.read(one.predictions("away")) for one in (ours, run))
    np.testing.assert_array_equal(then.logit(), now.logit())
    known = spec.read(run.spec)
    assert known.view.source == ()
    assert known.file.trained_as == checkpoint.read(ours.checkpoint).spec.run_id
    # A site of the same name that it was trained on is no external site of it, whatever else is in it.
    planted.write_site(other, "home", 50, seed=9)
    with pytest.raises(BadRun, match="has changed since the run was trained on it"):
        score.score_site(other, run, "home", Progress(), "cpu")


def test_where_its_home_is_there_unchanged_it_is_home_again(ours, sites):
    found = classifier.read(sites, ours.checkpoint, Said(name="again"))
    assert found.spec.view.source == ("home",)
    assert found.made.selection == checkpoint.read(ours.checkpoint).selection


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"network": "densenet121"}, "says that it is the network 'small_cnn'"),
        ({"labels": ("Edema",)}, "says that it answers Pneumonia, Edema; leave --labels out"),
        ({"mean": (0.5,), "std": (0.5,)}, "says this itself; leave --mean, --std out"),
        ({"image_px": 64}, "leave --image-px out"),
    ],
)
def test_nothing_else_can_be_said_of_our_own(ours, sites, more, sentence):
    with pytest.raises(BadInput, match=sentence):
        classifier.read(sites, ours.checkpoint, Said(name="again", **more))


def test_an_autoencoder_and_an_unfinished_training_are_no_classifiers(ours, sites, tmp_path):
    made = checkpoint.read(ours.checkpoint)
    alone = made.spec.model_copy(
        update={"task": "autoencoder", "model": made.spec.model.model_copy(update={"name": "autoencoder"})}
    )
    checkpoint.write(tmp_path / "ae.safetensors", replace(made, spec=alone))
    with pytest.raises(BadInput, match="is no whole classifier: it is of the task 'autoencoder'"):
        classifier.read(sites, tmp_path / "ae.safetensors", Said())
    last = checkpoint.Last("d", "fp32", 1, 0, 0, 0.0, None, [], 0.0, {}, tensors=made.tensors)
    checkpoint.write_last(tmp_path / "last.ckpt", last)
    with pytest.raises(BadInput, match="the state of a training that has not ended"):
        classifier.read(sites, tmp_path / "last.ckpt", Said())


# The command line ----------------------------------------------------------------------------------------------------


def command(path, *more):
    return ["import-checkpoint", str(path), "--network", f"timm:{TAG}", "--labels", ",".join(NAMES),
            "--image-px", str(PX), *more]  # fmt: skip


def test_the_verb_tells_what_it_took_for_what_and_writes_nothing_when_dry(sites, weights, capsys):
    assert main(command(weights, "--dry-run")) == 0
    said = capsys.readouterr().out
    assert "labels: Oedema = Edema, pneumonia = Pneumonia" in said and "nothing was written" in said
    assert "taken for ImageNet's" in said and "0 missing, 0 left over" in said
    assert sites.run_ids() == []
    assert main(command(weights, "--dry-run", "--score", "away", "--image-px", "64")) == 0
    assert f"away is stored at {PX} px and enlarged to 64: blurred" in capsys.readouterr().out
    assert main(command(weights, "--score", "nowhere")) != 0
    assert "no store for the site 'nowhere'" in capsys.readouterr().err and sites.run_ids() == []
    assert main(command(weights, "--labels", "a,b,c")) != 0
    assert "'a' is no label known here" in capsys.readouterr().err


@pytest.mark.slow
def test_the_verb_imports_scores_and_does_so_once(sites, weights, capsys):
    asked = command(weights, "--site", "home", "--score", "away", "--name", "Vendor 7", "--json")
    assert main(asked) == 0
    told = json.loads(capsys.readouterr().out, parse_constant=lambda name: pytest.fail(name))
    assert told["run"] == "brought-vendor-7" and told["already"] is False
    tables = told["scored"]["tables"]["labels"]
    assert {row["site"] for row in tables["performance"]} == {"home", "away"}
    assert {row["site"] for row in tables["gaps"]} == {"away"}
    run = sites.run("brought-vendor-7")
    assert state.status(run).state == "done" and run.thresholds.exists() and run.maps("home").exists()
    before = run.predictions("away").stat().st_mtime_ns
    assert main(asked) == 0
    assert json.loads(capsys.readouterr().out)["already"] is True
    assert run.predictions("away").stat().st_mtime_ns == before
