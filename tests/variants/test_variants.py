"""Variants are stores like any other, made once, found again and removable; what is fitted comes from home's training rows."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cxrlab import __main__ as command
from cxrlab import files, ingest, spec, store, variants, views
from cxrlab.errors import BadInput, BadSpec, MissingInput, NoSpace
from cxrlab.jobs import request
from cxrlab.progress import Progress
from cxrlab.spec import PreprocessSpec, ViewSpec
from cxrlab.variants import making
from tests import planted
from tests.variants.kit import PX, N, write_phantoms

ROOT = Path(__file__).parent.parent.parent


def recipe(lab, *homes, **asked):
    view = ViewSpec(source=homes or ("home",), preprocess=PreprocessSpec(**asked))
    opened = {site: store.read(lab.store(site)) for site in view.source}
    made = variants.recipe_of(view, {site: one.digest for site, one in opened.items()})
    return variants.fitted(made, list(opened.values()))


@pytest.fixture
def home(lab):
    return write_phantoms(lab, "home")


def test_nothing_asked_is_the_store_itself(lab, home):
    assert variants.recipe_of(ViewSpec(source=("home",)), {}) is None
    assert variants.opened(lab, home, None) is home
    only_values = ViewSpec(source=("home",), preprocess=PreprocessSpec(normalise="zscore"))
    assert variants.recipe_of(only_values, {}) is None


@pytest.mark.parametrize(
    "asked",
    [
        {"crop": "centre"},
        {"crop": "lungs"},
        {"contrast": "clahe"},
        {"contrast": "nyul"},
        {"shape": "letterbox"},
        {"crop": "lungs", "contrast": "nyul", "shape": "letterbox"},
    ],
)
def test_a_variant_is_a_whole_store_with_the_same_rows_and_other_images(lab, home, asked):
    made = variants.opened(lab, home, recipe(lab, **asked))
    assert store.check(made.path) == []
    assert made.site == "home"
    assert lab.sites() == ["home"], "a variant is no site"
    pd.testing.assert_frame_equal(made.rows, home.rows)
    assert (made.evidence == home.evidence).all()
    pd.testing.assert_frame_equal(made.quarantine, home.quarantine)
    assert made.image_shape == home.image_shape
    assert made.digest != home.digest
    said = made.header.preprocess
    assert said["px"] == PX
    assert said["derived"]["from_digest"] == home.digest
    assert said["derived"]["crop"] == asked.get("crop", "none")
    assert (said["derived"]["fallback_rate"] is not None) == (asked.get("crop") == "lungs")


def test_boxes_and_masks_move_with_their_image(lab, home):
    made = variants.opened(lab, home, recipe(lab, crop="lungs", shape="letterbox"))
    kept = made.boxes.set_index("image_id")
    whole = set(made.header.preprocess["derived"]["fallback_rows"])
    cropped = [i for i in range(N) if i not in whole]
    assert len(cropped) > N / 2
    for i in cropped:
        mask = made.mask("lungs", i)
        x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
        box = kept.loc[f"home-{i}", ["x", "y", "w", "h"]].to_numpy(float) * PX
        assert np.abs(box - [x, y, w, h]).max() <= 2.5
        before = cv2.boundingRect(home.mask("lungs", i).astype(np.uint8))
        assert w != before[2] or h != before[3]
    bare = [i for i in range(N) if not home.mask("Pneumonia", i).any()]
    assert not any(made.mask("Pneumonia", i).any() for i in bare)


def test_boxes_outside_a_crop_are_left_out_and_counted(lab):
    planted.write_site(lab, "home", n=20, px=PX)
    one = store.read(lab.store("home"))
    boxes = pd.DataFrame([("home-0", "Edema", 0, 0, 0.03, 0.03), ("home-1", "Edema", 0.4, 0.4, 0.2, 0.2)])
    boxes.columns = list(store.BOX_COLUMNS)
    one = replace(one, boxes=boxes)
    made = variants.opened(lab, one, recipe(lab, crop="centre"))
    assert made.boxes["image_id"].tolist() == ["home-1"]
    assert made.header.preprocess["derived"]["boxes_left_out"] == 1


def test_lungs_that_are_not_found_leave_the_image_whole_and_are_counted_with_their_reason(lab):
    planted.write_site(lab, "home", n=20, px=PX)
    home = store.read(lab.store("home"))
    made = variants.opened(lab, home, recipe(lab, crop="lungs"))
    said = made.header.preprocess["derived"]
    assert said["fallback_rate"] == 1.0
    assert said["fallback_rows"] == list(range(20))
    assert sum(said["fallback"].values()) == 20
    assert said["kept_share"] == 1.0
    assert (made.image(3) == home.image(3)).all()


def test_a_lateral_view_is_shown_whole(lab, home):
    seen = replace(home, rows=home.rows.assign(view=["LATERAL"] + ["PA"] * (N - 1)))
    said = variants.opened(lab, seen, recipe(lab, crop="lungs")).header.preprocess["derived"]
    assert 0 in said["fallback_rows"]
    assert said["fallback"]["a lateral view"] == 1


def test_it_is_made_once_and_found_again(lab, home):
    asked = recipe(lab, crop="lungs")
    made = variants.opened(lab, home, asked)
    then = made.path.stat().st_mtime_ns
    stages = []
    again = variants.opened(lab, home, asked, Progress(every=0, echo=lambda line: stages.append(line)))
    assert (again.path, again.path.stat().st_mtime_ns) == (made.path, then)
    assert not stages
    assert variants.existing(lab, home, asked).digest == made.digest
    assert sorted(p.name for p in lab.derived.iterdir()) == [made.path.name], "no lock and no part is left"


def test_progress_counts_images(lab, home):
    lines = []
    variants.opened(lab, home, recipe(lab, crop="lungs"), Progress(every=0, echo=lines.append))
    stages = list(dict.fromkeys(line["stage"] for line in lines))
    assert stages == ["frame home", "prepare home"]
    assert lines[-1]["done"] == lines[-1]["of"] == N


def test_another_store_recipe_or_home_is_another_variant(lab, home):
    write_phantoms(lab, "away", "coast")
    away = store.read(lab.store("away"))
    keys = [
        recipe(lab, crop="lungs").key(home.digest),
        recipe(lab, crop="lungs").key(away.digest),
        recipe(lab, crop="centre").key(home.digest),
        recipe(lab, contrast="nyul").key(home.digest),
        recipe(lab, "away", contrast="nyul").key(home.digest),
    ]
    assert len(set(keys)) == len(keys)
    assert recipe(lab, "home", crop="lungs").key("x") == recipe(lab, "away", crop="lungs").key("x")


def distance(a, b):
    up = []
    for site in (a, b):
        counts = np.bincount(site.images(range(len(site))).ravel(), minlength=256)
        up.append(np.cumsum(counts) / counts.sum())
    return float(np.abs(up[0] - up[1]).sum())


def test_a_planted_gain_and_gamma_is_undone_by_homes_landmarks(lab, home):
    away = write_phantoms(lab, "away", gain=0.6, gamma=1.5, start=100)
    asked = recipe(lab, contrast="nyul")
    at_home, there = variants.opened(lab, home, asked), variants.opened(lab, away, asked)
    assert distance(at_home, there) < 0.2 * distance(home, away)
    assert distance(at_home, home) < 0.1 * distance(home, away), "home itself is left alone"


def test_landmarks_come_from_homes_training_rows_and_nothing_else(lab, home):
    """Every other image of the lab may change: the landmarks do not."""
    first = recipe(lab, contrast="nyul").landmarks
    split = views.view(home, (), external=False).split
    assert {"train", "val", "test"} <= set(split)

    def changed(rows):
        images = home.images(range(N))
        images[rows] = 255 - images[rows] // 2
        store.write(lab.store("home"), home.header, home.rows, home.evidence, iter(images))
        write_phantoms(lab, "away", "coast", gain=0.3)
        return recipe(lab, contrast="nyul").landmarks

    assert changed(np.flatnonzero(split != "train")) == first
    assert changed(np.flatnonzero(split == "train")[:1]) != first


def test_landmarks_are_of_what_the_network_will_see(lab, home):
    assert recipe(lab, contrast="nyul").landmarks != recipe(lab, contrast="nyul", crop="lungs").landmarks
    unfitted = variants.recipe_of(ViewSpec(source=("home",), preprocess=PreprocessSpec(contrast="nyul")), {})
    with pytest.raises(BadInput, match="not fitted"):
        variants.opened(lab, home, unfitted)


def test_a_home_without_training_rows_is_one_sentence(lab, home):
    asked = variants.recipe_of(ViewSpec(source=("home",), preprocess=PreprocessSpec(contrast="nyul")), {})
    only_test = home.rows.assign(patient_id=home.rows["patient_id"][home.rows.index[0]])
    patient = next(f"q{i}" for i in range(100) if views.split_of(f"q{i}", "home") == "test")
    with pytest.raises(BadSpec, match="no training rows"):
        variants.fitted(asked, [replace(home, rows=only_test.assign(patient_id=patient))])


def test_a_variant_with_other_landmarks_is_made_again(lab, home):
    asked = recipe(lab, contrast="nyul")
    made = variants.opened(lab, home, asked)
    other = replace(asked, landmarks=tuple(value + 5 for value in asked.landmarks))
    assert other.key(home.digest) == asked.key(home.digest)
    assert variants.existing(lab, home, other) is None
    assert variants.opened(lab, home, other).digest != made.digest


def test_a_damaged_variant_is_made_again(lab, home):
    asked = recipe(lab, crop="centre")
    made = variants.opened(lab, home, asked)
    half = made.path.read_bytes()[:5000]
    made.path.unlink()
    made.path.write_bytes(half)
    assert variants.existing(lab, home, asked) is None
    assert store.check(variants.opened(lab, home, asked).path) == []


def test_a_full_disk_is_a_sentence_before_any_work(lab, home, monkeypatch):
    monkeypatch.setattr(making.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(NoSpace, match="prepared images of home need"):
        variants.opened(lab, home, recipe(lab, crop="centre"))
    assert not list(lab.derived.glob("*"))


CHILD = """
import sys, time
from pathlib import Path
from cxrlab import store, variants
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from cxrlab.spec import PreprocessSpec, ViewSpec
lab = Lab.here()
def slowly(line):
    print(line["stage"], line["done"], flush=True)
    time.sleep(0.1)
