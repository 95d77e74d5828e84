"""A preview is what training would do to a few images, written whole, or a sentence."""

import numpy as np
import pytest
import torch

from cxrlab.augment import AUGMENT, preview
from cxrlab.errors import BadInput, MissingInput, UnknownName
from tests import fake_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return fake_lab.build(tmp_path_factory.mktemp("lab"))


def test_originals_are_the_stores_own_and_each_draw_another(lab):
    made = preview.draw(lab, fake_lab.HOME, "light", fake_lab.PX, 4)
    assert made.original.shape == (4, fake_lab.PX, fake_lab.PX)
    assert made.changed.shape == (4, preview.DRAWS, fake_lab.PX, fake_lab.PX)
    assert made.original.dtype == made.changed.dtype == np.uint8
    assert made.rows.tolist() == [0, 233, 466, 699]
    from cxrlab import store

    assert np.array_equal(made.original, store.read(lab.store(fake_lab.HOME)).images(made.rows))
    pictures = [made.original[0], *made.changed[0]]
    assert all(not np.array_equal(one, other) for k, one in enumerate(pictures) for other in pictures[:k])


def test_the_same_question_has_the_same_answer(lab):
    once, again = (preview.draw(lab, fake_lab.HOME, "strong", 32, 3) for _ in range(2))
    assert np.array_equal(once.changed, again.changed)


@pytest.mark.parametrize("name", list(AUGMENT))
def test_every_augmentation_can_be_previewed(lab, name):
    made = preview.draw(lab, fake_lab.HOME, name, 32, 2)
    same = [np.array_equal(made.original[0], one) for one in made.changed[0]]
    assert all(same) if name == "none" else not any(same)


def test_a_small_site_shows_each_of_its_images_once(lab):
    made = preview.draw(lab, fake_lab.HILLCREST, "light", 28, 64)
    assert len(set(made.rows.tolist())) == 64


def test_it_writes_one_file_that_needs_no_pickle(lab, tmp_path):
    out = tmp_path / "made.npz"
    words = ["--lab", str(lab.root), "--site", fake_lab.HOME, "--name", "medium", "--px", "32", "--n", "2"]
    assert preview.main([*words, "--out", str(out)]) == 0
    with np.load(out, allow_pickle=False) as made:
        assert made["changed"].shape == (2, preview.DRAWS, 32, 32)
    assert [path.name for path in tmp_path.iterdir()] == ["made.npz"]


def test_what_cannot_be_drawn_is_a_sentence(lab, tmp_path, capsys):
    with pytest.raises(MissingInput, match="no store"):
        preview.draw(lab, "elsewhere", "light", 32, 2)
    with pytest.raises(UnknownName):
        preview.draw(lab, fake_lab.HOME, "lightt", 32, 2)
    for px, n in ((8, 2), (32, 0), (32, 1000)):
        with pytest.raises(BadInput, match="expected 1 to"):
            preview.draw(lab, fake_lab.HOME, "light", px, n)
    words = ["--lab", str(lab.root), "--site", "elsewhere", "--name", "light", "--px", "32"]
    assert preview.main([*words, "--out", str(tmp_path / "no.npz")]) == 2
    assert capsys.readouterr().err.startswith("no store at")
    assert not list(tmp_path.iterdir())


def test_torchs_own_random_numbers_are_left_alone(lab):
    before = torch.random.get_rng_state()
    preview.draw(lab, fake_lab.HOME, "strong", 32, 2)
    assert torch.equal(before, torch.random.get_rng_state())
