"""MedMNIST's chest sets."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from cxrlab.errors import BadInput, MissingInput
from cxrlab.labels import NIH, NO_FINDING
from cxrlab.sites import SITES

SITE = SITES["medmnist"]
spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
make = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make)


@pytest.fixture
def raw(tmp_path):
    make.fake_raw_folder(tmp_path)
    return tmp_path


def test_the_official_split_is_kept_and_every_image_is_a_patient(raw):
    rows = SITE.read(raw, "mnist", {}).rows
    assert rows["split_hint"].value_counts().to_dict() == make.PARTS
    assert rows["patient_id"].is_unique


def test_zero_is_normal_and_one_is_pneumonia(raw):
    found = SITE.read(raw, "mnist", {})
    assert found.header.labels == ("No Finding", "Pneumonia")
    assert found.evidence[:2].tolist() == [[1, 0], [0, 1]]


def test_each_image_is_the_one_in_the_archive(raw):
    rows = SITE.read(raw, "mnist", {}).rows
    with np.load(raw / "pneumoniamnist.npz") as arrays:
        wanted = [*arrays["train_images"], *arrays["val_images"], *arrays["test_images"]]
    for i in (14, 0, 7, 8):  # also backwards
        assert np.array_equal(SITE.image(raw, rows["source_file"][i]), wanted[i])


def test_chestmnist_gives_the_14_findings_no_finding_and_lung_lesion(tmp_path):
    make.write_set(tmp_path / "chestmnist_64.npz", 14, side=64)
    found = SITE.read(tmp_path / "chestmnist_64.npz", "mnist", {})  # the file itself will do
    assert set(found.header.labels) == {NO_FINDING, *NIH, "Lung Lesion"}
    said = dict(zip(found.header.labels, found.evidence[0].tolist(), strict=True))
    # The file's columns are in the order of labels.NIH; those with an odd number are 1 here, a nodule (5) too.
    assert [said[name] for name in NIH] == [0, 1] * 7 and said["Lung Lesion"] == 1 and said[NO_FINDING] == 0
    assert SITE.image(tmp_path / "chestmnist_64.npz", found.rows["source_file"][0]).shape == (64, 64)


def test_of_several_files_one_must_be_chosen(raw):
    make.write_set(raw / "chestmnist.npz", 14)
    with pytest.raises(BadInput, match="several sets"):
        SITE.read(raw, "mnist", {})
    assert len(SITE.read(raw, "mnist", {"file": "chestmnist"}).header.labels) == 16


def test_a_row_of_zeros_is_no_finding(tmp_path):
    make.write_set(tmp_path / "chestmnist.npz", 14)
    with np.load(tmp_path / "chestmnist.npz") as arrays:
        changed = {name: arrays[name] for name in arrays}
    changed["train_labels"][2] = 0
    np.savez(tmp_path / "chestmnist.npz", **changed)
    found = SITE.read(tmp_path, "mnist", {})
    assert found.evidence[:, found.header.labels.index(NO_FINDING)].tolist() == [0, 0, 1, *[0] * 12]
    assert found.evidence[2].sum() == 1


def test_the_map_is_that_of_the_set_in_the_file(raw, tmp_path):
    assert SITE.read(raw, "mnist", {}).label_map.dataset == "pneumoniamnist"
    make.write_set(tmp_path / "chestmnist.npz", 14)
    assert SITE.read(tmp_path / "chestmnist.npz", "mnist", {}).label_map.dataset == "chestmnist"


def test_a_pickle_inside_the_archive_is_refused_not_run(tmp_path):
    np.savez(
        tmp_path / "pneumoniamnist.npz",
        train_images=np.array([{"a": 1}], dtype=object),
        train_labels=np.zeros((1, 1)),
    )
    with pytest.raises(BadInput, match="uint8"):
        SITE.read(tmp_path, "mnist", {})
    images = np.zeros((1, 28, 28), np.uint8)
    np.savez(
        tmp_path / "pneumoniamnist.npz",
        train_images=images,
        train_labels=np.array([[{"a": 1}]], dtype=object),
    )
    with pytest.raises(BadInput, match="train_labels"):
        SITE.read(tmp_path, "mnist", {})


@pytest.mark.parametrize("shape", [(4, 28, 28, 3), (4, 4, 4)])
def test_a_set_of_something_else_is_refused(tmp_path, shape):
    np.savez(
        tmp_path / "bloodmnist.npz",
        train_images=np.zeros(shape, np.uint8),
        train_labels=np.zeros((4, 1), np.uint8),
    )
    with pytest.raises(BadInput, match="a grey chest set"):
        SITE.read(tmp_path, "mnist", {"file": "bloodmnist"})


def test_a_file_that_is_missing_or_cut_off_is_explained(raw):
    with pytest.raises(MissingInput, match="no file or folder"):
        SITE.read(raw / "nowhere", "mnist", {})
    path = raw / "pneumoniamnist.npz"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(BadInput, match="fetch it again"):
        SITE.read(raw, "mnist", {})


def test_an_archive_damaged_anywhere_is_one_sentence(raw):
    path = raw / "pneumoniamnist.npz"
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(30):
        data = bytearray(whole)
        for at in rng.integers(len(data), size=20):
            data[at] = rng.integers(256)
        path.write_bytes(bytes(data))
        try:
            rows = SITE.read(raw, "mnist", {}).rows
            SITE.image(raw, rows["source_file"][0])
        except BadInput as error:
            assert "\n" not in str(error)


def test_the_real_file_is_read(realdata):
    found = SITE.read(realdata / "medmnist", "mnist", {})
    assert found.rows["split_hint"].value_counts().to_dict() == {"train": 3882, "test": 624, "val": 524}
    assert found.evidence[:, 0].sum() == 388 + 135 + 234