asked = variants.recipe_of(ViewSpec(source=("home",), preprocess=PreprocessSpec(crop="lungs")), {})
variants.opened(lab, store.read(lab.store("home")), asked, Progress(every=0, echo=slowly))
"""


def start_child():
    return subprocess.Popen(
        [sys.executable, "-c", CHILD], cwd=ROOT, env={**os.environ}, stdout=subprocess.PIPE, text=True
    )


def test_killed_midway_it_leaves_no_variant_and_the_next_one_makes_it_whole(lab, home):
    child = start_child()
    assert any(line.startswith("prepare home 3") for line in child.stdout)
    asked = recipe(lab, crop="lungs")
    name = lab.derived_store("home", asked.key(home.digest)).stem
    assert variants.existing(lab, home, asked) is None
    assert variants.listed(lab) == []
    with pytest.raises(BadInput, match="being made right now"):
        variants.remove_of(lab, "home")
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert variants.listed(lab) == []
    made = variants.opened(lab, home, asked)
    assert made.path.stem == name
    assert sorted(p.name for p in lab.derived.iterdir()) == [f"{name}.h5"], (
        "nothing of the killed one is left"
    )


def test_two_that_ask_at_once_make_it_once(lab, home):
    child = start_child()
    assert any(line.startswith("frame home 2") for line in child.stdout)
    stages = []
    made = variants.opened(
        lab, home, recipe(lab, crop="lungs"), Progress(echo=lambda line: stages.append(line["stage"]))
    )
    child.communicate()
    assert child.returncode == 0
    assert len(stages) == 1
    assert "wait for another job" in stages[0]
    assert store.check(made.path) == []


def test_what_a_killed_process_left_goes_with_the_site(lab, home):
    made = variants.opened(lab, home, recipe(lab, crop="lungs"))
    part = made.path.with_name(made.path.name + ".part-1")
    part.write_bytes(b"x")
    write_phantoms(lab, "home-b", n=8)
    other = variants.opened(lab, store.read(lab.store("home-b")), recipe(lab, crop="lungs"))
    assert variants.remove_of(lab, "home") == 1
    assert sorted(p.name for p in lab.derived.iterdir()) == [other.path.name]


def submit(lab, **preprocess):
    made = request.complete(lab, planted.train_spec(view={"preprocess": preprocess, "external": ("away",)}))
    files.write_text(lab.run(made.run_id).spec, spec.dumps(made))
    return made


def test_the_list_says_what_was_done_how_large_and_who_uses_it(lab):
    for site, seed in (("home", 0), ("away", 1)):
        planted.write_site(lab, site, n=60, seed=seed)
    run = submit(lab, crop="lungs", contrast="nyul")
    submit(lab)
    asked = recipe(lab, crop="lungs", contrast="nyul")
    for site in ("home", "away"):
        variants.opened(lab, store.read(lab.store(site)), asked)
    variants.opened(lab, store.read(lab.store("away")), recipe(lab, contrast="clahe"))
    there = {(one.site, one.words): one for one in variants.listed(lab)}
    both = "lungs crop, histogram as at home"
    assert set(there) == {("home", both), ("away", both), ("away", "CLAHE")}
    assert there["home", both].used_by == there["away", both].used_by == (run.run_id,)
    assert there["away", "CLAHE"].used_by == ()
    assert there["home", both].fallback_rate > 0.5, "noise shows no lungs"
    assert np.isnan(there["away", "CLAHE"].fallback_rate)
    assert all(one.n_bytes > 60 * 32 * 32 and not one.stale for one in there.values())
    planted.write_site(lab, "away", n=60, seed=7)
    lab.store("home").unlink()
    stale = {one.site: one.stale for one in variants.listed(lab)}
    assert stale == {"away": "the store of away has changed since", "home": "the site home is gone"}


def test_the_verb_makes_lists_and_removes(lab, home, capsys):
    assert command.main(["variants", "make", "home", "--crop", "lungs", "--json"]) == 0
    (made,) = json.loads(capsys.readouterr().out)
    assert made["site"] == "home"
    assert made["words"] == "lungs crop"
    assert command.main(["variants"]) == 0
    assert made["name"] in capsys.readouterr().out
    assert command.main(["variants", "--json", "list"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["fallback_rate"] == made["fallback_rate"]
    assert command.main(["variants", "make", "home", "--contrast", "nyul"]) == 2
    assert "--home" in capsys.readouterr().err
    assert command.main(["variants", "make", "home"]) == 2
    assert command.main(["variants", "rm"]) == 2
    assert command.main(["variants", "rm", "--unused"]) == 0
    assert variants.listed(lab) == []
    assert command.main(["variants", "rm", made["name"]]) == 2
    assert "no variant named" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../stores/home", "home", "a/b-c", "home-../x", "-abc"])
def test_only_a_variants_name_can_be_removed(lab, home, name):
    with pytest.raises((BadInput, MissingInput)):
        variants.remove(lab, name)
    assert lab.store("home").exists()


def test_a_lungs_crop_of_phantoms_shows_larger_lungs(lab, home):
    made = variants.opened(lab, home, recipe(lab, crop="lungs"))
    found = [i for i in range(N) if i not in made.header.preprocess["derived"]["fallback_rows"]]
    before = np.mean([home.mask("lungs", i).mean() for i in found])
    assert np.mean([made.mask("lungs", i).mean() for i in found]) > 1.2 * before


def test_a_site_that_is_removed_takes_its_variants_along(lab, home):
    variants.opened(lab, home, recipe(lab, crop="centre"))
    ingest.remove(lab, "home")
    assert not list(lab.derived.iterdir())
