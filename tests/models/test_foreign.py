"""A classifier of somebody else's says in our network what it said in theirs; what is not whole is refused."""

import pytest
import timm
import torch
import torchvision

from cxrlab.errors import BadInput, BadSpec
from cxrlab.models import foreign
from cxrlab.models.foreign import Wish
from cxrlab.spec import ModelSpec

PX, K = 64, 3
MEAN, STD = (torch.tensor(numbers).view(1, 3, 1, 1) for numbers in foreign.IMAGENET)
ALL = Wish((True,) * K)


def ready(net):
    """Give a network statistics that a training would have left, so that nothing is hidden by zeros and ones."""
    draw = torch.Generator().manual_seed(1)
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(0, 0.1, generator=draw)
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5, generator=draw)
    return net.eval()


@pytest.fixture(scope="module")
def theirs():
    torch.manual_seed(0)
    return ready(timm.create_model("resnet18", num_classes=K))


def grey(n=3, px=PX):
    return torch.rand(n, 1, px, px, generator=torch.Generator().manual_seed(2))


def loaded(net, name, wish=ALL, px=PX, prefix=""):
    given = {prefix + key: tensor for key, tensor in net.state_dict().items()}
    return foreign.load(ModelSpec(name=name), px, given, "theirs.pth", wish)


def said(whole, images):
    with torch.no_grad():
        return whole.net((images - whole.grey[0]) / whole.grey[1])


def said_there(net, images, mean=MEAN, std=STD):
    with torch.no_grad():
        return net((images.expand(-1, 3, -1, -1) - mean) / std)


@pytest.mark.parametrize(
    ("name", "make", "prefix"),
    [
        ("densenet121", torchvision.models.densenet121, "module."),
        ("resnet18", torchvision.models.resnet18, "model.backbone."),
        ("resnet50", torchvision.models.resnet50, "_orig_mod."),
        ("densenet121", lambda num_classes: timm.create_model("densenet121", num_classes=num_classes), ""),
        ("timm:convnextv2_atto", lambda num_classes: timm.create_model("convnextv2_atto", num_classes=num_classes), ""),
        ("timm:dpn68b", lambda num_classes: timm.create_model("dpn68b", num_classes=num_classes), "net."),
        ("efficientnet_b0", lambda num_classes: timm.create_model("efficientnet_b0", num_classes=num_classes), ""),
    ],
)  # fmt: skip
def test_a_colour_network_says_of_grey_images_what_it_said_of_them_three_times_over(name, make, prefix):
    torch.manual_seed(0)
    net = ready(make(num_classes=K))
    whole = loaded(net, name, prefix=prefix)
    then, now = said_there(net, grey()), said(whole, grey())
    assert then.std() > 1e-3  # it does say something
    torch.testing.assert_close(now, then, rtol=0, atol=1e-5)
    assert whole.model.colours == 3 and whole.counts.missing == 0
    assert whole.counts.loaded == len(net.state_dict()) and whole.counts.unexpected == 0


def test_a_vision_transformer_comes_whole_too():
    torch.manual_seed(0)
    net = timm.create_model("vit_tiny_patch16_224", num_classes=K, img_size=PX).eval()
    whole = loaded(net, "timm:vit_tiny_patch16_224")
    torch.testing.assert_close(said(whole, grey()), said_there(net, grey()), rtol=0, atol=1e-5)


def test_one_mean_for_all_colours_makes_one_grey_channel_and_stays_exact(theirs):
    whole = loaded(theirs, "resnet18", Wish((True,) * K, mean=(0.5,), std=(0.25,)))
    assert whole.model.colours == 1 and whole.grey == (0.5, 0.25)
    torch.testing.assert_close(said(whole, grey()), said_there(theirs, grey(), 0.5, 0.25), rtol=0, atol=1e-4)
    assert "exact" in whole.notes[0] and "not exact" not in whole.notes[0]


@pytest.mark.parametrize("colours", ["sum", "average"])
def test_a_fold_that_is_not_exact_says_so_and_is_not(theirs, colours):
    whole = loaded(theirs, "resnet18", Wish((True,) * K, colours=colours))
    assert whole.model.colours == 1 and any("not exact" in note for note in whole.notes)
    assert (said(whole, grey()) - said_there(theirs, grey())).abs().max() > 1e-3


