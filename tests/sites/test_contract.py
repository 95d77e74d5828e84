"""Whatever a site is, its raw folder becomes a store that every later room can rely on."""

import importlib.util
import os
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from cxrlab import ingest, labels, privacy, store
from cxrlab.sites import SITES

HERE = Path(__file__).parent


def fake(site, folder):
    path = HERE / site / "make.py"
    assert path.is_file(), f"the site {site!r} needs tests/sites/{site}/make.py with fake_raw_folder(folder)"
    spec = importlib.util.spec_from_file_location(f"make_{site}", path)
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    folder.mkdir()
    make.fake_raw_folder(folder)
    return folder


@pytest.fixture(scope="module", params=sorted(SITES))
def made(request, tmp_path_factory):
    """(site, its raw folder, its open store, its lab)."""
    from cxrlab.paths import Lab

    folder = tmp_path_factory.mktemp(request.param)
    raw = fake(request.param, folder / "raw")
    lab = Lab(folder / "lab")
    done = ingest.ingest(lab, request.param, raw, "here", px=48, workers=1)
    return request.param, raw, store.read(done.path), lab


def source(made, i):
    """The file of image i below the raw folder; a private site's store has another name for it."""
    site, raw, opened, lab = made
    name = opened.rows["source_file"][i]
    return os.path.relpath(privacy.file_behind(lab, "here", name), raw) if SITES[site].private else name


def test_a_fake_folder_becomes_a_store_without_fault(made):
    _, _, opened, _ = made
    assert store.check(opened.path) == []
    assert len(opened) >= 2 and opened.image_shape == (48, 48)
    assert all(opened.image(i).std() > 1 for i in range(len(opened)))


def test_every_row_says_who_and_where(made):
    site, raw, opened, _ = made
    rows = opened.rows
    assert (rows["patient_id"] != "").all() and (rows["image_id"] != "").all() and rows["image_id"].is_unique
    assert set(rows["sex"]) <= {"F", "M", "O", ""}
    assert set(rows["view"]) <= {"PA", "AP", "LATERAL", ""}
    assert set(rows["split_hint"]) <= {"train", "val", "test", ""}
    assert rows["age_years"].dropna().between(0, 120).all()
    assert (rows["width"] >= 16).all() and (rows["height"] >= 16).all()
    for name in rows["source_file"]:
        assert not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts
    width, height = SITES[site].image(raw, source(made, 0)).shape[::-1]
    assert (rows["width"][0], rows["height"][0]) == (width, height)


def test_evidence_uses_our_words_and_every_label_is_annotated_somewhere(made):
    _, _, opened, _ = made
    labels.check_labels(opened.header.labels, "a store")
    assert opened.evidence.shape == (len(opened), len(opened.header.labels))
    assert ((opened.evidence != labels.Evidence.NOT_ANNOTATED).any(axis=0)).all()
    findings = [k for k, name in enumerate(opened.header.labels) if name != labels.NO_FINDING]
    none = opened.evidence[:, opened.header.labels.index(labels.NO_FINDING)] == 1
    assert not (opened.evidence[none][:, findings] == 1).any()


def test_the_header_says_where_it_comes_from_and_what_became_what(made):
    site, _, opened, _ = made
    header = opened.header
    assert header.title and header.source and header.synthetic == SITES[site].synthetic
    assert header.ledger, "what became what must be said"
    for entry in header.ledger:
        assert {"native", "label", "images", "note"} <= set(entry) and entry["images"] >= 0
        assert entry["label"] == "" or entry["label"] in header.labels


def test_nothing_is_dropped_in_silence(made):
    site, raw, opened, lab = made
    found = SITES[site].read(raw, "here", {})
    files, left_out = set(found.rows["source_file"]), set(opened.quarantine["file"])
    assert (opened.quarantine["reason"] != "").all()
    if SITES[site].private:
        files = set(map(privacy.Pseudonyms(privacy.salt(lab)).file, files))
    assert files and files - set(opened.rows["source_file"]) <= left_out


def test_the_same_folder_gives_the_same_store_however_many_decode(made):
    site, raw, opened, lab = made
    again = ingest.ingest(lab, site, raw, "there", px=48, workers=2)
    assert again.digest == opened.digest
    assert not list(lab.stores.glob("*.staging")) and not list(lab.stores.glob("*.part-*"))


def test_asking_again_does_nothing(made):
    site, raw, opened, lab = made
    before = opened.path.stat().st_mtime_ns
    again = ingest.ingest(lab, site, raw, "here", px=48, workers=1)
    assert again.already and opened.path.stat().st_mtime_ns == before
    assert again.n_images == len(opened)


def test_a_site_says_what_a_form_needs(made):
    plugin = SITES[made[0]]
    for text in (
        plugin.name,
        plugin.title,
        plugin.licence,
        plugin.source,
        plugin.expects,
        *plugin.options.values(),
    ):
        assert isinstance(text, str) and text
    assert plugin.name == made[0]


def test_a_mapped_site_records_the_map_that_it_used(made):
    site, _, opened, _ = made
    if SITES[site].label_map:
        used = opened.header.preprocess["map"]
        assert used["origin"] == "narrow" and len(used["digest"]) == 64 and used["rules"]
        assert all({"says", "before", "after"} <= set(entry) for entry in opened.header.ledger)


def test_masks_lie_beside_their_image(made):
    site, raw, opened, _ = made
    for name in opened.mask_names:
        wanted = SITES[site].masks(raw, source(made, 1), 48, {}).get(name, np.zeros((48, 48)))
        assert np.array_equal(opened.mask(name, 1), wanted > 0)
