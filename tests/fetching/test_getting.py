"""A collection is fetched once, checked, unpacked, and says where it comes from; a killed fetch goes on."""

import hashlib
import io
import os
import signal
import subprocess
import threading
import time
import zipfile

import cv2
import numpy as np
import pytest

from cxrlab import fetching, jobs
from cxrlab.errors import BadInput, BadRun, UnknownName
from cxrlab.fetching import getting, sums
from cxrlab.fetching.catalogue import Collection, RemoteFile
from cxrlab.fetching.download import Patience
from cxrlab.jobs import state
from cxrlab.sites import SITES
from tests.fetching.test_unpack import make_tgz

HASTY = Patience(stall=5.0, tries=2, first_wait=0.0)
ZIP = "covid-chestxray-dataset.zip"


def covid_zip(extra=0):
    """GitHub's way: one folder named after the commit."""
    rng = np.random.default_rng(1)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        rows = ["patientid,finding,view,modality,folder,filename"]
        for i in range(4):
            ok, png = cv2.imencode(".png", rng.integers(0, 255, (40, 40)).astype(np.uint8))
            assert ok
            archive.writestr(f"covid-chestxray-dataset-abc/images/{i}.png", png.tobytes())
            rows.append(f"{i},Pneumonia/Viral/COVID-19,PA,X-ray,images,{i}.png")
        archive.writestr("covid-chestxray-dataset-abc/metadata.csv", "\n".join(rows) + "\n")
        archive.writestr("covid-chestxray-dataset-abc/volumes/big.bin", os.urandom(extra))
    return out.getvalue()


@pytest.fixture
def own(monkeypatch, manners):
    """A collection of ours: one table that somebody published a checksum of, one that nobody did."""
    manners.files |= {"a.csv": b"checked\n" * 500, "b.csv": b"trusted\n" * 500}
    files = (
        RemoteFile(
            "https://e.org/a", "a.csv", 4000, hashlib.md5(b"checked\n" * 500).hexdigest(), said_by="e"
        ),
        RemoteFile("https://e.org/b", "b.csv", said_by="nobody"),
    )
    one = Collection(
        name="own",
        title="Our own",
        dataset="folder",
        licence="CC0",
        citation="us",
        page="https://e.org",
        files=files,
    )
    monkeypatch.setitem(getting.CATALOGUE, "own", one)
    return one


def test_a_collection_is_fetched_once_and_says_where_it_comes_from(lab, manners, address, own):
    folder = fetching.fetch(lab, "own", base=address, patience=HASTY)
    assert folder == lab.fetched("own")
    assert fetching.is_fetched(folder, "own")
    known = sums.read(folder)
    assert known == {name: hashlib.sha256(body).hexdigest() for name, body in manners.files.items()}
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], check=False, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = (folder / "SOURCE-own.txt").read_text()
    assert "licence: CC0" in told
    assert "no checksum is published: what came first is trusted" in told
    fetching.fetch(lab, "own", base=address, patience=HASTY)
    assert len(manners.seen) == 2, "a second call fetches nothing"


def test_a_removed_file_must_come_back_the_same(lab, manners, address, own):
    folder = fetching.fetch(lab, "own", base=address, patience=HASTY)
    (folder / "b.csv").unlink()
    manners.files["b.csv"] = b"forged\n"
    with pytest.raises(BadInput, match="SHA256SUMS"):
        fetching.fetch(lab, "own", base=address, patience=HASTY)
    sums.forget(folder, "b.csv")
    fetching.fetch(lab, "own", base=address, patience=HASTY)
    assert (folder / "b.csv").read_bytes() == b"forged\n"


def test_a_file_put_there_by_hand_is_checked_and_taken(lab, manners, address, own):
    folder = lab.fetched("own")
    folder.mkdir(parents=True)
    (folder / "a.csv").write_bytes(b"something else")
    with pytest.raises(BadInput, match="is not the file that was published"):
        fetching.fetch(lab, "own", base=address, patience=HASTY)
    (folder / "a.csv").write_bytes(manners.files["a.csv"])
    fetching.fetch(lab, "own", base=address, patience=HASTY)
    assert [path for path, *_ in manners.seen] == ["/b.csv"]


def test_an_archive_is_unpacked_read_and_gone(lab, manners, address):
    manners.files[ZIP] = covid_zip()
    folder = fetching.fetch(lab, "covid", base=address, patience=HASTY)
    assert not (folder / ZIP).exists()
    assert len(SITES["covid"].read(folder, "c", {}).rows) == 4
    fetching.fetch(lab, "covid", base=address, patience=HASTY)
    assert len(manners.seen) == 1


