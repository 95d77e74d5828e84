"""A raw folder becomes a store whole or not at all, whatever happens on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections import namedtuple
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest

from cxrlab import ingest, store
from cxrlab.errors import BadInput, MissingInput, NoSpace, UnknownName
from cxrlab.intake import decoders, staging
from cxrlab.paths import Lab
from cxrlab.progress import Progress

ROOT = Path(__file__).parent.parent


def write_children(folder, n, px=40, seed=0):
    """A folder in the layout of `kermany`: n images of n children, half of them normal."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        kind, name = ("NORMAL", f"IM-{i:04d}-0001") if i % 2 else ("PNEUMONIA", f"person{i}_virus_1")
        path = folder / "chest_xray" / "train" / kind / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), rng.integers(0, 255, (px, px), np.uint8))
    return folder


@pytest.fixture
def raw(tmp_path):
    return write_children(tmp_path / "raw", 12)


def read_in(lab, raw, site="a", **more):
    return ingest.ingest(lab, "kermany", raw, site, px=32, workers=1, **more)


def leftovers(lab):
    return [path.name for path in lab.stores.iterdir() if path.suffix != ".h5"]


def test_every_image_is_in_its_row(lab, raw):
    done = read_in(lab, raw)
    opened = store.read(done.path)
    assert (done.n_images, done.n_patients, done.n_quarantined) == (12, 12, 0)
    for i, name in enumerate(opened.rows["source_file"]):
        wanted = cv2.resize(cv2.imread(str(raw / name), 0), (32, 32), interpolation=cv2.INTER_AREA)
        assert np.array_equal(opened.image(i), wanted)
    assert opened.header.preprocess["px"] == 32 and leftovers(lab) == []


def test_unusable_files_are_left_out_with_a_reason(lab, raw):
    files = sorted((raw / "chest_xray/train/NORMAL").iterdir())
    files[0].write_bytes(b"")
    files[1].write_bytes(files[1].read_bytes()[:200])
    cv2.imwrite(str(files[2]), np.full((40, 40), 7, np.uint8))
    done = read_in(lab, raw)
    said = store.read(done.path).quarantine.set_index("file")["reason"].to_dict()
    assert done.n_images == 9 and done.n_quarantined == 3
    assert [said[f"chest_xray/train/NORMAL/{path.name}"] for path in files[:3]] == [
        "the file is empty",
        "the PNG is cut off: its end is missing",
        "the image is blank: every pixel is 7",
    ]
    assert (store.read(done.path).rows["width"] == 40).all()


def test_a_folder_without_one_usable_image_is_refused(lab, raw):
    for path in raw.rglob("*.png"):
        path.write_bytes(b"<html>")
    with pytest.raises(BadInput, match=r"none of the 12 images of a can be used: .*begins with.*12 files"):
        read_in(lab, raw)
    assert not list(lab.stores.iterdir())


def test_two_sites_cannot_have_one_name_and_nothing_is_lost(lab, raw, tmp_path):
    first = read_in(lab, raw)
    other = write_children(tmp_path / "other", 6, seed=1)
    with pytest.raises(BadInput, match=r"already has a site 'a': Guangzhou.*12 images.*--replace"):
        read_in(lab, other)
    with pytest.raises(BadInput, match="other data or settings"):
        ingest.ingest(lab, "kermany", raw, "a", px=48, workers=1)
    assert store.read(first.path).digest == first.digest and store.check(first.path) == []
    assert read_in(lab, other, replace_old=True).n_images == 6
    assert len(store.read(first.path)) == 6


def test_the_same_again_does_nothing_even_from_a_moved_folder(lab, raw, tmp_path):
    first = read_in(lab, raw)
    shutil.move(raw, tmp_path / "moved")
    again = read_in(lab, tmp_path / "moved")
    assert again.already and again.digest == first.digest


