"""Bytes of a store reach the network as they should, wherever they lie."""

import numpy as np
import pytest
import torch

from cxrlab import inputs, store
from cxrlab.errors import BadRun, BadSpec
from cxrlab.inputs import InputSpec, Resident, Streamed
from tests import planted

CPU = torch.device("cpu")


@pytest.fixture
def site(lab):
    planted.write_site(lab, "home", n=30)
    return store.read(lab.store("home"))


def all_of(images, order=None, batch=7):
    order = np.arange(len(images)) if order is None else order
    return torch.cat([*images.batches(order, batch)])


def test_images_come_in_the_order_asked_for(site):
    rows = np.array([5, 2, 29, 11])
    images = inputs.load([(site, rows)], planted.PX, CPU)
    assert isinstance(images, Resident)
    assert torch.equal(all_of(images, [3, 0])[:, 0], torch.from_numpy(site.images([11, 5])))


def test_a_larger_store_is_reduced_once_by_areas(site):
    images = inputs.load([(site, np.arange(30))], planted.PX // 2, CPU)
    wanted = site.images([4])[0].reshape(16, 2, 16, 2).mean(axis=(1, 3))
    assert np.abs(all_of(images)[4, 0].numpy() - wanted).max() <= 0.5


def test_several_stores_follow_one_another(lab, site):
    planted.write_site(lab, "more", n=10, seed=3)
    more = store.read(lab.store("more"))
    images = inputs.load([(site, np.array([1])), (more, np.array([9]))], planted.PX, CPU)
    assert torch.equal(all_of(images)[:, 0], torch.from_numpy(np.stack([site.image(1), more.image(9)])))


def test_what_does_not_fit_is_streamed_and_the_same(lab, site):
    planted.write_site(lab, "more", n=10, seed=3)
    rows = [(site, np.arange(20)), (store.read(lab.store("more")), np.arange(10))]
    streamed = inputs.load(rows, 28, CPU, budget={"cpu": 100})
    assert isinstance(streamed, Streamed)
    order = np.random.default_rng(0).permutation(30)
    assert torch.equal(all_of(streamed, order), all_of(inputs.load(rows, 28, CPU), order))


def test_a_stream_that_is_left_early_leaves_no_thread(site):
    import threading

    before = threading.active_count()
    stream = Streamed([(site, np.arange(30))], planted.PX, CPU).batches(np.arange(30), 2)
    next(stream)
    stream.close()
    assert threading.active_count() == before


def test_a_stream_raises_what_reading_raised(site, monkeypatch):
    def broken(_self, _rows):
        raise OSError("checksum")

    monkeypatch.setattr(store.Store, "images", broken)
    with pytest.raises(OSError, match="checksum"):
        next(Streamed([(site, np.arange(30))], planted.PX, CPU).batches(np.arange(30), 2))


def test_normalised_means_zero_and_one(site):
    images = inputs.load([(site, np.arange(30))], planted.PX, CPU)
    seen = InputSpec(planted.PX, *inputs.measure_mean_std(images, np.arange(30)))
    x = seen.normalise(seen.scale(all_of(images)))
    assert float(x.mean()) == pytest.approx(0, abs=1e-4)
    assert float(x.std()) == pytest.approx(1, abs=1e-3)
    assert seen.scale(torch.tensor([0, 255], dtype=torch.uint8)).tolist() == [0.0, 1.0]


def test_an_input_spec_comes_back_from_json_and_refuses_what_it_does_not_know():
    seen = InputSpec(64, 0.45, 0.2)
    assert InputSpec.from_json(seen.to_json()) == seen
    with pytest.raises(BadRun, match="1 channel"):
        InputSpec.from_json({**seen.to_json(), "channels": 3})
    with pytest.raises(BadRun, match="expected image_px"):
        InputSpec.from_json({**seen.to_json(), "gamma": 2})


def test_home_is_never_enlarged_and_says_so(site):
    with pytest.raises(BadSpec, match="set the image side to at most 32"):
        inputs.check_size([(site, np.arange(3))], 64)


def test_a_smaller_external_site_is_enlarged(site):
    images = inputs.load([(site, np.arange(3))], 48, CPU)
    assert all_of(images).shape == (3, 1, 48, 48)
