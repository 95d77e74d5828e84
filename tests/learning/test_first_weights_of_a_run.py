"""First weights in a run: said in its log, kept in its checkpoint, and its images in the scale that they expect."""

import pytest
import timm
import torch

from cxrlab import checkpoint, score, train
from cxrlab.errors import BadSpec
from cxrlab.explain import cam
from cxrlab.models.base import cam_layer
from cxrlab.progress import Progress
from tests import planted

HALF = "timm:test_resnet.r160_in1k"  # a few thousand parameters, whose published weights saw mean and deviation .5


@pytest.fixture
def home(lab):
    planted.write_site(lab, "home", n=60)
    return lab


def fit(lab, network, weights, **view):
    wanted = planted.train_spec(
        view={"labels": ("Pneumonia",), "image_px": 32, **view},
        model={"name": network, "weights": str(weights)},
        training={"epochs": 1},
    )
    run = lab.run(wanted.run_id)
    train.fit(wanted, lab, run, Progress(), "cpu")
    return run


def test_a_run_says_and_keeps_where_its_weights_came_from(home, tmp_path, capfd):
    torch.save(timm.create_model("resnet18", num_classes=7).state_dict(), tmp_path / "theirs.pth")
    made = checkpoint.read(fit(home, "resnet18", tmp_path / "theirs.pth").checkpoint)
    assert (
        "first weights from theirs.pth: 120 tensors loaded, 0 missing, 2 unexpected" in capfd.readouterr().err
    )
    assert (made.weights.source, made.weights.loaded, made.weights.unexpected) == ("theirs.pth", 120, 2)
    assert (made.input.mean, made.input.std) == (0.449, 0.226)


def test_an_image_comes_in_the_scale_that_its_published_weights_saw(home, tmp_path):
    torch.save(timm.create_model("test_resnet", num_classes=2).state_dict(), tmp_path / "theirs.pth")
    made = checkpoint.read(fit(home, HALF, tmp_path / "theirs.pth").checkpoint)
    assert (made.input.mean, made.input.std) == (0.5, 0.5)


def test_a_checkpoint_of_ours_as_first_weights_keeps_its_scale(home):
    first = fit(home, "resnet18", "none")
    seen = checkpoint.read(first.checkpoint).input
    second = checkpoint.read(fit(home, "resnet18", first.checkpoint).checkpoint)
    assert (second.input.mean, second.input.std) == (seen.mean, seen.std) != (0.449, 0.226)
    assert second.weights.source == "checkpoint.safetensors"


def test_a_wish_for_imagenet_s_scale_is_granted_whatever_the_weights_saw(home, tmp_path):
    torch.save(timm.create_model("test_resnet", num_classes=2).state_dict(), tmp_path / "theirs.pth")
    run = fit(home, HALF, tmp_path / "theirs.pth", preprocess={"normalise": "imagenet"})
    assert checkpoint.read(run.checkpoint).input.mean == 0.449


def test_a_run_of_unfree_weights_does_not_begin(home):
    with pytest.raises(BadSpec, match="allow_noncommercial"):
        fit(home, "convnextv2_tiny", "hub")


@pytest.mark.parametrize("network", ["timm:vit_tiny_patch16_224", HALF, "small_cnn3"])
def test_a_run_of_any_kind_of_network_trains_scores_and_draws(home, network):
    run = fit(home, network, "none")
    scorer = score.open_run(home, run, "cpu")
    layer, grid = cam_layer(scorer.net, network, 32)
    logit, maps = cam.maps_of(scorer.net, layer, torch.rand(2, 1, 32, 32))
    assert logit.shape == (2, 1)
    assert maps.shape == (2, 1, *grid)