def test_an_archive_without_checksum_that_came_torn_is_fetched_anew(lab, manners, address):
    whole = covid_zip()
    manners.files[ZIP] = whole[: len(whole) // 2]
    with pytest.raises(BadInput, match="cannot be unpacked"):
        fetching.fetch(lab, "covid", base=address, patience=HASTY)
    manners.files[ZIP], manners.etag = whole, '"two"'
    fetching.fetch(lab, "covid", base=address, patience=HASTY)
    assert fetching.is_fetched(lab.fetched("covid"), "covid")


def test_kermanys_archive_is_read_as_it_comes(lab, manners, address, monkeypatch, tmp_path):
    out = io.BytesIO()
    image = cv2.imencode(".jpeg", np.full((40, 50), 90, np.uint8))[1].tobytes()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("train/NORMAL/NORMAL-1-0001.jpeg", "test/PNEUMONIA/VIRUS-22-0001.jpeg"):
            archive.writestr(f"chest_xray/{name}", image)
            archive.writestr(f"__MACOSX/chest_xray/{name.replace('/N', '/._N')}", b"x")
    published = getting.CATALOGUE["kermany"].files[0]
    mine = RemoteFile(published.url, published.name, unpack_to=published.unpack_to, strip=published.strip)
    one = Collection(**{**vars(getting.CATALOGUE["kermany"]), "files": (mine,)})
    monkeypatch.setitem(getting.CATALOGUE, "kermany", one)
    manners.files["ChestXRay2017.zip"] = out.getvalue()
    folder = fetching.fetch(lab, "kermany", base=address, patience=HASTY)
    assert len(SITES["kermany"].read(folder, "k", {}).rows) == 2


def test_open_i_comes_as_two_folders(lab, manners, address, tmp_path):
    for name, member in (
        ("NLMCXR_reports.tgz", "ecgen-radiology/1.xml"),
        ("NLMCXR_png.tgz", "CXR1_1_IM-0001.png"),
    ):
        manners.files[name] = make_tgz(tmp_path / name, {member: b"x"}).read_bytes()
    folder = fetching.fetch(lab, "openi", base=address, patience=HASTY)
    assert (folder / "reports/ecgen-radiology/1.xml").exists()
    assert (folder / "images/CXR1_1_IM-0001.png").exists()


def test_two_at_once_do_not_spoil_each_other(lab, manners, address, own):
    manners.drip = (500, 0.1)
    first = threading.Thread(target=fetching.fetch, args=(lab, "own"), kwargs={"base": address})
    first.start()
    while not list(lab.root.glob("fetched/own/a.csv.part")):
        time.sleep(0.01)
    with pytest.raises(BadRun, match="another process is fetching"):
        fetching.fetch(lab, "own", base=address)
    first.join()
    assert (lab.fetched("own") / "a.csv").read_bytes() == manners.files["a.csv"]


def wait(lab, name, good, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        now = state.status(lab.fetching(name))
        if good(now):
            return now
        time.sleep(0.05)
    raise AssertionError(f"{now}\n{state.log_tail(lab.fetching(name))}")


def test_a_killed_fetch_is_lost_and_the_next_start_goes_on(lab, manners, address):
    manners.files[ZIP], manners.drip = covid_zip(600_000), (20_000, 0.1)
    part = lab.fetched("covid") / f"{ZIP}.part"
    fetching.start(lab, "covid", base=address)
    fetching.start(lab, "covid", base=address)  # a second click starts no second one
    running = wait(lab, "covid", lambda now: part.exists() and part.stat().st_size > 100_000)
    assert running.is_alive
    os.kill(running.pid, signal.SIGKILL)
    assert wait(lab, "covid", lambda now: not now.is_alive).state == "lost"
    assert list(fetching.under_way(lab)) == ["covid"]
    had = part.stat().st_size
    manners.drip = ()
    fetching.start(lab, "covid", base=address)
    assert wait(lab, "covid", lambda now: not now.is_alive).state == "done"
    assert manners.seen[-1][1] == f"bytes={had}-"
    assert fetching.is_fetched(lab.fetched("covid"), "covid")
    assert fetching.under_way(lab) == {}


def test_a_fetch_can_be_cancelled_and_says_its_failure(lab, manners, address):
    manners.files[ZIP], manners.drip = covid_zip(600_000), (5_000, 0.05)
    fetching.start(lab, "covid", base=address)
    wait(lab, "covid", lambda now: "fetching" in now.stage and now.done > 0)
    assert jobs.cancel(lab.fetching("covid")).state == "cancelled"
    manners.files.clear()
    manners.drip = ()
    fetching.start(lab, "covid", base=address)
    failed = wait(lab, "covid", lambda now: not now.is_alive)
    assert failed.state == "failed"
    assert "404" in failed.reason


def test_what_must_be_asked_for_is_never_fetched(lab):
    for name, one in fetching.CATALOGUE.items():
        if one.gated:
            with pytest.raises(BadInput, match="asked for in person"):
                fetching.fetch(lab, name)
            with pytest.raises(BadInput, match="asked for in person"):
                fetching.start(lab, name)
    assert not lab.root.exists()


def test_unknown_names_and_sizes_are_sentences(lab):
    with pytest.raises(UnknownName, match="known: medmnist"):
        fetching.fetch(lab, "mars")
    with pytest.raises(BadInput, match="its sizes are 28, 64, 128, 224"):
        fetching.fetch(lab, "medmnist", variant="32")
    with pytest.raises(BadInput, match="one size only"):
        fetching.fetch(lab, "covid", variant="28")
    with pytest.raises(BadInput, match="https://"):
        fetching.fetch(lab, "covid", base="ftp://mirror")


@pytest.mark.parametrize("name", fetching.CATALOGUE)
def test_every_collection_says_all_a_person_needs(name):
    one = fetching.CATALOGUE[name]
    assert one.title and one.licence and one.citation and one.layout
    assert one.page.startswith("https://")
    assert bool(one.steps) == one.gated == (not one.files)
    for variant in one.variants or (None,):
        files = one.files_of(variant)
        assert len({file.name for file in files}) == len(files)
        assert len({file.product for file in files}) == len(files)
    for file in one.files:
        assert file.url.startswith("https://")
        assert file.said_by, "every address says who published it"
        assert file.md5 is None or len(file.md5) == 32
        assert file.sha256 is None or len(file.sha256) == 64