def test_a_network_for_one_channel_must_have_its_grey_values_said():
    net = ready(timm.create_model("resnet18", num_classes=K, in_chans=1))
    with pytest.raises(BadInput, match="takes one grey channel, and nothing says which mean"):
        loaded(net, "resnet18")
    with pytest.raises(BadInput, match="so say one number each"):
        loaded(net, "resnet18", Wish((True,) * K, mean=(0.4, 0.5, 0.6), std=(0.2,)))
    whole = loaded(net, "resnet18", Wish((True,) * K, mean=(0.4,), std=(0.2,)))
    with torch.no_grad():
        torch.testing.assert_close(said(whole, grey()), net((grey() - 0.4) / 0.2), rtol=0, atol=1e-5)


def test_outputs_that_are_not_used_are_dropped_and_the_others_keep_their_order(theirs):
    whole = loaded(theirs, "resnet18", Wish((True, False, True)))
    torch.testing.assert_close(said(whole, grey()), said_there(theirs, grey())[:, [0, 2]], rtol=0, atol=1e-5)


def test_a_softmax_over_two_becomes_a_probability_of_one():
    torch.manual_seed(0)
    net = ready(timm.create_model("resnet18", num_classes=2))
    whole = loaded(net, "resnet18", Wish((False, True), softmax=True))
    then = torch.softmax(said_there(net, grey()), dim=1)[:, 1:]
    torch.testing.assert_close(torch.sigmoid(said(whole, grey())), then, rtol=0, atol=1e-5)


def test_a_head_beside_the_backbone_is_found_by_its_shape(theirs):
    given = {
        f"encoder.{key}": tensor for key, tensor in theirs.state_dict().items() if not key.startswith("fc.")
    }
    given |= {"readout.0.weight": theirs.fc.weight.detach(), "readout.0.bias": theirs.fc.bias.detach()}
    given["criterion.weight"] = torch.ones(K)
    whole = foreign.load(ModelSpec(name="resnet18"), PX, given, "theirs.pth", ALL)
    torch.testing.assert_close(said(whole, grey()), said_there(theirs, grey()), rtol=0, atol=1e-5)
    assert whole.counts.unexpected == 1 and "left over: criterion.weight" in whole.notes


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        ("resnet50", dict, r"holds \d+ of the \d+ tensors of the backbone \(\d+ missing, the first is 'layer1"),
        ("resnet18", lambda d: {k: t for k, t in d.items() if k != "bn1.weight"}, "1 missing, the first is 'bn1.weight'"),
        ("resnet18", lambda d: {k: t for k, t in d.items() if not k.startswith("fc.")}, "holds the backbone .* and no head"),
        ("resnet18", lambda d: {**d, "fc.weight": torch.zeros(14, 512), "fc.bias": torch.zeros(14)}, "answers 14 labels, you named 3"),
        ("resnet18", lambda d: {**d, "fc.weight": torch.zeros(K, 100)}, r"head of theirs.pth has 1 layers \(fc.weight \(3, 100\)"),
        ("resnet18", lambda d: {**d, "fc.2.weight": torch.zeros(K, K)}, "has 2 layers"),
        ("resnet18", lambda d: {**d, "fc.bias": torch.full((K,), float("nan"))}, "not finite"),
        ("resnet18", lambda d: {**d, "layer3.2.conv1.weight": torch.zeros(256, 256, 3, 3)}, "1 layer more than the network has"),
    ],
)  # fmt: skip
def test_what_is_not_whole_is_refused_in_a_sentence(theirs, name, change, sentence):
    given = change(dict(theirs.state_dict()))
    with pytest.raises(BadInput, match=sentence):
        foreign.load(ModelSpec(name=name), PX, given, "theirs.pth", ALL)


def test_a_larger_network_of_the_same_shapes_is_not_taken_for_the_smaller():
    """ResNet-101 has every tensor of which timm's ResNet-50 is made, and more."""
    with pytest.raises(BadInput, match=r"layers more than the network has .* it is of a larger one"):
        loaded(timm.create_model("resnet101", num_classes=K), "resnet50")


def test_a_network_of_this_lab_alone_is_refused(theirs):
    with pytest.raises(BadSpec, match="only a checkpoint of this lab holds it"):
        loaded(theirs, "small_cnn")


def test_a_network_that_ends_in_another_way_here_than_in_timm_is_refused():
    """CoaT's own answer comes from its class tokens; with the same weights another ending would be plausible nonsense."""
    torch.manual_seed(0)
    with pytest.raises(BadSpec, match="answers otherwise here than timm's own with the same weights"):
        loaded(timm.create_model("coat_tiny", num_classes=K), "timm:coat_tiny", px=96)
