"""Runs: states from disk, deeds that are verified."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from cxrlab import files
from cxrlab import spec as specs
from cxrlab.jobs import process, state
from tests import fake_lab
from tests.pages.charts import figure


def named(lab, start):
    return next(name for name in lab.run_ids() if name.startswith(start))


@pytest.fixture
def alive(own_half):
    """A run that a sleeping process carries out, as a job would."""
    run_id = named(own_half, "labels-")
    run = own_half.run(run_id)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
    who = process.identity_of(child.pid)
    now = time.time()
    state.write_job(run, replace(state.read_job(run), pid=who.pid, born=who.born, submitted=now, started=now))
    yield run_id
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def test_the_list_shows_every_run_with_its_state(fake, open_page):
    table = open_page("runs").dataframe[0].value
    assert set(table["run"]) == set(fake.run_ids())
    assert set(table["state"]) == {"done"}


def test_a_run_whose_process_is_gone_is_lost_and_can_be_resumed(half, open_page):
    run_id = named(half, "labels-")
    app = open_page("runs", run=[run_id])
    assert app.dataframe[0].value.set_index("run").loc[run_id, "state"] == "lost"
    assert app.button(key="resume")


def test_a_running_job_can_be_cancelled_and_is_gone_when_the_page_says_so(
    own_half, alive, open_page, text_of
):
    app = open_page("runs", run=[alive])
    assert app.dataframe[0].value.set_index("run").loc[alive, "state"] == "running"
    job = state.read_job(own_half.run(alive))
    app.button(key="cancel").click().run()
    assert not app.exception
    assert "Its process is gone" in text_of(app)
    assert not process.is_alive(job.who)
    assert state.status(own_half.run(alive)).state == "cancelled"


def test_one_run_shows_its_curves_and_its_spec(fake, open_page, text_of):
    run_id = named(fake, "labels-")
    said = text_of(open_page("runs", run=[run_id]))
    assert "Validation AUROC" in said
    app = open_page("runs", run=[run_id], part="Spec")
    assert '"small_cnn"' in app.code[0].value


def test_the_cost_of_a_run_is_words_not_raw_numbers(fake, open_page):
    app = open_page("runs", run=[named(fake, "labels-")], part="Cost")
    shown = app.table[0].value.astype(str).to_string()
    assert "231,000" in shown and "410 MB" in shown


def test_several_runs_are_compared_by_what_differs(fake, open_page):
    ids = [named(fake, "labels-"), named(fake, "normal-small")]
    app = open_page("runs", run=ids)
    differs = next(one.value for one in app.dataframe if "task" in one.value)
    assert set(differs["task"]) == {"labels", "normal"}
    assert "training.epochs" not in differs
    outcome = next(one.value for one in app.dataframe if f"AUROC at {fake_lab.HOME}" in one.value)
    assert outcome[f"AUROC at {fake_lab.HOME}"].str.contains(r"\[").all()


def test_lines_side_by_side_run_through_no_name_and_no_value(own, open_page):
    known = specs.read(own.run(named(own, "labels-")).spec)
    for k, rate in enumerate((2e-3, 4e-3)):
        training = known.training.model_copy(update={"learning_rate": rate})
        made = known.model_copy(update={"training": training, "seed": k + 1})
        fake_lab.end_run(fake_lab.begin_run(own, made, ago=10))
    ids = [name for name in own.run_ids() if name.startswith("labels-")]
    drawn = figure(open_page("runs", run=ids), "side-by-side")
    axes = [shape["x0"] for shape in drawn["layout"]["shapes"]]
    placed = {one["text"]: one for one in drawn["layout"]["annotations"]}
    assert placed["learning_rate"]["xanchor"] == "right" and placed["learning_rate"]["x"] == axes[0] == min(
        x for trace in drawn["data"] for x in trace["x"] if x is not None
    )
    ends = [one for one in placed.values() if one["x"] in (axes[0], 1) and "yshift" in one]
    assert ends and all(one.get("xshift", 0) * (0.5 - one["x"]) > 0 for one in ends)  # towards the middle


def test_removing_asks_first_and_removes(own, open_page, text_of):
    run_id = named(own, "normal-latent")
    app = open_page("runs", run=[run_id])
    app.button(key="remove").click().run()
    assert not app.exception
    assert f"{run_id} was removed" in text_of(app)
    assert run_id not in own.run_ids()


def test_removing_says_which_runs_still_need_it(own, open_page, text_of):
    said = "without it they cannot score another site"
    assert said in text_of(open_page("runs", run=[named(own, "autoencoder")]))
    assert said not in text_of(open_page("runs", run=[named(own, "normal-latent")]))


def test_a_failed_run_shows_its_reason(own, open_page, text_of):
    run_id = named(own, "labels-")
    end = {"state": "failed", "reason": "the disk filled up.", "ended": time.time()}
    files.write_json(own.run(run_id).end, end)
    assert "disk filled up" in text_of(open_page("runs", run=[run_id]))


def test_a_damaged_run_is_listed_with_what_is_wrong(own, open_page):
    run_id = named(own, "labels-")
    own.run(run_id).spec.write_text("{broken")
    table = open_page("runs", run=[named(own, "autoencoder-")]).dataframe[0].value.set_index("run")
    assert table.loc[run_id, "state"] == "damaged"
    assert "not JSON" in table.loc[run_id, "what"]


def test_rerun_leads_to_launch(fake, open_page):
    app = open_page("runs", run=[named(fake, "labels-")])
    app.button(key="rerun").click().run()
    assert not app.exception
    assert app.title[0].value == "Launch"


def test_a_sweep_shows_its_question_its_table_and_what_was_left_out(own, open_page, text_of):
    known = specs.read(own.run(next(name for name in own.run_ids() if name.startswith("labels-"))).spec)
    base = {**known.model_dump(mode="json", exclude={"seed", "data", "kind"})}
    asked = specs.build(
        {"kind": "sweep", "name": "two", "title": "Two", "question": "Which?", "base": base,
         "arms": [{"name": "as-it-is"}, {"name": "longer", "set": {"training.epochs": 9}}]}
    )  # fmt: skip
    run = own.run(asked.run_id)
    files.write_text(run.spec, specs.dumps(asked))
    files.write_json(run.children, {"runs": {"as-it-is": known.run_id}, "left_out": {"x": "it cannot be"}})
    files.write_json(run.end, {"state": "cancelled", "reason": "cancelled on request.", "ended": 1.0})
    app = open_page("runs", query={"run": run.run_id})
    said = text_of(app)
    assert "Which?" in said and "x: it cannot be" in said and "1 run of 2" in said
    table = next(one.value for one in app.dataframe if "arm" in one.value)
    assert table["arm"].tolist() == ["as-it-is", "longer"]
    assert table["home"].notna().tolist() == [True, False]
    app.session_state["sweep-table"] = "By run"
    app.run()
    assert not app.exception


def sweep_of(lab, runs, **fields):
    """Write a finished sweep whose runs are there already: key → run id."""
    known = specs.read(lab.run(next(iter(runs.values()))).spec)
    base = known.model_dump(mode="json", exclude={"seed", "data", "kind"})
    asked = specs.build({"kind": "sweep", "name": "two", "base": base, **fields})
    run = lab.run(asked.run_id)
    files.write_text(run.spec, specs.dumps(asked))
    files.write_json(run.children, {"runs": runs, "left_out": {}})
    files.write_json(run.end, {"state": "done", "reason": "", "ended": 1.0})
    return run.run_id


def twin(lab, of, **changes):
    """Copy the findings run `of` under another spec, with its scores; return its name."""
    made = specs.read(lab.run(of).spec).model_copy(update=changes)
    fake_lab.begin_run(lab, made, ago=100)
    rng = np.random.default_rng(made.seed + 3)
    for site in (fake_lab.HOME, *fake_lab.EXTERNALS):
        fake_lab.write_scores(lab, made, site, fake_lab.LABELS, rng)
    fake_lab.end_run(lab.run(made.run_id))
    return made.run_id


def test_a_sweep_of_one_seed_does_not_call_a_winner(own, open_page, text_of):
    one = named(own, "labels-")
    longer = specs.read(own.run(one).spec).training.model_copy(update={"epochs": 9})
    two = twin(own, one, training=longer)
    arms = [{"name": "as-it-is"}, {"name": "longer", "set": {"training.epochs": 9}}]
    run_id = sweep_of(own, {"as-it-is": one, "longer": two}, arms=arms)
    app = open_page("runs", run=[run_id])
    said = text_of(app)
    assert "cannot be told which setting is best" in said and "one seed a setting" in said
    assert "no longer a test" in said  # of choosing by what happens elsewhere
    table = next(one.value for one in app.dataframe if "arm" in one.value)
    gap = table[f"gap {fake_lab.LAKEVIEW}"].iloc[0]
    assert "[" in gap and any(gap.endswith(word) for word in ("worse", "better", "no gap", "cannot say"))
    assert not [name for name in table if name.endswith((" low", " high", " says"))]


def test_settings_of_different_homes_are_not_ranked(own, open_page, text_of):
    here = named(own, "labels-")
    known = specs.read(own.run(here).spec)
    moved = known.view.model_copy(update={"source": (fake_lab.LAKEVIEW,), "external": (fake_lab.HOME,)})
    other = twin(own, here, view=moved)
    arms = [
        {"name": "here"},
        {"name": "there", "set": {"view.source": [fake_lab.LAKEVIEW], "view.external": [fake_lab.HOME]}},
    ]
    run_id = sweep_of(own, {"here": here, "there": other}, arms=arms)
    app = open_page("runs", run=[run_id])
    said = text_of(app)
    table = next(one.value for one in app.dataframe if "arm" in one.value).set_index("arm")
    gap = table[f"gap {fake_lab.LAKEVIEW}"]  # one of them was trained there
    assert "[" in gap["here"] and gap.isna()["there"]
    assert (
        "trained at different homes" in said
        and "which setting is best" not in said
        and " leads, " not in said
    )


def test_runs_side_by_side_open_with_who_is_first_and_its_doubt(own, open_page, text_of):
    one = named(own, "labels-")
    ids = [one, twin(own, one, seed=1), twin(own, one, seed=2)]
    app = open_page("runs", run=ids)
    said = text_of(app)
    assert "is first in" in said or "cannot be told who is first" in said
    assert "over 3 seeds" in said and "no longer a test" in said
    outcome = next(one.value for one in app.dataframe if "key number" in one.value)
    columns = [name for name in outcome if name.startswith("AUROC")]
    assert columns[0] == f"AUROC at {fake_lab.HOME}"


def test_runs_of_different_tasks_are_not_ranked(fake, open_page, text_of):
    said = text_of(open_page("runs", run=[named(fake, "labels-"), named(fake, "normal-small")]))
    assert "different tasks are not ranked" in said and "first in" not in said


def test_the_cost_names_its_units_and_what_it_was_taken_on(fake, open_page, text_of):
    app = open_page("runs", run=[named(fake, "labels-")], part="Cost")
    shown = app.table[0].value.astype(str).to_string()
    for words_of in (
        "81.0 million operations",
        "2.4 s",
        "p50",
        "18.2 ms a batch of 32",
        "p95",
        "21.9 ms",
        "images a second",
    ):
        assert words_of in shown
    assert "Measured on CPU, 2 threads" in text_of(app)


def test_the_cost_of_a_study_has_a_row_a_run(fake, open_page):
    app = open_page("runs", run=[named(fake, "study-")], part="Cost")
    table = next(one.value for one in app.dataframe if "parameters" in one.value)
    assert len(table) == 4


def test_the_list_can_be_narrowed_to_a_studys_runs(fake, open_page):
    study = named(fake, "study-")
    whole = open_page("runs").dataframe[0].value
    assert whole["what"].str.contains("Small CNN").any()
    app = open_page("runs", of="alone")
    assert set(app.dataframe[0].value["run"]) == {study}
    app = open_page("runs", of=study)
    assert set(app.dataframe[0].value["run"]) == set(fake.run_ids())


def test_a_rule_of_choosing_is_named_as_it_was_asked_for(own, open_page, text_of):
    one = named(own, "labels-")
    known = specs.read(own.run(one).spec)
    run_id = twin(own, one, training=known.training.model_copy(update={"select": "val-loss"}))
    app = open_page("runs", run=[run_id])
    assert "Validation loss at home" in text_of(app)
    assert "validation loss" in app.dataframe[0].value.set_index("run").loc[run_id, "number"]
