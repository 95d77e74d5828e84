"""A sweep is carried out in waves, resumes where it stands, and is found again by its name."""

import pytest

from cxrlab import jobs, spec
from cxrlab.errors import BadSpec, MissingInput
from cxrlab.sweeps import results, shelf
from tests.jobs.kit import wait_for

BASE = {
    "view": {"source": ["home"], "external": ["east"], "labels": ["Pneumonia"], "image_px": 32},
    "model": {"name": "small_cnn"},
}


def sweep(**fields):
    return spec.build({"kind": "sweep", "name": "both", "base": BASE, **fields})


def carried_out(lab, asked, *states):
    run = lab.run(shelf.submit(lab, asked))
    return run, wait_for(run, *(states or ("done",)), seconds=120)


NEEDS = [
    {"name": "baseline"},
    {"name": "student", "set": {"view.uncertain": "self-trained"}, "needs": {"teacher": "baseline"}},
]


def test_what_is_needed_is_done_first_and_asking_again_starts_only_what_is_missing(stub):
    run, _ = carried_out(stub, sweep(arms=NEEDS))
    ids = jobs.children(run)
    assert list(ids) == ["baseline", "student"]
    taught = spec.read(stub.run(ids["student"]).spec)
    assert taught.teacher == ids["baseline"]
    assert all(jobs.status(stub.run(one)).state == "done" for one in ids.values())
    before = {one: stub.run(one).checkpoint.stat().st_mtime_ns for one in ids.values()}

    more = sweep(arms=[*NEEDS, {"name": "third", "set": {"training.loss": "focal"}}])
    wider, _ = carried_out(stub, more)
    assert set(jobs.children(wider)) == {"baseline", "student", "third"}
    assert {one: stub.run(one).checkpoint.stat().st_mtime_ns for one in before} == before

    assert shelf.names(stub) == ["both"]
    table = results.table(stub, shelf.find(stub, "both"))
    assert table["arm"].tolist() == ["baseline", "student", "third"]
    assert table["home"].notna().all() and table["gap east"].notna().all()


def test_a_run_that_fails_stops_only_those_that_need_it_and_the_sweep_says_which(stub, monkeypatch):
    arms = [
        {"name": "broken", "set": {"model.name": "timm:breaks"}},
        {"name": "after", "set": {"model.name": "timm:breaks"}, "needs": {"strategy.start_from": "broken"}},
        {"name": "sound"},
    ]
    run, now = carried_out(stub, sweep(arms=arms), "failed")
    assert "2 of 3 runs did not end well" in now.reason
    assert "broken: failed: this network cannot learn" in now.reason
    assert "after: it needs 'broken'" in now.reason
    assert jobs.status(stub.run(jobs.children(run)["sound"])).state == "done"


def test_cancelling_a_sweep_ends_its_runs(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "400")
    run = stub.run(shelf.submit(stub, sweep(seeds=[0, 1, 2, 3])))
    wait_for(run, "running")
    while not jobs.children(run):
        wait_for(run, "running")
    assert jobs.cancel(run).state == "cancelled"
    # The last may be named and not begun yet.
    assert not any(jobs.status(stub.run(one)).is_alive for one in stub.run_ids())
    assert len(jobs.children(run)) < 4  # not all at once: the rest was never begun


def test_a_sweep_with_what_cannot_be_is_refused_before_anything_starts(stub):
    with pytest.raises(BadSpec, match="1 of 2 runs cannot be"):
        shelf.submit(stub, sweep(axes={"training.batch": [8, 1000]}))
    with pytest.raises(BadSpec, match="a batch of 1000 is larger than the 44 images"):
        shelf.submit(stub, sweep(axes={"training.batch": [1000]}))
    assert stub.run_ids() == []


def test_an_unknown_sweep_is_one_sentence(stub):
    with pytest.raises(MissingInput, match="no sweep named 'x'; this lab has: none yet"):
        shelf.find(stub, "x")
