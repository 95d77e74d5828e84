"""`fetch` shows the licence first, fetches on consent, and says what to type next."""

import hashlib
import json
import shlex

import pytest

from cxrlab.__main__ import main
from cxrlab.fetching import CATALOGUE, getting
from cxrlab.fetching.catalogue import Collection, RemoteFile
from tests.fetching.server import Manners, serving
from tests.fetching.test_getting import ZIP, covid_zip


@pytest.fixture
def manners():
    return Manners()


@pytest.fixture
def address(manners, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(manners) as url:
        yield url


def test_without_a_name_every_collection_is_listed(lab, capsys):
    assert main(["fetch"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in CATALOGUE)
    assert main(["fetch", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in listed] == list(CATALOGUE)
    assert next(one for one in listed if one["name"] == "nih")["files"][3]["md5"]


def test_a_gated_collection_gives_its_steps_and_fetches_nothing(lab, capsys):
    assert main(["fetch", "chexpert"]) == 0
    text = capsys.readouterr().out
    assert "nothing was fetched" in text
    assert "1. Make an account with Stanford AIMI" in text
    assert "train/patient00001/study1/view1_frontal.jpg" in text
    assert "python -m cxrlab ingest chexpert" in text
    assert main(["fetch", "mimic", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["fetched"] is False
    assert not lab.root.exists()


def test_the_licence_is_shown_and_nothing_comes_without_consent(lab, manners, address, capsys):
    manners.files[ZIP] = covid_zip()
    assert main(["fetch", "covid", "--url-base", address]) == 2
    said = capsys.readouterr()
    assert "per image, named in metadata.csv" in said.out
    assert "no checksum is published" in said.out
    assert "add --yes" in said.err
    assert manners.seen == []


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("\n", 2), ("no\n", 2)])
def test_on_a_terminal_the_question_is_asked(answer, status, lab, manners, address, monkeypatch, capsys):
    manners.files[ZIP] = covid_zip()
    asked = type("Terminal", (), {"isatty": lambda self: True, "readline": lambda self: answer})()
    monkeypatch.setattr("sys.stdin", asked)
    assert main(["fetch", "covid", "--url-base", address]) == status
    assert "[y/N]" in capsys.readouterr().err
    assert bool(manners.seen) == (status == 0)


def test_after_a_fetch_the_next_command_works_as_printed(lab, manners, address, capsys, tmp_path):
    manners.files[ZIP] = covid_zip()
    there = tmp_path / "a folder"
    assert main(["fetch", "covid", "--yes", "--url-base", address, "--to", str(there), "--json"]) == 0
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["files"][0]["sha256"] == hashlib.sha256(manners.files[ZIP]).hexdigest()
    assert told["files"][0]["checksum_published"] is False
    assert "fetching covid-chestxray-dataset.zip" in said.err
    words = shlex.split(told["next"][0])
    assert words[:3] == ["python", "-m", "cxrlab"]
    assert main([*words[3:], "--size", "32", "--workers", "1"]) == 0


def test_an_unknown_size_is_a_sentence(lab, capsys):
    assert main(["fetch", "medmnist", "--size", "99", "--yes"]) == 2
    assert "its sizes are 28, 64, 128, 224" in capsys.readouterr().err


def test_the_real_small_set_is_fetched_and_read(lab, manners, address, realdata, monkeypatch, capsys):
    body = (realdata / "medmnist" / "pneumoniamnist.npz").read_bytes()
    published = CATALOGUE["pneumoniamnist"]
    # The file at hand is a subset, so its own checksum stands in for the published one.
    mine = RemoteFile(
        published.files[0].url, "pneumoniamnist.npz", len(body), hashlib.md5(body).hexdigest(), variant="28"
    )
    monkeypatch.setitem(
        getting.CATALOGUE, "pneumoniamnist", Collection(**{**vars(published), "files": (mine,)})
    )
    manners.files["pneumoniamnist.npz"], manners.cut_after = body, [1_000_000]
    assert main(["fetch", "pneumoniamnist", "--yes", "--url-base", address]) == 0
    assert sum(sent for *_, sent in manners.seen) == len(body)
    words = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert main([*words[3:], "--limit", "50", "--workers", "1"]) == 0
    assert "50 images" in capsys.readouterr().out