def test_a_damaged_store_in_the_way_is_said(lab, raw):
    lab.stores.mkdir(parents=True)
    lab.store("a").write_bytes(b"no store")
    with pytest.raises(BadInput, match="in the way and cannot be read"):
        read_in(lab, raw)
    assert lab.store("a").read_bytes() == b"no store"
    assert read_in(lab, raw, replace_old=True).n_images == 12


def test_a_limit_is_no_first_rows_and_always_the_same(lab, raw):
    read_in(lab, raw, limit=6)
    read_in(lab, raw, "b", limit=6)
    kinds = store.read(lab.store("a")).rows["native_label"]
    assert len(kinds) == 6 and kinds.nunique() == 2
    assert store.read(lab.store("a")).digest == store.read(lab.store("b")).digest


def test_wrong_arguments_are_sentences(lab, raw):
    with pytest.raises(UnknownName, match="did you mean 'kermany'"):
        ingest.ingest(lab, "kermani", raw, "a")
    with pytest.raises(BadInput, match="cannot be a site's name"):
        ingest.ingest(lab, "kermany", raw, "../a")
    with pytest.raises(BadInput, match="5 pixels"):
        ingest.ingest(lab, "kermany", raw, "a", px=5)
    with pytest.raises(BadInput, match="limit of 0"):
        ingest.ingest(lab, "kermany", raw, "a", limit=0)
    with pytest.raises(BadInput, match="no option 'file'"):
        ingest.ingest(lab, "kermany", raw, "a", options={"file": "x"}, workers=1)
    with pytest.raises(MissingInput, match="no folder"):
        ingest.ingest(lab, "kermany", raw / "nowhere", "a", workers=1)


def test_progress_counts_every_image(lab, raw):
    lines = []
    read_in(lab, raw, progress=Progress(every=0, echo=lines.append))
    for stage in ("decode", "write"):
        steps = [line["done"] for line in lines if line["stage"] == stage]
        assert steps[0] == 0 and steps[-1] == 12 and steps == sorted(steps)


def test_a_dry_run_writes_nothing_and_says_what_is_odd(lab, raw):
    (raw / "stray.png").write_bytes(b"x")
    seen = ingest.preview("kermany", raw, "a", n=4)
    assert (seen.n_images, seen.n_patients, len(seen.samples)) == (12, 12, 4)
    assert {said for _, _, said in seen.samples} == {"NORMAL", "PNEUMONIA virus"}
    assert any("12 of 12 images have no age" in sentence for sentence in seen.odd)
    assert any("stray" in file for file, _ in seen.quarantine)
    assert not lab.root.exists()


def start(lab, raw):
    code = f"""
        from pathlib import Path
        from cxrlab.ingest import ingest
        from cxrlab.paths import Lab
        ingest(Lab(Path({str(lab.root)!r})), "kermany", Path({str(raw)!r}), "a", px=32, workers=1)
    """
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env=env)


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def many(tmp_path):
    """600 images that take seconds to decode."""
    data = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (900, 900), np.uint8))[1].tobytes()
    folder = tmp_path / "many" / "chest_xray" / "train" / "PNEUMONIA"
    folder.mkdir(parents=True)
    for i in range(600):
        (folder / f"person{i}_virus_1.png").write_bytes(data)
    return tmp_path / "many"


def test_killed_in_the_middle_it_goes_on_and_gives_the_same_store(lab, many, tmp_path):
    states = staging.folder_of(lab.store("a")) / "states"
    killed = start(lab, many)

    def begun():
        return (
            states.exists()
            and states.stat().st_size
            and (np.fromfile(states, staging.STATE)["state"] == 1).sum() > 40
        )

    wait_until(begun)
    workers = psutil.Process(killed.pid).children()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert workers and psutil.wait_procs(workers, timeout=30)[1] == []  # nobody goes on decoding for the dead
    assert not lab.store("a").exists()
    (lab.stores / "a.h5.part-999999").write_bytes(b"half a store")  # what a death while writing leaves
    done = read_in(lab, many)
    assert 40 < done.n_resumed < 600 and done.n_images == 600
    assert leftovers(lab) == []
    assert read_in(Lab(tmp_path / "other"), many).digest == done.digest


