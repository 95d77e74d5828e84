"""What a job is doing can be read at any moment, by anybody, after any death."""

import json

import pytest

from cxrlab import progress
from cxrlab.progress import Progress


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "progress.jsonl"


def test_a_stage_begins_at_nothing_and_its_last_step_is_never_skipped(path):
    told = Progress(path, every=1000)
    told.stage("decode", of=5)
    for done in range(1, 6):
        told.step(done)
    assert [line["done"] for line in progress.read(path)] == [0, 5]


def test_a_step_with_numbers_is_always_written(path):
    told = Progress(path, every=1000)
    told.stage("train", of=5)
    told.step(1, loss=0.5)
    assert progress.read(path)[-1]["loss"] == 0.5
    assert progress.now(progress.read(path)).numbers == {"loss": 0.5}


def test_without_a_path_nothing_is_written_but_echo_hears(tmp_path):
    heard = []
    assert list(Progress(echo=heard.append, every=0).track("abc", "letters", 3)) == ["a", "b", "c"]
    assert [line["done"] for line in heard] == [0, 1, 2, 3] and list(tmp_path.iterdir()) == []


def test_no_file_is_no_progress(path):
    assert progress.read(path) == [] and progress.now([]).stage == ""


def test_a_line_that_is_still_being_written_is_not_read(path):
    told = Progress(path, every=0)
    told.stage("train", of=3)
    with path.open("a") as log:
        log.write('{"t": 1, "sta')
    assert len(progress.read(path)) == 1


def test_a_line_cut_off_by_a_death_does_not_spoil_the_next(path):
    Progress(path).stage("train", of=3)
    with path.open("a") as log:
        log.write('{"t": 1, "sta')
    again = Progress(path, every=0)
    again.stage("train", of=3)
    again.step(2)
    assert [line["done"] for line in progress.read(path)] == [0, 0, 2]


def test_bytes_lost_in_a_power_cut_are_skipped(path):
    Progress(path).stage("train", of=3)
    with path.open("ab") as log:
        log.write(b"\0\xff\0\n[1]\n")
    assert len(progress.read(path)) == 1


def test_rate_and_time_left_come_from_this_stage_since_it_last_began():
    lines = [
        {"t": 0, "stage": "a", "of": 9, "done": 0},
        {"t": 100, "stage": "b", "of": 10, "done": 0},
        {"t": 1000, "stage": "b", "of": 10, "done": 0},  # taken up again after a pause
        {"t": 1004, "stage": "b", "of": 10, "done": 8},
    ]
    now = progress.now(lines)
    assert (now.stage, now.rate, now.seconds_left) == ("b", 2.0, 1.0)


def test_without_a_finished_step_the_rate_is_unknown_not_zero():
    now = progress.now([{"t": 0, "stage": "a", "of": 9, "done": 0}])
    assert now.rate != now.rate and now.seconds_left != now.seconds_left


def test_every_line_is_json_of_its_own(path):
    told = Progress(path, every=0)
    told.stage("train", of=1)
    told.step(1, note="zwei\nZeilen")
    assert all(isinstance(json.loads(line), dict) for line in path.read_text().splitlines())
