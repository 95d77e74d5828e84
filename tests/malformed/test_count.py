"""How many malformed inputs are tried; each is one test, or one file of a folder that is looked at by itself."""

from tests.malformed import (
    test_archives,
    test_dicoms,
    test_other_files,
    test_pictures,
    test_stores,
    test_tables,
)

MODULES = (test_archives, test_dicoms, test_other_files, test_pictures, test_stores, test_tables)


def test_at_least_three_hundred_different_inputs_are_tried():
    inputs = [name for module in MODULES for name in module.INPUTS] + list(test_pictures.NAME_INPUTS)
    assert len(inputs) == len(set(inputs)) >= 300


def test_every_registered_site_is_tried():
    from cxrlab.sites import SITES
    from tests.malformed import kit

    assert set(kit.fakeable()) == set(SITES)