def test_another_plan_does_not_take_up_what_was_left(lab, raw, tmp_path):
    plan = staging.Plan("recipe", "kermany", str(raw), 32, ("x.png",))
    lab.stores.mkdir(parents=True)
    staging.begin(lab.store("a"), plan)[0].keep(0, np.ones((32, 32), np.uint8), 40, 40)
    assert staging.begin(lab.store("a"), plan)[1] == 1
    done = read_in(lab, raw)
    assert done.n_resumed == 0 and leftovers(lab) == []


def test_pixels_lost_in_a_power_cut_are_decoded_again(lab):
    plan = staging.Plan("recipe", "kermany", "raw", 32, ("x.png", "y.png"))
    lab.stores.mkdir(parents=True)
    work, _ = staging.begin(lab.store("a"), plan)
    for i in (0, 1):
        work.keep(i, np.full((32, 32), 9, np.uint8), 40, 40)
    work.pixels[1] = np.zeros((work.plan.px, work.plan.px), np.uint8)
    again, n_done = staging.begin(lab.store("a"), plan)
    assert n_done == 1 and again.states["state"].tolist() == [staging.GOOD, staging.WAITING]


def test_two_ingests_of_one_site_do_not_mix(lab, raw):
    with staging.Lock(lab.store("a")), pytest.raises(BadInput, match="another process is ingesting a"):
        read_in(lab, raw)
    assert read_in(lab, raw).n_images == 12


def patch_workers(monkeypatch, tmp_path, body):
    """Make worker processes, and only they, read files in another way."""
    code = f"""
        import sys
        if sys.argv[:1] == ["-m"]:
            import os
            from cxrlab.images import decode
            usual = decode.read
            def read(path):
                {body}
                return usual(path)
            decode.read = read
    """
    (tmp_path / "patch").mkdir()
    (tmp_path / "patch" / "sitecustomize.py").write_text(textwrap.dedent(code))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "patch"))


def test_a_file_on_which_the_decoder_crashes_is_left_out_and_the_rest_is_read(
    lab, raw, monkeypatch, tmp_path
):
    patch_workers(
        monkeypatch, tmp_path, "if path.name.startswith(('person4_', 'IM-0007')): os.kill(os.getpid(), 11)"
    )
    done = read_in(lab, raw)
    left_out = store.read(done.path).quarantine
    assert done.n_images == 10
    assert set(left_out["reason"]) == {"the decoder crashed on this file (signal 11)"}


def test_a_mistake_in_a_plug_in_shows_its_traceback(lab, raw, monkeypatch, tmp_path):
    patch_workers(monkeypatch, tmp_path, "1 / 0")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        read_in(lab, raw)
    assert not lab.store("a").exists()


def test_no_process_is_left_after_success_or_failure(lab, raw, monkeypatch, tmp_path):
    before = {child.pid for child in psutil.Process().children()}
    read_in(lab, raw)
    patch_workers(monkeypatch, tmp_path, "1 / 0")
    with pytest.raises(RuntimeError):
        read_in(lab, raw, "b")
    assert {child.pid for child in psutil.Process().children()} <= before


def test_a_disk_that_is_too_small_is_said_before_any_work(lab, raw, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 5000, 5000))
    with pytest.raises(NoSpace, match=r"12 images of 32 px need 67\.1 MB .* 5\.0 kB free"):
        read_in(lab, raw)
    assert not list(lab.stores.iterdir())


LIMITED = """
import resource, sys
from pathlib import Path
from cxrlab.errors import NoSpace
from cxrlab.ingest import ingest
from cxrlab.paths import Lab
lab, raw, most = Lab(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
try:
    ingest(lab, "kermany", raw, "a", px=32, workers=1, replace_old=True)
except NoSpace as error:
    sys.exit(f"NoSpace: {error}")
"""


