"""Made-up hospitals are read like any other site."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from cxrlab import phantom, store
from cxrlab.errors import BadInput, MissingInput
from cxrlab.labels import SHARED
from cxrlab.sites import SITES

SITE = SITES["phantom"]


@pytest.fixture
def raw(tmp_path):
    spec = importlib.util.spec_from_file_location("make", Path(__file__).parent / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    make.fake_raw_folder(tmp_path)
    return tmp_path


def test_the_rows_are_what_a_store_needs(raw):
    found = SITE.read(raw, "elsewhere", {})
    assert list(found.rows) == list(store.ROW_COLUMNS)
    assert len(found.rows) == 12 and found.rows["image_id"].is_unique
    assert found.evidence.shape == (12, len(SHARED)) and found.evidence.dtype == np.int8
    assert found.header.site == "elsewhere" and found.header.labels == SHARED


def test_a_phantom_says_that_it_is_synthetic(raw):
    header = SITE.read(raw, "elsewhere", {}).header
    assert header.synthetic and SITE.synthetic
    assert "synthetic" in header.title and "synthetic" in header.source


def test_the_pixels_and_masks_are_those_of_the_recipe(raw):
    found = SITE.read(raw, "elsewhere", {})
    drawn = phantom.draw("north", 7, seed=3)
    assert np.array_equal(SITE.image(raw, found.rows["source_file"][7]), drawn.image)
    masks = SITE.masks(raw, found.rows["source_file"][7], 64, {})
    assert tuple(masks) == phantom.MASKS and masks["lungs"].shape == (64, 64)
    assert found.rows["patient_id"][7] == drawn.facts["patient_id"]


def test_a_store_can_be_written_from_it(raw, tmp_path):
    found = SITE.read(raw, "elsewhere", {})
    images = (SITE.image(raw, file) for file in found.rows["source_file"])
    store.write(tmp_path / "x.h5", found.header, found.rows, found.evidence, images)
    assert store.check(tmp_path / "x.h5") == []
    assert store.read(tmp_path / "x.h5").header.synthetic


def test_a_missing_folder_or_file_is_a_sentence(tmp_path):
    with pytest.raises(MissingInput, match="no folder at"):
        SITE.read(tmp_path / "nowhere", "s", {})
    with pytest.raises(MissingInput, match=r"no phantom\.json"):
        SITE.read(tmp_path, "s", {})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "holds list"),
        ('{"recipe": "north"}', r"holds \['recipe'\]"),
        (json.dumps({"recipe": "nowhere", "n": 3, "seed": 0}), "asks for the recipe 'nowhere'"),
        (json.dumps({"recipe": ["north"], "n": 3, "seed": 0}), "asks for the recipe"),
        (json.dumps({"recipe": "north", "n": 0, "seed": 0}), "asks for n = 0"),
        (json.dumps({"recipe": "north", "n": "9", "seed": 0}), "asks for n = '9'"),
        (json.dumps({"recipe": "north", "n": 10**12, "seed": 0}), "from 1 to"),
        (json.dumps({"recipe": "north", "n": 3, "seed": -1}), "gives the seed -1"),
    ],
)
def test_a_bad_order_is_a_sentence(tmp_path, text, says):
    (tmp_path / "phantom.json").write_text(text)
    with pytest.raises(BadInput, match=says):
        SITE.read(tmp_path, "s", {})


@pytest.mark.parametrize("file", ["phantom/12", "phantom/-1", "../secret", "phantom/"])
def test_an_image_that_is_not_there_is_a_sentence(raw, file):
    with pytest.raises(BadInput, match="is no image of this phantom folder"):
        SITE.image(raw, file)
