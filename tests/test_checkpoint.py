"""A checkpoint is read whole or refused; nothing in it can run."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cxrlab import checkpoint
from cxrlab.checkpoint import Checkpoint, Last, Selection
from cxrlab.errors import BadRun, MissingInput
from cxrlab.inputs import InputSpec
from cxrlab.models.base import Loaded, build
from tests import planted

ROOT = Path(__file__).parent.parent


@pytest.fixture
def made():
    torch.manual_seed(0)
    empty = Checkpoint(
        spec=planted.train_spec(),
        input=InputSpec(planted.PX, 0.4, 0.2),
        labels=planted.LABELS,
        selection=Selection("val-macro-auroc", 0.91, 2, 3),
        log_pos_weight=(0.0, 1.5, 0.1),
        stores={"home": "ab" * 32},
        weights=Loaded("w.safetensors", 10, 0, 2),
        precision="bf16",
    )
    return replace(empty, tensors=build(empty.plan).state_dict())


def head_of(path):
    from safetensors import safe_open

    with safe_open(path, framework="pt") as opened:
        return json.loads(opened.metadata()["cxrlab"])


def rewrite(path, meta, tensors=None):
    save_file(load_file(path) if tensors is None else tensors, path, metadata={"cxrlab": json.dumps(meta)})


def test_everything_comes_back(tmp_path, made):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write(path, made)
    back = checkpoint.read(path)
    assert replace(back, tensors={}) == replace(made, tensors={})
    assert all(torch.equal(back.tensors[name], tensor) for name, tensor in made.tensors.items())
    x = torch.rand(2, 1, planted.PX, planted.PX)
    same = build(made.plan)
    same.load_state_dict(made.tensors)
    assert torch.equal(checkpoint.network(back, torch.device("cpu"))(x), same.eval()(x))


def test_building_a_network_leaves_the_callers_random_stream_alone(made):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    checkpoint.network(made, torch.device("cpu"))
    assert torch.equal(torch.rand(1), expected)


def test_a_missing_checkpoint_says_what_to_do(tmp_path):
    with pytest.raises(MissingInput, match="train the run first or resume it"):
        checkpoint.read(tmp_path / "checkpoint.safetensors")


@pytest.mark.parametrize("kept", [0, 7, 100, 5000])
def test_a_cut_off_file_is_refused(tmp_path, made, kept):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write(path, made)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadRun, match="not a whole safetensors file"):
        checkpoint.read(path)


def test_a_pickle_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    torch.save({"weights": torch.ones(3)}, path)
    with pytest.raises(BadRun, match="not a whole safetensors file"):
        checkpoint.read(path)


def test_someone_elses_safetensors_and_another_version_are_refused(tmp_path, made):
    path = tmp_path / "checkpoint.safetensors"
    save_file({"a": torch.ones(2)}, path)
    with pytest.raises(BadRun, match="says nothing; expected 'cxrlab-checkpoint' version 1"):
        checkpoint.read(path)
    checkpoint.write(path, made)
    rewrite(path, {**head_of(path), "version": 2})
    with pytest.raises(BadRun, match="version 2; expected 'cxrlab-checkpoint' version 1"):
        checkpoint.read(path)


def test_a_missing_tensor_is_refused(tmp_path, made):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write(path, made)
    fewer = load_file(path)
    fewer.pop("head.1.bias")
    rewrite(path, head_of(path), fewer)
    with pytest.raises(BadRun, match="does not hold the tensors that its header names"):
        checkpoint.read(path)


def test_tensors_of_another_network_are_refused(made):
    with pytest.raises(BadRun, match="does not fit its network"):
        checkpoint.network(replace(made, labels=("Edema",)), torch.device("cpu"))


@pytest.mark.parametrize("damage", ["unknown", "missing", "spec"])
def test_a_header_that_we_do_not_know_is_refused(tmp_path, made, damage):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write(path, made)
    meta = head_of(path)
    if damage == "unknown":
        meta["head"]["colour"] = "blue"
    elif damage == "missing":
        del meta["head"]["log_pos_weight"]
    else:
        meta["head"]["spec"]["task"] = "dreams"
    rewrite(path, meta)
    with pytest.raises(BadRun, match="train the run again"):
        checkpoint.read(path)


def test_a_cut_off_trainings_state_comes_back_and_is_no_checkpoint(tmp_path):
    path = tmp_path / "last.ckpt"
    chosen = Selection("val-mse", 0.1, 1, 1)
    last = Last(
        "d" * 64, "fp32", 2, 1, 7, 0.1 + 0.2, chosen, [{"epoch": 1, "loss": 0.3}], 12.5, vars(Loaded())
    )
    last.tensors = {"net.a": torch.rand(3), "optimizer.0.step": torch.tensor(7.0)}
    checkpoint.write_last(path, last)
    back = checkpoint.read_last(path)
    assert {k: v for k, v in vars(back).items() if k != "tensors"} == {
        k: v for k, v in vars(last).items() if k != "tensors"
    }
    assert all(torch.equal(back.tensors[name], tensor) for name, tensor in last.tensors.items())
    with pytest.raises(BadRun, match="expected 'cxrlab-checkpoint'"):
        checkpoint.read(path)


def test_a_checkpoint_says_its_head_and_one_from_before_heads_is_binary(tmp_path, made):
    path = tmp_path / "checkpoint.safetensors"
    three = replace(made, head="three-way")
    checkpoint.write(path, replace(three, tensors=build(three.plan).state_dict()))
    back = checkpoint.read(path)
    assert back.head == "three-way"
    assert checkpoint.network(back, torch.device("cpu"))(torch.rand(1, 1, planted.PX, planted.PX)).shape == (
        1,
        9,
    )
    checkpoint.write(path, made)
    meta = head_of(path)
    del meta["head"]["head"]  # as they were written before
    rewrite(path, meta)
    old = checkpoint.read(path)
    assert old.head == "binary"
    assert checkpoint.network(old, torch.device("cpu"))(torch.rand(1, 1, planted.PX, planted.PX)).shape == (
        1,
        3,
    )


def test_a_head_of_an_unknown_kind_or_another_width_is_refused(tmp_path, made):
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.write(path, made)
    meta = head_of(path)
    meta["head"]["head"] = "hydra"
    rewrite(path, meta)
    with pytest.raises(BadRun, match="a head of the kind 'hydra'"):
        checkpoint.read(path)
    with pytest.raises(BadRun, match="does not fit its network"):
        checkpoint.network(replace(made, head="three-way"), torch.device("cpu"))


FULL = """
import resource, sys
from pathlib import Path
import torch
from cxrlab import checkpoint
from cxrlab.errors import NoSpace

path = Path(sys.argv[1])
state = checkpoint.Last("d" * 64, "fp32", 1, 0, 1, 0.5, None, [], 1.0, {})
state.tensors = {"net.a": torch.ones(10)}
checkpoint.write_last(path, state)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
state.tensors = {"net.a": torch.zeros(100_000)}
try:
    checkpoint.write_last(path, state)
except NoSpace as error:
    print(error)
"""


def test_where_there_is_no_room_the_state_before_stays_and_a_sentence_says_so(tmp_path):
    """The file's own library says it in an error of its own kind."""
    path = tmp_path / "last.ckpt"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], check=False, capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout.startswith("the largest file size allowed here was reached"), done.stderr[-500:]
    assert f"while writing {path}; nothing was written under that name" in done.stdout
    assert torch.equal(checkpoint.read_last(path).tensors["net.a"], torch.ones(10))
    assert [one.name for one in tmp_path.iterdir()] == ["last.ckpt"]
