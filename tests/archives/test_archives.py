"""A store that was written once opens for ever."""

from pathlib import Path

import numpy as np
import pytest

from cxrlab import store
from cxrlab.labels import SHARED

HERE = Path(__file__).parent
KEPT = {
    1: "f079f35c4c89eb578c8e4aec0239def7618dab3dab529ac7e319c0b16413ad00"
}  # version → digest when it was made


def test_every_version_that_was_ever_written_is_kept():
    assert set(KEPT) == set(range(1, store.VERSION + 1))


@pytest.mark.parametrize("version", KEPT)
def test_a_kept_store_opens_and_is_whole(version):
    path = HERE / f"store-version-{version}.h5"
    opened = store.read(path)
    assert opened.digest == KEPT[version] and store.check(path) == []


def test_version_1_holds_what_it_held():
    opened = store.read(HERE / "store-version-1.h5")
    assert opened.site == "kept" and opened.header.synthetic and opened.header.labels == SHARED
    assert len(opened) == 4 and opened.image_shape == (24, 24)
    assert opened.images(range(4)).mean(axis=(1, 2)) == pytest.approx(
        [114.227, 107.658, 135.425, 118.870], abs=0.01
    )
    assert opened.rows["native_label"].tolist() == [
        "No Finding",
        "Pneumothorax",
        "Consolidation",
        "No Finding",
    ]
    assert opened.rows["age_years"].to_numpy() == pytest.approx([60, 46.7, 54.1, 44.8], abs=0.01)
    assert opened.evidence[1, SHARED.index("Pneumothorax")] == 1 and opened.evidence.sum() == 4
    assert opened.mask("lungs", 0).mean() > 0.1 and not opened.mask("Edema", 0).any()
    assert np.array_equal(
        opened.mask("Pneumothorax", 1), opened.mask("Pneumothorax", 1) & opened.mask("lungs", 1)
    )
