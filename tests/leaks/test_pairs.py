"""Planted copies are found and named; different people are not copies of each other."""

import numpy as np
import pytest

from cxrlab import store
from cxrlab.leaks import pairs
from tests.leaks import kit

N = 40


@pytest.fixture(scope="module")
def pictures():
    return kit.drawn("north", N, 0, 128)


def found(a, b, lab):
    both = pairs.between(lab, a, b)
    return set(zip(both.a.tolist(), both.b.tolist(), strict=True))


CHANGES = {
    "unchanged": lambda image: image,
    "JPEG of quality 40": kit.jpeg,
    "reduced to 64 px": lambda image: kit.resized(image, 64),
    "brighter with less contrast": kit.brightened,
    "3 per cent cropped": kit.cropped,
    "all of it": lambda image: kit.jpeg(kit.resized(kit.brightened(kit.cropped(image)), 64), 60),
}


@pytest.mark.parametrize("change", CHANGES)
def test_planted_copies_are_found_and_named(change, lab, pictures):
    here = kit.write(lab, "here", pictures)
    copied = np.stack([CHANGES[change](image) for image in pictures[10:30]])
    others = np.stack([kit.resized(image, copied.shape[1]) for image in kit.drawn("north", N, 5, 128)])
    there = kit.write(lab, "there", np.concatenate([others, copied]))
    planted = {(i, N + i - 10) for i in range(10, 30)}
    hits = found(here, there, lab)
    assert hits <= planted and len(hits) >= 19


def test_a_centre_square_reduced_to_28_pixels_is_found(lab):
    wide = kit.drawn("south", N, 0, 160)  # as if 320 by 160 had been stretched to a square
    here = kit.write(lab, "here", wide, sizes=(320, 160))
    there = kit.write(
        lab, "there", np.stack([kit.resized(np.repeat(image[:, 40:120], 2, axis=1), 28) for image in wide])
    )
    hits = found(here, there, lab)
    assert len(hits & {(i, i) for i in range(N)}) >= 0.95 * N


@pytest.mark.parametrize("other", [("south", 1), ("north", 7)])
def test_different_phantoms_are_no_copies(other, lab):
    here = kit.write(lab, "here", kit.drawn("north", 300, 3))
    there = kit.write(lab, "there", kit.drawn(other[0], 300, other[1]))
    assert found(here, there, lab) == set()


def test_copies_within_a_site_count_only_across_patients(lab, pictures):
    double = np.concatenate([pictures[:10], pictures[:10]])
    names = [f"p{i}" for i in range(10)] + [f"p{i}" if i < 6 else f"q{i}" for i in range(10)]
    one = kit.write(lab, "one", double, patients=names)
    assert found(one, one, lab) == {(i, 10 + i) for i in range(6, 10)}


def test_pairs_are_kept_and_renewed_when_a_store_changes(lab, pictures, monkeypatch):
    computed = []
    compute = pairs._compute
    monkeypatch.setattr(pairs, "_compute", lambda *said: computed.append(1) or compute(*said))
    here, there = kit.write(lab, "here", pictures[:20]), kit.write(lab, "there", pictures[10:30])
    assert not pairs.is_there(lab, here, there)
    assert found(here, there, lab) == {(10 + i, i) for i in range(10)}
    assert found(there, here, lab) == {(i, 10 + i) for i in range(10)} and len(computed) == 1
    assert pairs.is_there(lab, there, here)
    there = kit.write(lab, "there", pictures[15:35])
    assert found(here, there, lab) == {(15 + i, i) for i in range(5)} and len(computed) == 2


@pytest.mark.parametrize(
    "damage", ["", "[]", '{"rows": [[0, 99]], "alike": [1.0]}', '{"rows": [[0]], "alike": []}']
)
def test_a_damaged_cache_of_pairs_is_made_anew(lab, pictures, damage):
    here, there = kit.write(lab, "here", pictures[:5]), kit.write(lab, "there", pictures[:5])
    assert len(pairs.between(lab, here, there)) == 5
    for path in (lab.hashes / "pairs").iterdir():
        path.write_text(damage)
    assert len(pairs.between(lab, here, there)) == 5


def test_a_store_under_two_names_is_all_copies(lab, pictures):
    here = kit.write(lab, "here", pictures[:5])
    lab.store("twin").write_bytes(lab.store("here").read_bytes())
    twin = store.read(lab.store("twin"))
    assert here.digest == twin.digest and found(here, here, lab) == set()
    assert found(here, twin, lab) == {(i, i) for i in range(5)}
