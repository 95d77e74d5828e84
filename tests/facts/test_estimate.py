"""Time and disk said beforehand: they must follow the work, and say what they rest on."""

import json

from cxrlab import files, spec
from cxrlab.choices import networks
from cxrlab.facts.estimate import REFERENCE_SECONDS, RELATIVE, estimate, measured_unit, relative_cost
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
