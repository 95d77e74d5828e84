"""Time and disk said beforehand: they must follow the work, and say what they rest on."""

import json

import pytest

from cxrlab import files, spec
from cxrlab.choices import networks
from cxrlab.facts.estimate import (
    REFERENCE_SECONDS,
    RELATIVE,
    estimate,
    measured,
    measured_unit,
    relative_cost,
)
from cxrlab.jobs import state
from cxrlab.paths import Lab


def made(**training):
    view = spec.ViewSpec(source=("a",), external=("b",))
    return spec.TrainSpec(view=view, training=spec.TrainingSpec(**training))


def test_twice_the_epochs_take_longer_and_no_more_disk():
    short, long = (estimate([made(epochs=n)], {"a": 1000, "b": 500}) for n in (5, 10))
    assert long.seconds > 1.5 * short.seconds
    assert long.n_bytes == short.n_bytes


def test_a_lab_without_runs_says_that_it_uses_a_reference():
    assert "reference" in estimate([made()], {"a": 1000}).basis


def test_a_finished_run_teaches_the_lab_its_speed(tmp_path):
    lab, one = Lab(tmp_path), made(epochs=10)
    run = lab.run(one.run_id)
    files.write_json(run.spec, one.model_dump(mode="json"))
    passes = 10 * 1000 * (0.7 + 0.1 / 3)
    seconds = 3 * REFERENCE_SECONDS * passes  # a machine three times as slow
    lines = [{"t": 100.0 + seconds * k / 10, "stage": "train", "of": 10, "done": k} for k in range(11)]
    files.write_text(run.progress, "".join(json.dumps(line) + "\n" for line in lines))
    files.write_text(run.checkpoint, "weights")
    unit, n_runs = measured_unit(lab, {"a": 1000})
    assert n_runs == 1
    assert abs(unit / REFERENCE_SECONDS - 3) < 0.01
    assert "1 finished run" in estimate([one], {"a": 1000}, lab).basis


def test_an_unfinished_run_teaches_nothing(tmp_path):
    lab, one = Lab(tmp_path), made()
    files.write_json(lab.run(one.run_id).spec, one.model_dump(mode="json"))
    assert measured_unit(lab, {"a": 1000})[1] == 0


def test_every_network_of_the_forms_has_a_cost_and_a_heavier_way_costs_more():
    view = spec.ViewSpec(source=("a",))
    for name in networks.CHOICES:
        assert name in RELATIVE or networks.CHOICES[name].gflop > 0, name
    light, heavy = (
        spec.build({"kind": "train", "view": view.model_dump(), "model": {"name": name}})
        for name in ("mobilenetv3_large", "vit_b16")
    )
    assert relative_cost(heavy) > 5 * relative_cost(light)
    assert relative_cost(made(optimizer="sam")) == 2 * relative_cost(made())
    assert estimate([made(optimizer="soap")], {"a": 100}).n_bytes > 2 * estimate([made()], {"a": 100}).n_bytes


def finished(lab, one, slower, rest, n=1000, attempts=1):
    """A run folder as a job leaves it: trained `slower` times as slowly as the reference, `rest` seconds for the rest."""
    run = lab.run(one.run_id)
    files.write_json(run.spec, one.model_dump(mode="json"))
    passes = one.training.epochs * n * (0.7 + 0.1 / 3)
    seconds = slower * REFERENCE_SECONDS * relative_cost(one) * passes
    t, lines = 100.0, []
    for attempt in range(attempts):  # each does its part of the epochs, an hour apart
        steps = [k for k in range(13) if attempt * 12 / attempts <= k <= (attempt + 1) * 12 / attempts]
        lines.append({"t": t, "stage": "load", "of": 1, "done": 0})
        lines += [
            {"t": t + seconds * (k - steps[0]) / 12, "stage": "train", "of": 12, "done": k} for k in steps
        ]
        t = lines[-1]["t"] + 3600
    files.write_text(run.progress, "".join(json.dumps(line) + "\n" for line in lines))
    files.write_text(run.checkpoint, "weights")
    scoring = slower * REFERENCE_SECONDS * relative_cost(one) * n / 3
    job = state.Job("local", "here", 99.0, 1, "1", lines[-1]["t"] - seconds / attempts)
    state.write_job(run, job)
    ended = job.started + seconds + scoring + rest
    files.write_json(run.end, {"state": "done", "reason": "", "ended": ended})


def test_a_runs_own_network_tells_more_than_another_and_the_range_says_so(tmp_path):
    lab, dense = Lab(tmp_path), made(epochs=12, patience=12)
    small = spec.build({**dense.model_dump(), "model": {"name": "small_cnn"}, "seed": 1})
    finished(lab, dense, slower=3, rest=6)
    finished(lab, small, slower=1, rest=6)
    own, other = (
        estimate([one], {"a": 1000, "b": 0}, lab) for one in (dense, small.model_copy(update={"seed": 7}))
    )
    bare = estimate([dense], {"a": 1000, "b": 0})
    assert own.seconds == pytest.approx(3 * (bare.seconds - 6) + 6, rel=0.02)
    assert other.seconds == pytest.approx(estimate([small], {"a": 1000, "b": 0}).seconds, rel=0.02)
    third = spec.build({**dense.model_dump(), "model": {"name": "resnet18"}})
    unknown = estimate([third], {"a": 1000, "b": 0}, lab)
    assert "none of them is of resnet18" in unknown.basis and "none of them" not in own.basis
    pretraining = dense.model_copy(update={"task": "moco"})
    assert "none of them is of densenet121 at this task" in estimate([pretraining], {"a": 1000}, lab).basis
    assert own.high / own.seconds < unknown.high / unknown.seconds < bare.high / bare.seconds
    assert own.low < own.seconds < own.high


def test_what_a_process_costs_besides_is_learnt_and_a_resumed_run_teaches_speed_without_its_pause(tmp_path):
    lab, one = Lab(tmp_path), made(epochs=12)
    finished(lab, one, slower=1, rest=40)
    assert measured(lab, {"a": 1000, "b": 0}).start == pytest.approx(40, abs=0.1)
    resumed = Lab(tmp_path / "other")
    finished(resumed, one, slower=1, rest=40, attempts=2)
    speeds = measured(resumed, {"a": 1000, "b": 0})
    assert speeds.every == [pytest.approx(REFERENCE_SECONDS, rel=1e-6)] and not speeds.starts


def test_the_least_is_when_every_run_stops_as_early_as_it_may():
    patient, hasty = (estimate([made(epochs=100, patience=n)], {"a": 10_000}) for n in (100, 2))
    assert patient.seconds == hasty.seconds and hasty.low < patient.low / 10


def test_pretraining_costs_a_second_look_without_its_way_back():
    one = {"kind": "train", "view": {"source": ["a"]}, "model": {"name": "small_cnn"}}
    moco = spec.build({**one, "task": "moco", "training": {"augment": "contrast"}})
    assert relative_cost(moco) == pytest.approx(4 / 3 * relative_cost(spec.build(one)))
