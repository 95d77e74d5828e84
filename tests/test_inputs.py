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


def some_images(px=40):
    rng = np.random.default_rng(3)
    return torch.from_numpy(rng.gamma(3, 12, (6, 1, px, px)).clip(0, 255).astype(np.uint8) + np.uint8(20))


def test_minmax_and_percentile_stretch_each_image_as_numpy_does():
    raw = some_images()
    for values, ends in (("minmax", (0, 100)), ("percentile", (0.5, 99.5))):
        made = InputSpec(40, 0.0, 1.0, values=values).scale(raw)
        for one, image in zip(made, raw, strict=True):
            low, high = np.percentile(image.numpy(), ends, method="nearest")
            wanted = np.clip((image.numpy().astype(float) - low) / (high - low), 0, 1)
            assert np.abs(one.numpy() - wanted).max() < 1e-6
        assert float(made.min()) == 0
        assert float(made.max()) == 1


def test_zscore_gives_each_image_mean_zero_and_deviation_one_and_spares_blank_ones():
    seen = InputSpec(40, 0.0, 1.0, values="zscore")
    x = seen.normalise(seen.scale(some_images()))
    assert x.mean(dim=(1, 2, 3)).abs().max() < 1e-5
    assert torch.allclose(x.std(dim=(1, 2, 3), correction=0), torch.ones(6), atol=1e-5)
    blank = torch.full((2, 1, 8, 8), 90, dtype=torch.uint8)
    for values in ("zscore", "minmax", "percentile"):
        one = InputSpec(8, 0.0, 1.0, values=values)
        assert torch.isfinite(one.normalise(one.scale(blank))).all()


def test_a_gain_is_not_seen_through_values_scaled_by_each_image():
    raw = some_images()
    dim = (raw.float() * 0.5).round().to(torch.uint8)
    for values in ("zscore", "minmax", "percentile"):
        one = InputSpec(40, 0.0, 1.0, values=values)
        apart = (one.normalise(one.scale(raw)) - one.normalise(one.scale(dim))).abs()
        assert float(apart.mean()) < 0.03


def test_an_input_spec_of_an_older_checkpoint_still_reads_and_an_unchanged_one_is_written_as_then():
    old = {"image_px": 64, "mean": 0.4, "std": 0.2, "channels": 1, "low": 0.0, "high": 1.0}
    assert InputSpec.from_json(old) == InputSpec(64, 0.4, 0.2)
    assert InputSpec(64, 0.4, 0.2).to_json() == old
    new = InputSpec(64, 0.0, 1.0, values="percentile", landmarks=(1.0, 2.5))
    assert InputSpec.from_json(new.to_json()) == new
    with pytest.raises(BadRun, match="scales grey values by 'magic'"):
        InputSpec.from_json({**old, "values": "magic"})


def test_the_largest_image_side_is_reduced_to_what_is_asked(lab):
    planted.write_site(lab, "big", n=3, px=2048)
    big = store.read(lab.store("big"))
    for px in (2048, 224, 64):
        inputs.check_size([(big, np.arange(3))], px)
        assert all_of(inputs.load([(big, np.arange(3))], px, CPU)).shape == (3, 1, px, px)
