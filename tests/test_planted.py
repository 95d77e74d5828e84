"""A site of known shift: the same patients, other pictures, and marked as such."""

import json
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrlab import planted, store
from cxrlab.__main__ import main
from cxrlab.errors import BadInput, MissingInput, UnknownName
from cxrlab.images import corrupt
from cxrlab.leaks import kinship
from cxrlab.progress import Progress

LABELS = ("No Finding", "Pneumonia")
PX, SIDE = 96, 20
ROOT = Path(__file__).parent.parent


def write_source(lab, n=6, site="clinic", px=PX, title="A clinic"):
    """Write a store of grey pictures with one bright square each, its box and its mask."""
    rng = np.random.default_rng(5)
    images = rng.integers(20, 60, (n, px, px)).astype(np.uint8)
    masks, boxes = np.zeros((n, px, px), bool), []
    for i in range(n):
        top, left = rng.integers(px // 4, px // 2, 2)
        images[i, top : top + SIDE, left : left + SIDE] = 240
        masks[i, top : top + SIDE, left : left + SIDE] = True
        boxes.append((f"{i:03d}.png", "Pneumonia", left / px, top / px, SIDE / px, SIDE / px))
    rows = pd.DataFrame({column: [""] * n for column in store.ROW_COLUMNS})
    rows["image_id"], rows["patient_id"] = (
        [f"{i:03d}.png" for i in range(n)],
        [f"p{i // 2}" for i in range(n)],
    )
    rows["age_years"], rows["width"], rows["height"] = 40.0, 1024, 900
    evidence = np.tile(np.array([[0, 1]], np.int8), (n, 1))
    said = {"dataset": "nih", "px": px, "recipe": "0" * 64}
    header = store.Header(
        site, title, "tests", LABELS, preprocess=said, ledger=({"native": "a", "label": "b"},)
    )
    store.write(
        lab.store(site),
        header,
        rows,
        evidence,
        images,
        quarantine=[("x.png", "truncated")],
        boxes=pd.DataFrame(boxes, columns=list(store.BOX_COLUMNS)),
        masks={"Pneumonia": masks},
        facts=pd.DataFrame({"device": ["a"] * n}),
        votes=np.tile(np.array([[0, 3]], np.int8), (n, 1)),
    )
    return store.read(lab.store(site))


def test_a_copy_is_whole_and_has_the_same_patients_and_evidence(lab):
    source = write_source(lab)
    path = planted.plant(lab, "clinic", "glare", 3, "clinic-glare")
    assert store.check(path) == []
    copy = store.read(path)
    pd.testing.assert_frame_equal(copy.rows, source.rows)
    assert np.array_equal(copy.evidence, source.evidence)
    assert np.array_equal(copy.votes, source.votes)
    pd.testing.assert_frame_equal(copy.facts, source.facts)
    pd.testing.assert_frame_equal(copy.quarantine, source.quarantine)
    assert copy.header.ledger == source.header.ledger
    expected = corrupt.corrupt(source.image(4), "glare", 3, image_id="004.png").image
    assert np.array_equal(copy.image(4), expected)
    assert store.read(lab.store("clinic")).digest == source.digest


def test_a_copy_says_what_was_planted_and_where_it_came_from(lab):
    source = write_source(lab)
    header = store.read(planted.plant(lab, "clinic", "glare", 3, "g", seed=8)).header
    assert header.title == "A clinic, planted: glare 3"
    assert header.site == "g"
    assert not header.synthetic
    said = header.preprocess["planted"]
    assert (said["kind"], said["severity"], said["seed"]) == ("glare", 3, 8)
    assert (said["from"], said["from_digest"]) == ("clinic", source.digest)
    assert said["dose"] == pytest.approx(0.12, rel=0.02)
    assert said["measured"] > 0
    assert header.preprocess["dataset"] == "nih"
    assert "recipe" not in header.preprocess, "an ingest would take it for its own store"
    assert planted.mark_of(header) == "planted shift: glare, severity 3, of clinic"
    assert planted.mark_of(source.header) == ""
    assert kinship.are_copies(source.header, source.digest, header, "x")


def test_boxes_and_masks_follow_a_turned_picture(lab):
    source = write_source(lab)
    copy = store.read(planted.plant(lab, "clinic", "rotation", 5, "turned"))
    assert len(copy.boxes) == len(source.boxes)
    for i, box in copy.boxes.iterrows():
        rows, columns = np.nonzero(copy.image(i) > 150)
        x, y, w, h = (box[c] * PX for c in "xywh")
        assert columns.min() >= x - 1 and columns.max() <= x + w
        assert rows.min() >= y - 1 and rows.max() <= y + h
        assert (copy.mask("Pneumonia", i) != (copy.image(i) > 150)).sum() <= 12
    assert not np.allclose(copy.boxes["x"], source.boxes["x"])


def test_boxes_of_a_shift_that_moves_nothing_stay(lab):
    source = write_source(lab)
    copy = store.read(planted.plant(lab, "clinic", "gamma", 5, "bright"))
    pd.testing.assert_frame_equal(copy.boxes, source.boxes)
    assert np.array_equal(copy.mask("Pneumonia", 2), source.mask("Pneumonia", 2))


def test_severity_0_is_a_control_whose_pictures_are_equal(lab):
    source = write_source(lab)
    copy = store.read(planted.plant(lab, "clinic", "tilt", 0, "control"))
    assert np.array_equal(copy.images(range(6)), source.images(range(6)))
    assert copy.digest == source.digest
    assert copy.header.preprocess["planted"]["measured"] == 0


def test_the_same_copy_twice_has_the_same_contents(lab):
    write_source(lab)
    a, b, c = (
        store.read(planted.plant(lab, "clinic", "moire", 2, name, seed=seed)).digest
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert a == b != c


def test_a_photograph_is_planted_in_three_steps_and_names_them_all(lab):
    write_source(lab)
    planted.plant(lab, "clinic", "glare", 2, "one")
    planted.plant(lab, "one", "moire", 3, "two")
    header = store.read(planted.plant(lab, "two", "tilt", 1, "three")).header
    assert planted.mark_of(header) == (
        "planted shift: tilt, severity 1, after moire, severity 3, after glare, severity 2, of clinic"
    )


@pytest.mark.parametrize("said", ["", 3, [], {}, {"kind": 1, "after": "x"}])
def test_a_foreign_mark_is_shown_and_breaks_nothing(said):
    header = store.Header("x", "X", "", LABELS, preprocess={"planted": said})
    assert planted.mark_of(header).startswith("planted shift: ")


def test_wrong_arguments_are_one_clear_sentence_and_write_nothing(lab):
    write_source(lab)
    with pytest.raises(UnknownName, match="no planted shift named 'glare4'"):
        planted.plant(lab, "clinic", "glare4", 3, "x")
    with pytest.raises(BadInput, match="a severity of 9"):
        planted.plant(lab, "clinic", "glare", 9, "x")
    with pytest.raises(MissingInput, match="no site 'nowhere'"):
        planted.plant(lab, "nowhere", "glare", 3, "x")
    with pytest.raises(BadInput, match="already has a site 'clinic'"):
        planted.plant(lab, "clinic", "glare", 3, "clinic")
    with pytest.raises(BadInput, match="cannot be a site's name"):
        planted.plant(lab, "clinic", "glare", 3, "../x")
    with pytest.raises(BadInput, match="a seed of -1"):
        planted.plant(lab, "clinic", "glare", 3, "x", seed=-1)
    assert [path.name for path in lab.stores.iterdir()] == ["clinic.h5"]


def test_killed_midway_no_half_store_is_left_and_the_next_one_cleans_up(lab):
    write_source(lab, n=400, px=224)
    code = (
        "from cxrlab import planted\nfrom cxrlab.paths import Lab\nfrom cxrlab.progress import Progress\n"
        "planted.plant(Lab.here(), 'clinic', 'noise', 3, 'grain',"
        " progress=Progress(every=0, echo=lambda line: print(line, flush=True)))"
    )
    job = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    for line in job.stdout:
        if "'plant'" in line and "'done': 5," in line.replace("}", ","):
            break
    job.send_signal(signal.SIGKILL)
    job.wait()
    job.stdout.close()
    assert not lab.store("grain").exists()
    assert lab.sites() == ["clinic"]
    path = planted.plant(lab, "clinic", "gamma", 3, "grain")
    assert store.check(path) == []
    assert sorted(p.name for p in lab.stores.iterdir()) == ["clinic.h5", "grain.h5"]


def test_progress_tells_measuring_from_planting(lab):
    write_source(lab)
    lines = []
    planted.plant(lab, "clinic", "gamma", 1, "g", progress=Progress(every=0, echo=lines.append))
    assert [line["done"] for line in lines if line["stage"] == "plant"] == list(range(7))
    assert {line["stage"] for line in lines} == {"measure", "plant"}


def test_memory_does_not_grow_with_the_number_of_images(lab):
    peaks = []
    for n in (20, 200):
        write_source(lab, n=n, site=f"s{n}")
        tracemalloc.start()
        planted.plant(lab, f"s{n}", "tilt", 2, f"t{n}")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 60 * PX * PX, "180 more images take less memory than 60 of them"


def test_the_verb_plants_lists_and_marks(lab, capsys):
    write_source(lab)
    assert main(["plant", "clinic", "glare", "3", "--site", "clinic-glare", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["n_images"] == 6
    assert made["planted"]["from"] == "clinic"
    assert main(["plant", "clinic", "rotation", "2", "--site", "clinic-turned", "--seed", "3"]) == 0
    assert "planted shift: rotation, severity 2, of clinic" in capsys.readouterr().out
    assert main(["sites", "list"]) == 0
    assert "A clinic, planted: glare 3" in capsys.readouterr().out
    assert main(["sites", "show", "clinic-glare"]) == 0
    assert "planted shift: glare, severity 3, of clinic" in capsys.readouterr().out
    assert main(["plant", "--list", "--json"]) == 0
    assert {kind["kind"] for kind in json.loads(capsys.readouterr().out)} == set(corrupt.KINDS)
    assert main(["plant", "--list"]) == 0
    assert "fringes" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["clinic", "glare", "3"], "needs SITE KIND SEVERITY and --site NAME"),
        (["clinic", "glare", "many", "--site", "x"], "a severity of 'many'"),
        (["clinic", "fog", "3", "--site", "x"], "no planted shift named 'fog'"),
        (["away", "glare", "3", "--site", "x"], "no site 'away'"),
    ],
)
def test_the_verb_refuses_in_one_sentence(lab, capsys, words, sentence):
    write_source(lab)
    assert main(["plant", *words]) == 2
    said = capsys.readouterr().err.strip()
    assert sentence in said
    assert "\n" not in said


def test_the_sites_page_marks_a_planted_site(lab):
    from streamlit.testing.v1 import AppTest

    write_source(lab)
    planted.plant(lab, "clinic", "glare", 3, "clinic-glare")
    page = AppTest.from_file(str(ROOT / "pages" / "sites.py"), default_timeout=60)
    page.query_params["site"] = "clinic-glare"
    page.run()
    assert not page.exception
    drawn = " ".join(str(one.value) for one in page.markdown)
    assert "planted shift: glare, severity 3, of clinic" in drawn
    listed = page.dataframe[0].value.set_index("site")["kind"]
    assert listed["clinic-glare"] == "radiographs, planted shift: glare, severity 3, of clinic"
    assert listed["clinic"] == "radiographs"