@pytest.mark.parametrize(
    "most", [9_000, 13_000]
)  # the staging (12 KiB) does not fit; it fits but the store does not
def test_a_disk_that_fills_up_leaves_the_old_store_as_it_was(lab, raw, tmp_path, most):
    first = read_in(lab, write_children(tmp_path / "other", 4, seed=1))
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED, str(lab.root), str(raw), str(most)],
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 1 and "NoSpace: the largest file size allowed here was reached" in ended.stderr
    assert store.read(first.path).digest == first.digest and store.check(first.path) == []
    assert not list(lab.stores.glob("*.part-*"))
    assert read_in(lab, raw, replace_old=True).n_images == 12  # with room again, it goes on
    assert leftovers(lab) == []


def test_remove_takes_the_store_and_what_was_left_of_an_ingest(lab, raw):
    done = read_in(lab, raw)
    staging.begin(done.path, staging.Plan("r", "kermany", "raw", 32, ("x",)))
    ingest.remove(lab, "a")
    assert list(lab.stores.iterdir()) == []


def test_units_are_runs_of_neighbours():
    assert list(decoders._units(np.array([], int))) == []
    assert list(decoders._units(np.array([0, 1, 2, 7, 9, 10]))) == [(0, 3), (7, 8), (9, 11)]
    assert list(decoders._units(np.arange(40))) == [(0, 16), (16, 32), (32, 40)]


def test_ingest_imports_neither_torch_nor_streamlit_nor_pydicom():
    code = "import sys, cxrlab.ingest, cxrlab.sites; print([n for n in ('torch', 'streamlit', 'pydicom', 'pydantic', 'plotly') if n in sys.modules])"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout.strip() == "[]"


def run_verb(lab, *words):
    env = {**os.environ, "PYTHONPATH": str(ROOT), "CXRLAB_HOME": str(lab.root)}
    return subprocess.run(
        [sys.executable, "-m", "cxrlab", *words],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_verbs_say_what_the_lab_holds(lab, raw):
    made = run_verb(
        lab, "ingest", "kermany", str(raw), "--site", "a", "--size", "32", "--workers", "1", "--json"
    )
    assert made.returncode == 0 and json.loads(made.stdout)["n_images"] == 12
    assert json.loads(run_verb(lab, "sites", "list", "--json").stdout)[0]["images"] == 12
    shown = json.loads(run_verb(lab, "sites", "show", "a", "--json").stdout)
    assert shown["splits"] == {"train": 12} and shown["evidence"][1]["positive"] == 6
    assert {entry["native"] for entry in shown["ledger"]} == {"NORMAL", "PNEUMONIA virus"}
    assert run_verb(lab, "sites", "check", "a").returncode == 0
    refused = run_verb(lab, "sites", "rm", "a")
    assert refused.returncode == 2 and "--yes" in refused.stderr and lab.store("a").exists()
    assert run_verb(lab, "sites", "rm", "a", "--yes").returncode == 0 and not lab.store("a").exists()


def test_a_wrong_verb_is_one_line_and_status_2(lab, raw):
    wrong = run_verb(lab, "ingest", "kermani", str(raw), "--site", "a")
    assert (
        wrong.returncode == 2 and wrong.stderr.count("\n") == 1 and "did you mean 'kermany'" in wrong.stderr
    )
    wrong = run_verb(lab, "ingest", "folder", str(raw), "--site", "a", "--option", "table")
    assert wrong.returncode == 2 and "NAME=VALUE" in wrong.stderr


def test_room_is_asked_for_the_images_that_have_masks_alone(tmp_path):
    plan = staging.Plan("recipe", "chexpert", "raw", 64, tuple(map(str, range(1000))), tuple("abcdefghij"))
    (tmp_path / "stores").mkdir()
    staging.begin(tmp_path / "stores" / "a.h5", plan)
    held = sum(f.stat().st_blocks * 512 for f in staging.folder_of(tmp_path / "stores" / "a.h5").glob("*"))
    assert held < 2 * 1000 * 64 * 64  # ten names of masks reserve nothing
