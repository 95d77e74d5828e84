"""The table of kinship: nothing in it depends on who is asked first."""

import itertools

import pytest

from cxrlab import store
from cxrlab.leaks import kinship


def header(dataset, title="", site="a", **preprocess):
    return store.Header(site, title, "", ("Edema",), preprocess={"dataset": dataset, **preprocess})


NAMES = sorted({name for kin in kinship.TABLE for name in (kin.a, kin.b)})


def test_kinship_is_symmetric_and_stated_once():
    for a, b in itertools.combinations(NAMES, 2):
        assert kinship.between_datasets(a, b) is kinship.between_datasets(b, a)
    assert len({frozenset((kin.a, kin.b)) for kin in kinship.TABLE}) == len(kinship.TABLE)


def test_every_kinship_says_who_says_so():
    assert all(kin.says and kin.source for kin in (*kinship.TABLE, *kinship.TWICE))


@pytest.mark.parametrize(
    ("a", "b"),
    [("rsna", "nih"), ("chexphoto", "chexpert"), ("chestmnist", "nih"), ("covid-radiography", "covid"),
     ("covid-radiography", "kermany"), ("chestmnist", "rsna"), ("covid_radiography", "nih")],
)  # fmt: skip
def test_known_kin_are_kin(a, b):
    titled = {"chestmnist": ("medmnist", "chestmnist_64 (NIH Clinical Center), reduced by MedMNIST")}
    kin = kinship.of(header(*titled.get(a, (a,))), header(*titled.get(b, (b,))))
    assert kin is not None and kin.is_sure


def test_what_nobody_knows_is_said_to_be_unsure():
    assert not kinship.between_datasets("padchest", "covid-radiography").is_sure


@pytest.mark.parametrize(
    ("a", "b"), [("nih", "chexpert"), ("mimic", "padchest"), ("folder", "folder"), ("", "nih")]
)
def test_strangers_are_strangers(a, b):
    assert kinship.of(header(a), header(b)) is None


def test_medmnist_is_two_sets_of_two_hospitals():
    chest = header("medmnist", "chestmnist (NIH Clinical Center), reduced by MedMNIST")
    pneumonia = header("medmnist", "pneumoniamnist_128 (Guangzhou)")
    assert kinship.of(chest, header("nih")) is not None and kinship.of(pneumonia, header("nih")) is None
    assert (
        kinship.of(pneumonia, header("kermany")) is not None and kinship.of(chest, header("kermany")) is None
    )


def test_patients_have_the_same_name_in_two_parts_of_one_dataset_only():
    assert kinship.share_names(header("nih"), "1", header("nih", site="b"), "2")
    assert not kinship.share_names(header("nih"), "1", header("rsna"), "2")
    assert not kinship.share_names(header("folder"), "1", header("folder"), "2")  # any two hospitals' folders


def test_a_planted_copy_is_known_by_its_origin():
    origin = header("folder", site="east")
    copy = header("folder", site="east-blurred", planted={"from": "east", "from_digest": "d0"})
    other = header("folder", site="east-dark", planted={"from": "east", "from_digest": "d0"})
    for a, b in ((origin, copy), (copy, origin), (copy, other)):
        assert kinship.are_copies(a, "d0" if a is origin else "x", b, "d0" if b is origin else "y")
    assert not kinship.are_copies(copy, "x", header("folder", site="west"), "d1")


def test_a_copy_of_a_copy_is_known_by_its_first_origin():
    origin = header("folder", site="east")
    first = {"from": "east", "from_digest": "d0"}
    second = header("folder", site="east-2", planted={"from": "east-1", "from_digest": "d1", "after": first})
    assert kinship.are_copies(origin, "d0", second, "d2") and kinship.are_copies(second, "d2", origin, "d0")


def test_two_stores_of_vindr_may_share_patients_that_no_name_shows():
    kin = kinship.of(header("vindr"), header("vindr", site="b"))
    assert kin is not None and not kin.is_sure
