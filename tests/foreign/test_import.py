import gzip
import json

import numpy as np
import pandas as pd
import pytest

from cxrlab import foreign, jobs, predictions, report, studies
from cxrlab import spec as specs
from cxrlab.__main__ import main
from cxrlab.errors import BadInput, BadRun, BadSpec, CxrlabError, MissingInput
from cxrlab.foreign import columns, table
from cxrlab.metrics import auroc, thresholds
from cxrlab.views import split_of
from tests import planted


def scores(n=400, seed=0, separation=1.5):
    """A colleague's table in NIH's words: two images a patient, Effusion findable, Hernia never there."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(int)
    z = rng.normal(size=n) + separation * y - 1
    return pd.DataFrame(
        {
            "Image Index": [f"{i:05d}_000.png" for i in range(n)],
            "Patient ID": [f"{i // 2:03d}" for i in range(n)],
            "Patient Age": ["411" if i == 0 else f"{20 + i % 60:03d}Y" for i in range(n)],
            "Patient Gender": rng.choice(["M", "female", ""], n),
            "View Position": rng.choice(["PA", "AP"], n),
            "reader": np.where(y == 1, "Opacity / sure", np.where(np.arange(n) % 3 == 0, "", "Clear")),
            "prob_Effusion": 1 / (1 + np.exp(-z)),
            "true_Effusion": y,
            "prob_Hernia": rng.random(n),
            "true_Hernia": 0,
        }
    )


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "vendor v2.csv"
    scores().to_csv(path, index=False)
    return path


def read(lab, run_id, site):
    return predictions.read(lab.run(run_id).predictions(site))


def test_a_file_in_usual_words_becomes_a_done_run_without_help(lab, file):
    done = foreign.import_scores(lab, file, "clinic")
    assert done.run_id == "import-vendor-v2"
    assert (done.n_images, done.n_patients, done.splits) == (400, 200, {"external": 400})
    assert done.labels == ("Pleural Effusion", "Hernia") and done.groups == ("reader",)
    assert jobs.status(lab.run(done.run_id)).state == "done"
    got, sent = read(lab, done.run_id, "clinic"), scores()
    assert got.table["patient_id"][3] == "001"
    assert np.isnan(got.table["age_years"][0]) and got.table["age_years"][1] == 21
    assert set(got.table["sex"]) == {"M", "F", ""} and (got.table["row"] == -1).all()
    assert np.allclose(got.score()[:, 0], sent["prob_Effusion"], rtol=0, atol=1e-14)
    whole = report.performance(got).set_index("label")
    assert whole.auroc["Pleural Effusion"] == pytest.approx(
        auroc.auroc(sent["true_Effusion"], sent["prob_Effusion"]), abs=1e-12
    )
    assert whole.why_nan["Hernia"] == "no positive images"


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".tsv"])
def test_every_kind_of_file_gives_the_same_scores(tmp_path, suffix):
    path, sent = tmp_path / f"a{suffix}", scores()
    if suffix == ".parquet":
        sent.to_parquet(path)
    elif suffix == ".csv.gz":
        path.write_bytes(gzip.compress(sent.to_csv(index=False).encode()))
    else:
        sent.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    raw = table.load(path)
    made = table.build(raw, columns.guess(list(raw), {}, "a"), (), "s", home=False, where="a").table
    plain = table.build(sent, columns.guess(list(sent), {}, "a"), (), "s", home=False, where="a").table
    pd.testing.assert_frame_equal(made, plain, check_dtype=False, rtol=1e-12)


@pytest.mark.parametrize(
    ("score", "truth"),
    [
        ("prob_Edema", "true_Edema"),
        ("Edema", "Edema_true"),
        ("logit:Edema", "y:Edema"),
        ("Edema_pred", "edema"),
        ("p EDEMA", "label.Edema"),
        ("y_score_Edema", "y_true_Edema"),
    ],
)
def test_names_of_many_habits_are_understood(score, truth):
    found = columns.guess([score, truth, "p_value"], {}, "f")
    assert found.labels == ("Edema",)
    assert found.of("y:Edema") == truth and found.score_of("Edema") == score and found.others == ("p_value",)


def test_two_bare_columns_are_not_guessed_at():
    with pytest.raises(BadInput, match="no label of f has both a score and a truth"):
        columns.guess(["Edema", "x"], {}, "f")
    found = columns.guess(["a", "b"], {"a": "prob:effusion", "b": "y:Pleural Effusion"}, "f")
    assert found.labels == ("Pleural Effusion",)


def test_home_rows_are_for_tuning_or_testing_and_thresholds_are_tuned(lab, file):
    done = foreign.import_scores(lab, file, "clinic", as_home=True)
    got = read(lab, done.run_id, "clinic")
    of = got.table.groupby("patient_id")["split"].first()
    assert set(of) == {"val", "test"} and 0.2 < (of == "val").mean() < 0.42
    ours = {p: split_of(p, "clinic") for p in of.index}
    assert all(of[p] == part for p, part in ours.items() if part != "train")
    cut = thresholds.read(lab.run(done.run_id).thresholds)
    assert cut.tuned_on == "clinic val" and 0 < cut.of("Pleural Effusion") < 1
    assert "no positive" in cut.why_not("Hernia")


def test_sites_are_added_one_by_one_and_the_study_bar_sees_them(lab, file, tmp_path):
    run = foreign.import_scores(lab, file, "clinic", as_home=True, run="vendor").run_id
    other = tmp_path / "b.csv"
    scores(seed=1, separation=0.0).to_csv(other, index=False)
    foreign.import_scores(lab, other, "far", run="vendor")
    spec = specs.read(lab.run(run).spec)
    assert (spec.home, spec.external) == ("clinic", ("far",))
    assert studies.homes_of(spec) == ("clinic",) and studies.externals_of(spec) == ("far",)
    assert "b.csv" in studies.policy_of(spec)
    (study,) = studies.study_runs(lab)
    assert (study.home, study.externals, study.runs, study.state) == (
        "clinic",
        ("far",),
        {"labels": run},
        "done",
    )
    gap = report.gaps(read(lab, run, "clinic"), [read(lab, run, "far")]).set_index("label")
    assert gap.verdict["Pleural Effusion"] == "worse"


def test_the_same_file_twice_is_once_and_another_must_say_replace(lab, file):
    first = foreign.import_scores(lab, file, "clinic", run="v")
    assert foreign.import_scores(lab, file, "clinic", run="v").already
    scores(seed=5).to_csv(file, index=False)
    with pytest.raises(BadRun, match="--replace"):
        foreign.import_scores(lab, file, "clinic", run="v")
    again = foreign.import_scores(lab, file, "clinic", run="v", replace=True)
    assert not again.already and again.run_id == first.run_id
    assert len(specs.read(lab.run("import-v").spec).files) == 1


def test_a_model_has_one_home(lab, file):
    foreign.import_scores(lab, file, "clinic", run="v", as_home=True)
    with pytest.raises(BadRun, match="has the home clinic"):
        foreign.import_scores(lab, file, "far", run="v", as_home=True)


def test_a_home_that_is_taken_back_leaves_no_thresholds(lab, file):
    foreign.import_scores(lab, file, "clinic", run="v", as_home=True)
    foreign.import_scores(lab, file, "clinic", run="v", replace=True)
    assert not lab.run("import-v").thresholds.exists()
    assert specs.read(lab.run("import-v").spec).home == ""


def change(column, row, value):
    def edit(rows):
        rows[column] = rows[column].astype(object)
        rows.loc[row, column] = value
        return rows

    return edit


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (change("prob_Effusion", 6, 1.5), r"column prob_Effusion, row 7 says 1.5; expected probabilities from 0 to 1"),
        (change("prob_Effusion", 2, "high"), "row 3 says 'high'; expected a number"),
        (change("true_Effusion", 0, -1), "row 1 says -1; expected 0, 1"),
        (change("Image Index", 1, "00000_000.png"), r"Image Index '00000_000.png' more than once"),
        (lambda r: r.rename(columns={"prob_Hernia": "prob_Covid"}), "'Covid' is no label known here; known labels: No Finding"),
        (lambda r: r.drop(columns=["true_Effusion", "true_Hernia"]), "no label of v.csv has both.*It has the columns: Image Index"),
        (lambda r: r.iloc[:0], "has no rows"),
        (lambda r: r.assign(split="holdout"), "says 'holdout'; expected train, val or test"),
        (lambda r: r.assign(split=["val", "test"] * 200), "is in 2 splits"),
        (lambda r: r.assign(logit_Hernia=0.5), "a probability and a logit of Hernia"),
        (lambda r: r.assign(Effusion_prob=0.5), "says prob:Pleural Effusion twice"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_one_sentence_and_leaves_no_run(lab, tmp_path, edit, sentence):
    rows = edit(scores())
    path = tmp_path / "v.csv"
    rows.to_csv(path, index=False)
    with pytest.raises(BadInput, match=sentence):
        foreign.import_scores(lab, path, "clinic", as_home=True)
    assert lab.run_ids() == [] and not list(lab.root.rglob("*.parquet"))


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01", b"a\x00b"])
def test_a_file_that_is_no_table_is_said_to_be_none(lab, tmp_path, content):
    for name in ("x.csv", "x.csv.gz", "x.parquet"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(BadInput):
            foreign.import_scores(lab, path, "clinic")
    with pytest.raises(MissingInput, match="no file at"):
        foreign.import_scores(lab, tmp_path / "nowhere.csv", "clinic")


def test_probabilities_of_exactly_0_and_1_keep_their_order_beside_tiny_ones(tmp_path):
    rows = scores(6)
    rows["prob_Effusion"] = [0, 1e-11, 1e-9, 0.5, 1 - 1e-9, 1]
    made = table.build(rows, columns.guess(list(rows), {}, "f"), (), "s", home=False, where="f").table
    z = made["logit:Pleural Effusion"].to_numpy()
    assert np.isfinite(z).all() and (np.diff(z) > 0).all()


def test_images_without_patients_are_patients_and_the_note_says_what_that_does():
    rows = scores().drop(columns=["Patient ID", "Image Index"])
    made = table.build(rows, columns.guess(list(rows), {}, "f"), (), "s", home=False, where="f")
    assert made.table["patient_id"].nunique() == 400
    assert any("too narrow" in note for note in made.notes)


def test_a_second_reader_is_kept_and_can_be_asked(lab, file):
    words = "reader:Effusion=reader:Opacity / sure vs Clear"
    run = foreign.import_scores(lab, file, "clinic", truths=[words]).run_id
    got = read(lab, run, "clinic")
    assert got.readers == {"reader": ("Pleural Effusion",)}
    other = got.table["y@reader:Pleural Effusion"]
    assert other.isna().sum() == (scores()["reader"] == "").sum()
    assert (other[scores()["reader"] == "Clear"] == 0).all()
    with pytest.raises(BadInput, match=r"no cell of reader in .* says 'Opacty'"):
        foreign.import_scores(lab, file, "far", truths=["reader:Effusion=reader:Opacty vs *"])
    with pytest.raises(BadInput, match="not of the form"):
        foreign.OtherTruth.parse("reader says so")


def test_pictures_of_the_labs_own_store_are_found_by_name(lab, file):
    planted.write_site(lab, "clinic", n=5)
    rows = scores(6)
    rows["Image Index"] = [f"clinic-{i}.png" for i in range(6)]
    rows.to_csv(file, index=False)
    done = foreign.import_scores(lab, file, "clinic")
    got = read(lab, done.run_id, "clinic")
    assert got.table["row"].tolist() == [0, 1, 2, 3, 4, -1] and done.n_pictures == 5
    assert got.synthetic and got.store_digest


def test_an_import_can_neither_be_carried_out_nor_scored_with(lab, file, tmp_path):
    run = foreign.import_scores(lab, file, "clinic").run_id
    with pytest.raises(BadSpec, match="import-scores"):
        jobs.submit(lab, specs.read(lab.run(run).spec))
    planted.write_site(lab, "clinic", n=5)
    with pytest.raises(BadSpec, match="only a trained model can score"):
        jobs.submit(lab, specs.ScoreSpec(run=run, sites=("clinic",)))


def test_the_command_line_says_what_was_taken_for_what(lab, file, capsys):
    assert main(["import-scores", str(file), "--site", "clinic", "--run", "v", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["run_id"] == "import-v" and told["columns"]["prob_Effusion"] == "prob:Pleural Effusion"
    assert main(["import-scores", str(file), "--site", "clinic", "--map", "nonsense"]) == 2
    assert "not of the form COLUMN=MEANING" in capsys.readouterr().err
    assert (
        main(["import-scores", str(file), "--site", "near", "--dry-run", "--map", "reader=group:second"]) == 0
    )
    said = capsys.readouterr().out
    assert "nothing was written" in said and "second" in said
    assert lab.run_ids() == ["import-v"]


def test_a_published_models_scores_come_in_whole(lab, realdata):
    path = realdata / "predictions" / "nih_densenet121.csv.gz"
    if not path.exists():
        pytest.skip("no published scores among the real data")
    done = foreign.import_scores(
        lab, path, "nih", truths=["rsna:Pneumonia=rsna_class:Lung Opacity vs Normal"]
    )
    assert (done.n_images, done.n_patients, len(done.labels)) == (11_695, 3_347, 14)
    got = read(lab, done.run_id, "nih")
    assert int(got.table["y@rsna:Pneumonia"].sum()) == 514
    assert report.performance(got).set_index("label").auroc["macro"] > 0.8


def test_no_error_of_an_import_is_a_traceback(lab, tmp_path):
    """Every byte of a small file cut away or changed gives a sentence or a run."""
    path, rng = tmp_path / "f.csv", np.random.default_rng(0)
    whole = scores(8).to_csv(index=False).encode()
    for i in range(60):
        data = bytearray(whole[: rng.integers(1, len(whole))])
        data[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(bytes(data))
        try:
            foreign.preview(path, "s", as_home=bool(i % 2))
        except CxrlabError as error:
            assert str(error)
