"""The command line keeps its promises: exit codes, one sentence on standard error, JSON on demand, a quick start."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from cxrlab import files, jobs
from cxrlab import spec as specs
from cxrlab.__main__ import main
from cxrlab.commands import VERBS, demo
from cxrlab.errors import BadInput
from cxrlab.jobs import process, state
from tests.jobs import kit
from tests.jobs.kit import train_spec, wait_for

stub = kit.stub

COMMAND = [sys.executable, "-m", "cxrlab"]


def test_looking_at_runs_loads_no_torch(lab):
    program = (
        "import sys; from cxrlab.__main__ import main; main(['runs', 'list']); "
        "print([name for name in ('torch', 'streamlit', 'h5py', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb, capsys):
    with pytest.raises(SystemExit) as left:
        main([verb, "--help"])
    assert left.value.code == 0 and "usage" in capsys.readouterr().out


def test_every_verb_is_in_the_help(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    listed = {line.split()[0] for line in said.splitlines() if line.startswith("    ") and line[4] != " "}
    assert listed == set(VERBS)  # a verb that is missing there is found more slowly; _work is not for people


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "nowhere.json"], "no spec at nowhere.json."),
        (["score", "nobody", "east"], "no run named 'nobody'; this lab has: none yet."),
        (["study", "--source", "a", "--external", "a"], "['a'] is both home and external"),
        (["study", "--source", "a", "--external", "b"], "no store for the site 'a'"),
        (["runs", "show", "nobody"], "no run named 'nobody'"),
        (["demo", "--port", "0"], "0 is no port"),
    ],
)
def test_a_users_error_is_one_sentence_and_exit_2(lab, capsys, words, sentence):
    assert main(words) == 2
    said = capsys.readouterr()
    assert sentence in said.err and said.err.count("\n") == 1 and said.out == ""


def test_a_spec_that_is_not_one_is_refused_whole(lab, capsys, tmp_path):
    path = tmp_path / "spec.json"
    path.write_text('{"kind": "train", "view": {"source": ["a"]}, "colour": 1}')
    assert main(["run", str(path)]) == 2
    assert "colour: no such field" in capsys.readouterr().err and lab.run_ids() == []


def test_an_empty_lab_is_told_how_to_begin(lab, capsys):
    assert main(["runs"]) == 0
    assert "python -m cxrlab demo" in capsys.readouterr().out
    assert main(["runs", "--json", "list"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_run_waits_shows_progress_and_prints_its_gaps(stub, capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "30")  # long enough to be seen training
    path = tmp_path / "spec.json"
    path.write_text(specs.dumps(train_spec()))
    assert main(["run", str(path), "--json"]) == 0
    said = capsys.readouterr()
    value = json.loads(said.out)
    assert value["state"] == "done" and "train" in said.err
    gaps = value["tables"]["labels"]["gaps"]
    assert {(row["site"], row["label"]) for row in gaps} >= {("east", "Pneumonia"), ("west", "Pneumonia")}
    assert all(row["verdict"] for row in gaps)


def test_a_run_that_fails_exits_2_with_its_reason(stub, capsys, tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(specs.dumps(train_spec("breaks")))
    assert main(["run", str(path)]) == 2
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith("failed: this network cannot learn; choose another.")
    )


def test_a_run_is_listed_shown_cancelled_resumed_and_removed(stub, capsys, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "2000")
    run = stub.run(jobs.submit(stub, train_spec()))
    wait_for(run, "running")
    assert main(["runs", "list"]) == 0 and run.run_id in capsys.readouterr().out
    assert main(["runs", "rm", run.run_id]) == 2
    assert "cancel it before" in capsys.readouterr().err
    assert main(["runs", "cancel", run.run_id[:12]]) == 0  # the beginning of a name will do
    assert capsys.readouterr().out == f"{run.run_id}: cancelled\n"
    assert main(["runs", "show", run.run_id, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert value["state"] == "cancelled" and value["seconds_left"] is None
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "1")
    assert main(["runs", "resume", run.run_id]) == 0
    wait_for(run, "done")
    assert main(["runs", "show", run.run_id]) == 0 and f"{run.run_id}: done" in capsys.readouterr().out
    assert main(["runs", "rm", run.run_id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"run": run.run_id, "state": "removed"}]
    assert stub.run_ids() == []


def test_ctrl_c_leaves_the_job_running_and_says_how_to_end_it(stub, monkeypatch, tmp_path):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "2000")
    path = tmp_path / "spec.json"
    path.write_text(specs.dumps(train_spec()))
    watching = subprocess.Popen(
        [*COMMAND, "run", str(path)],
        stderr=subprocess.PIPE,
        text=True,
        # A test run in a shell's background has inherited that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # one thread here
    )
    until = time.monotonic() + 30
    while not stub.run_ids() and time.monotonic() < until:
        time.sleep(0.05)
    run = stub.run(stub.run_ids()[0])
    wait_for(run, "running")
    time.sleep(0.5)
    watching.send_signal(signal.SIGINT)
    _, said = watching.communicate(timeout=20)
    assert watching.returncode == 130 and f"runs cancel {run.run_id}" in said and "Traceback" not in said
    assert jobs.status(run).state == "running"
    jobs.cancel(run)


def waiting_in_the_foreground(lab, words, hears_hangups=True):
    """Start a verb that waits by the executor 'inline'; return its process and the run, once that is at work."""
    before = set(lab.run_ids())

    def as_a_terminal_starts_it():  # whoever runs the tests may have ignored some: nohup, a shell's background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_DFL if hears_hangups else signal.SIG_IGN)

    started = subprocess.Popen(
        [*COMMAND, *words, "--executor", "inline"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=as_a_terminal_starts_it,  # noqa: PLW1509  # one thread here
    )
    until = time.monotonic() + 30
    while not set(lab.run_ids()) - before and time.monotonic() < until:
        time.sleep(0.05)
    run = next(one for one in map(lab.run, lab.run_ids()) if one.run_id not in before)
    wait_for(run, "running")
    return started, run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_run_in_the_foreground_ends_with_its_command_and_can_be_resumed(
    stub, monkeypatch, tmp_path, number
):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "2000")
    path = tmp_path / "spec.json"
    path.write_text(specs.dumps(train_spec()))
    waiting, run = waiting_in_the_foreground(stub, ["run", str(path)])
    while not run.last.exists():
        time.sleep(0.02)
    who = state.read_job(run).who
    waiting.send_signal(number)
    _, said = waiting.communicate(timeout=20)
    assert waiting.returncode == 128 + number
    assert said.strip().splitlines()[-1] == (
        f"{number.name}: {run.run_id} was ended with this command and keeps what it had; "
        f"go on: python -m cxrlab runs resume {run.run_id}"
    )
    assert "Traceback" not in said
    assert jobs.status(run).state == "cancelled" and process.identity_of(who.pid) != who
    stood_at = int(run.last.read_text())
    monkeypatch.setenv("CXRLAB_STUB_STEPS", str(stood_at + 1))
    jobs.resume(stub, run.run_id)
    wait_for(run, "done")
    assert f"fit begins at step {stood_at}" in run.log.read_text()


def test_a_study_in_the_foreground_ends_with_all_its_runs(stub, monkeypatch):
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "2000")
    waiting, run = waiting_in_the_foreground(
        stub, ["study", "--source", "home", "--external", "east", "west"]
    )
    until = time.monotonic() + 30
    while not any(
        stub.run(one).spec.exists() and jobs.status(stub.run(one)).state == "running"
        for one in jobs.children(run).values()
    ):
        assert time.monotonic() < until
        time.sleep(0.05)
    waiting.send_signal(signal.SIGTERM)
    waiting.communicate(timeout=30)
    assert waiting.returncode == 128 + signal.SIGTERM
    assert [jobs.status(stub.run(one)).state for one in stub.run_ids() if stub.run(one).spec.exists()].count(
        "cancelled"
    ) == len(stub.run_ids())


def test_a_signal_that_was_to_be_ignored_ends_nothing(stub, monkeypatch, tmp_path):
    """As nohup has it: the window may close."""
    monkeypatch.setenv("CXRLAB_STUB_STEPS", "30")
    path = tmp_path / "spec.json"
    path.write_text(specs.dumps(train_spec()))
    waiting, run = waiting_in_the_foreground(stub, ["run", str(path)], hears_hangups=False)
    waiting.send_signal(signal.SIGHUP)
    _, said = waiting.communicate(timeout=30)
    assert "was ended" not in said
    assert jobs.status(run).state == "done"


def test_no_wait_prints_the_runs_name_and_leaves(stub, capsys, tmp_path):
    path = tmp_path / "spec.json"
    path.write_text(specs.dumps(train_spec()))
    assert main(["run", str(path), "--no-wait"]) == 0
    wait_for(stub.run(capsys.readouterr().out.strip()), "done")


def test_a_study_prints_a_table_a_task_and_what_was_left_out(stub, capsys):
    assert main(["study", "--source", "home", "--external", "east", "west"]) == 0
    said = capsys.readouterr().out
    assert "classifier (labels-densenet121-home-" in said and "verdict" in said and "Trained at home" in said


def test_a_taken_port_gives_the_next_free_one():
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert demo.free_port(port) > port
    with pytest.raises(BadInput, match="no free port"):
        demo.free_port(70000)


def test_no_browser_is_opened_where_nobody_looks(monkeypatch):
    monkeypatch.setenv("CI", "true")
    assert not demo.has_screen()


def test_the_demo_serves_the_lab_until_it_is_stopped(stub):
    """The dashboard answers, and ends with the command that started it."""
    program = (
        "from cxrlab.commands import demo; from cxrlab.paths import Lab; "
        "raise SystemExit(demo.serve(Lab.here(), 8611, open_browser=False))"
    )
    serving = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        said = serving.stdout.readline()
        while "open at" not in said:
            assert said, "the dashboard ended"
            said = serving.stdout.readline()
        url = said.split(" at ")[1].split()[0]
        assert urllib.request.urlopen(f"{url}/_stcore/health", timeout=10).read() == b"ok"
    finally:
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(timeout=20) == 0
    with pytest.raises(OSError):
        urllib.request.urlopen(f"{url}/_stcore/health", timeout=2)


def test_the_demo_is_forgotten_when_a_part_of_it_was_removed(stub):
    spec = specs.build({"kind": "study", "source": "home", "external": ["east"]})
    assert not demo.is_built(stub, spec)
    study, child = stub.run(spec.run_id), stub.run(train_spec().run_id)
    for run, of in ((study, spec), (child, train_spec())):
        files.write_text(run.spec, specs.dumps(of))
        state.write_end(run, "done")
    files.write_json(study.children, {"runs": {"labels": child.run_id}, "left_out": {}})
    assert demo.is_built(stub, spec)
    jobs.remove(stub, child.run_id)
    assert not demo.is_built(stub, spec) and stub.run_ids() == []


def test_the_demo_study_is_the_phantoms_and_the_same_each_time():
    spec = demo.demo_spec()
    assert (
        spec == demo.demo_spec()
        and spec.make == "phantom"
        and spec.preset == "demo"
        and len(spec.external) == 3
    )
