"""What a run has come to, from its folder alone."""

import json

import numpy as np

from cxrlab import files, spec
from cxrlab.facts import run_facts
from cxrlab.paths import Lab


def made(epochs, seed=0):
    return spec.TrainSpec(
        view=spec.ViewSpec(source=("a",)), training=spec.TrainingSpec(epochs=epochs), seed=seed
    )


def written(lab, lines):
    run = lab.run("r")
    files.write_text(
        run.progress,
        "".join(json.dumps({"t": 0, "stage": "train", "of": 3, **line}) + "\n" for line in lines),
    )
    return run


def test_a_resumed_epoch_counts_once(tmp_path):
    run = written(Lab(tmp_path), [
        {"done": 1, "epoch": 1, "loss": 0.9, "val": 0.6, "best": 0.6},
        {"done": 0},
        {"done": 1, "epoch": 1, "loss": 0.8, "val": 0.7, "best": 0.7},
    ])  # fmt: skip
    assert run_facts.history(run)["loss"].tolist() == [0.8]
    assert run_facts.key_number(run, made(3)) == ("validation AUROC", 0.7)


def test_before_the_first_epoch_there_is_no_number(tmp_path):
    run = written(Lab(tmp_path), [{"done": 0}])
    assert np.isnan(run_facts.key_number(run, made(3))[1])


def test_only_fields_that_differ_are_compared():
    table = run_facts.compare({"x": made(3), "y": made(5)})
    assert list(table.columns) == ["run", "training.epochs"]


def test_equal_runs_differ_in_nothing():
    assert list(run_facts.compare({"x": made(3), "y": made(3)}).columns) == ["run"]
