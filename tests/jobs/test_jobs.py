"""Jobs are real processes here; only what they compute is a stub."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

from cxrlab import jobs
from cxrlab import spec as specs
from cxrlab.errors import BadRun, BadSpec, MissingInput, UnknownName
from cxrlab.jobs import process, slots, state
from tests.jobs.kit import train_spec, wait_for, write_store

LAUNCHER = """
import json, sys, time
from cxrlab import jobs, spec
from cxrlab.paths import Lab
print(jobs.submit(Lab.here(), spec.build(json.loads(sys.argv[1]))), flush=True)
time.sleep(60)
"""


def test_a_job_does_every_stage_and_is_done(stub):
    run = stub.run(jobs.submit(stub, train_spec()))
    now = wait_for(run, "done", "failed")
    assert now.state == "done", now.reason
    assert run.checkpoint.exists() and "home val" in run.thresholds.read_text()
    assert all(
        run.predictions(site).exists() and run.maps(site).exists() for site in ("home", "east", "west")
    )
    assert now.submitted <= now.started <= now.ended
    assert set(specs.read(run.spec).data) == {"home", "east", "west"}


def test_pressing_start_twice_gives_one_run(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "20")
    ids = []
    presses = [threading.Thread(target=lambda: ids.append(jobs.submit(stub, train_spec()))) for _ in range(6)]
    for press in presses:
        press.start()
    for press in presses:
        press.join()
    run = stub.run(ids[0])
    assert len(set(ids)) == 1 and stub.run_ids() == [run.run_id]
    wait_for(run, "done")
    assert run.log.read_text().count("begins, process") == 1
    ended = run.end.read_text()
    assert jobs.submit(stub, train_spec()) == run.run_id  # done: nothing to do
    assert run.end.read_text() == ended


def test_two_programs_that_submit_at_once_make_one_run(stub, tmp_path):
    spec = tmp_path / "spec.json"
    spec.write_text(specs.dumps(train_spec()))
    command = [sys.executable, "-m", "cxrlab", "run", str(spec), "--no-wait"]
    said = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    ids = {program.communicate()[0].strip() for program in said}
    run = stub.run(ids.pop())
    assert not ids
    wait_for(run, "done")
    assert run.log.read_text().count("begins, process") == 1


def test_a_killed_job_is_lost_and_resumes_where_it_stood(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "60")
    run = stub.run(jobs.submit(stub, train_spec()))
    wait_for(run, "running")
    while not run.last.exists():
        time.sleep(0.02)
    os.kill(jobs.status(run).pid, signal.SIGKILL)
    now = wait_for(run, "lost", seconds=5)  # a zombie child of ours until then; it must not count as alive
    assert "resume" in now.reason
    jobs.resume(stub, run.run_id)
    jobs.resume(stub, run.run_id)  # twice is as once
    wait_for(run, "done")
    begun = [line for line in run.log.read_text().splitlines() if line.startswith("fit begins")]
    assert begun[0].endswith("step 0") and len(begun) == 2 and not begun[1].endswith("step 0")


def test_what_a_killed_job_left_half_written_does_not_break_its_resumption(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "60")
    run = stub.run(jobs.submit(stub, train_spec()))
    wait_for(run, "running")
    os.kill(jobs.status(run).pid, signal.SIGKILL)
    wait_for(run, "lost")
    with run.progress.open("a") as progress:
        progress.write('{"t": 1, "sta')
    part = run.folder / "checkpoint.safetensors.part-999999999"
    part.write_text("half")
    jobs.resume(stub, run.run_id)
    wait_for(run, "done")
    assert all(json.loads(line) for line in run.progress.read_text().splitlines())
    assert not part.exists()


def test_cancel_returns_when_the_process_is_gone(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "2000")
    run = stub.run(jobs.submit(stub, train_spec()))
    pid = wait_for(run, "running").pid
    now = jobs.cancel(run)
    assert now.state == "cancelled" and now.reason == "cancelled on request."
    assert process.identity_of(pid) is None
    assert jobs.cancel(run).state == "cancelled"  # again: nothing to do
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "1")
    jobs.submit(stub, train_spec())  # asking for it again starts it again
    wait_for(run, "done")


def test_a_job_that_is_deaf_to_signals_is_killed(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "2000")
    run = stub.run(jobs.submit(stub, train_spec("deaf")))
    pid = wait_for(run, "running").pid
    while not run.last.exists():
        time.sleep(0.02)
    assert jobs.cancel(run, grace=0.3).state == "cancelled"
    assert process.identity_of(pid) is None


def test_a_job_stopped_from_outside_says_so(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "2000")
    run = stub.run(jobs.submit(stub, train_spec()))
    os.kill(wait_for(run, "running").pid, signal.SIGTERM)
    assert "SIGTERM" in wait_for(run, "cancelled", "lost").reason


def test_a_stranger_with_the_same_number_is_never_signalled(stub):
    run = stub.run(jobs.submit(stub, train_spec()))
    wait_for(run, "done")
    run.end.unlink()
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        job = state.read_job(run)
        state.write_job(
            run, state.Job(job.executor, job.host, job.submitted, stranger.pid, job.born, job.started)
        )
        assert jobs.status(run).state == "lost"
        assert jobs.cancel(run).state == "cancelled"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_job_outlives_its_launcher(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "30")
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, specs.dumps(train_spec())], stdout=subprocess.PIPE, text=True
    )
    run = stub.run(launcher.stdout.readline().strip())
    launcher.kill()
    launcher.wait()
    assert wait_for(run, "done", "lost", "failed").state == "done"


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ("breaks", "this network cannot learn; choose another."),
        ("bug", "ZeroDivisionError: a plain bug"),
        ("memory", "ran out of memory"),
        ("full", "the disk filled up"),
    ],
)
def test_a_failing_run_shows_its_reason(stub, network, reason):
    run = stub.run(jobs.submit(stub, train_spec(network)))
    now = wait_for(run, "failed", "lost", "done")
    assert now.state == "failed" and now.reason.startswith(reason)
    assert "Traceback" in jobs.log_tail(run, 100)


def test_one_slot_is_given_first_come_first_served(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "10")
    runs = [stub.run(jobs.submit(stub, train_spec(seed=seed))) for seed in range(3)]
    wait_for(runs[0], "running", "done")
    waiting = jobs.status(runs[2])
    assert waiting.state == "queued" and slots.queue(stub)[-1] == runs[2].run_id
    jobs.cancel(runs[1])  # a queued job can be cancelled; the next one moves up
    assert wait_for(runs[2], "done").started >= jobs.status(runs[0]).ended - 0.01
    assert jobs.status(runs[1]).state == "cancelled" and not runs[1].checkpoint.exists()


def test_two_slots_run_two_jobs_at_once(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_SLOTS", "2")
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "2000")
    runs = [stub.run(jobs.submit(stub, train_spec(seed=seed))) for seed in range(2)]
    assert all(wait_for(run, "running") for run in runs)
    for run in runs:
        jobs.cancel(run)


def test_a_waiting_job_has_not_loaded_torch(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "2000")
    first = stub.run(jobs.submit(stub, train_spec()))
    wait_for(first, "running")
    second = stub.run(jobs.submit(stub, train_spec(seed=1)))
    wait_for(second, "queued")
    time.sleep(1.0)
    loaded = [library.path for library in psutil.Process(jobs.status(second).pid).memory_maps()]
    assert any("python" in path for path in loaded)
    assert not any("torch" in path or "h5py" in path for path in loaded)


def test_a_lost_external_store_leaves_the_others_unharmed(stub):
    stub.store("east").rename(stub.root / "away.h5")
    with pytest.raises(MissingInput, match=r"east.*ingest.*This lab has: home, west"):
        jobs.submit(stub, train_spec())
    (stub.root / "away.h5").rename(stub.store("east"))
    run = stub.run(train_spec().run_id)
    other = stub.run(jobs.submit(stub, train_spec(seed=5)))  # holds the slot
    run = stub.run(jobs.submit(stub, train_spec()))
    wait_for(other, "done")
    stub.store("east").rename(stub.root / "away.h5")
    now = wait_for(run, "failed", "done")
    if now.state == "done":  # it was quicker than we were
        jobs.remove(stub, run.run_id)
        pytest.fail("the job ended before its store was taken away; raise CXRLAB_STUB_STEPS")
    assert "east: no store" in now.reason and "west:" not in now.reason
    assert (
        run.predictions("west").exists()
        and run.maps("west").exists()
        and not run.predictions("east").exists()
    )
    (stub.root / "away.h5").rename(stub.store("east"))
    jobs.resume(stub, run.run_id)
    wait_for(run, "done")
    assert run.predictions("east").exists()
    assert run.log.read_text().count("score west") == 1  # what was there was left alone


def test_a_store_that_changed_meanwhile_is_not_scored(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "20")
    run = stub.run(jobs.submit(stub, train_spec()))
    write_store(stub, "west", seed=99)
    now = wait_for(run, "failed", "done")
    assert "west: the store of west has changed" in now.reason and run.predictions("east").exists()
    assert jobs.submit(stub, train_spec()) != run.run_id  # the same words over other data are another run


def test_a_run_is_removed_only_when_nobody_carries_it_out(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "2000")
    run = stub.run(jobs.submit(stub, train_spec()))
    wait_for(run, "running")
    with pytest.raises(BadRun, match="running; cancel it"):
        jobs.remove(stub, run.run_id)
    jobs.cancel(run)
    jobs.remove(stub, run.run_id)
    assert not run.folder.exists()
    with pytest.raises(MissingInput):
        jobs.status(run)


def test_a_done_run_has_nothing_to_resume(stub):
    run = stub.run(jobs.submit(stub, train_spec(), executor="inline"))  # inline: over when submit returns
    assert jobs.status(run).state == "done"
    with pytest.raises(BadRun, match="nothing to resume"):
        jobs.resume(stub, run.run_id)


def test_a_run_whose_launcher_died_before_starting_it_is_lost(stub):
    run = stub.run(jobs.submit(stub, train_spec(), executor="inline"))
    for path in (run.end, run.job):
        path.unlink()
    assert jobs.status(run).state == "lost"
    jobs.resume(stub, run.run_id)
    wait_for(run, "done")


def test_home_must_annotate_the_labels(stub):
    spec = specs.build({"kind": "train", "view": {"source": ["home"], "labels": ["Edema", "Pneumonia"]}})
    with pytest.raises(BadSpec, match="does not annotate Edema; choose among: No Finding, Pneumonia"):
        jobs.submit(stub, spec)
    assert stub.run_ids() == []


def test_an_unknown_executor_is_named(stub):
    with pytest.raises(UnknownName, match="did you mean 'local'"):
        jobs.submit(stub, train_spec(), executor="locale")
    with pytest.raises(BadRun, match="Slurm"):
        jobs.submit(stub, train_spec(), executor="slurm")
    assert stub.run_ids() == []


def test_frozen_checkpoints_score_more_sites(stub):
    run = stub.run(jobs.submit(stub, train_spec(external=()), executor="inline"))
    assert not run.predictions("west").exists()
    score = specs.build({"kind": "score", "run": run.run_id, "sites": ["west"]})
    scored = stub.run(jobs.submit(stub, score, executor="inline"))
    assert jobs.status(scored).state == "done", jobs.log_tail(scored)
    assert run.predictions("west").exists()
    with pytest.raises(MissingInput, match="no run named"):
        jobs.submit(stub, specs.build({"kind": "score", "run": "nobody", "sites": ["west"]}))


def test_jobs_without_a_gpu_share_the_processors_between_two_slots(monkeypatch):
    monkeypatch.delenv("CXRLAB_SLOTS", raising=False)
    monkeypatch.setattr(slots, "has_gpu", lambda: False)
    for processors, expected in ((1, (1, 1)), (2, (2, 1)), (8, (2, 4))):
        monkeypatch.setattr(slots, "processors", lambda n=processors: n)
        assert (slots.count(), slots.threads()) == expected
    monkeypatch.setattr(slots, "has_gpu", lambda: True)
    assert (slots.count(), slots.threads()) == (1, None)
