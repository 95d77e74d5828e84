"""A teacher's probabilities stand in for uncertain evidence, and every misfit is one sentence."""

import shutil

import numpy as np
import pytest
import torch

from cxrlab import checkpoint, files, predictions, score, spec, store, train
from cxrlab.errors import BadRun, BadSpec, MissingInput
from cxrlab.jobs import request
from cxrlab.labels import Evidence
from cxrlab.learning import cohort, teacher
from cxrlab.paths import Lab
from cxrlab.progress import Progress
from tests import planted

LABELS = ("Pneumonia", "Edema")


def doubtful(evidence):
    """Every fifth row is in doubt about Pneumonia."""
    evidence[::5, 1] = int(Evidence.UNCERTAIN)


def wanted(**fields):
    view = {"labels": LABELS, **fields.pop("view", {})}
    return planted.train_spec(view=view, **fields)


def carried_out(lab, asked, sites=("home",)):
    """Train and score as a job does; return the run."""
    run = lab.run(asked.run_id)
    files.write_text(run.spec, spec.dumps(asked) + "\n")
    train.fit(asked, lab, run, Progress(), "cpu")
    for site in sites:
        score.score_site(lab, run, site, Progress(), "cpu")
    return run


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A lab with a home in doubt and a finished teacher."""
    lab = Lab(tmp_path_factory.mktemp("taught"))
    planted.write_site(lab, "home", n=120, change=doubtful)
    planted.write_site(lab, "other", n=60, seed=5)
    run = carried_out(lab, request.complete(lab, wanted(training={"epochs": 5})))
    return lab, run.run_id


@pytest.fixture
def lab(taught, tmp_path):
    shutil.copytree(taught[0].root, tmp_path / "lab")
    return Lab(tmp_path / "lab")


@pytest.fixture
def by(taught):
    return taught[1]


def student(by, **fields):
    view = {"uncertain_of": {"Pneumonia": "self-trained"}, **fields.pop("view", {})}
    return wanted(view=view, teacher=by, **fields)


def test_a_student_learns_the_teachers_probabilities_where_home_was_in_doubt(lab, by):
    asked = request.complete(lab, student(by))
    made = cohort.build(asked, lab)
    ((site, rows),) = made.rows
    said = predictions.read(lab.run(by).predictions("home"))
    k = said.labels.index("Pneumonia")
    doubt = site.evidence[rows, 1] == Evidence.UNCERTAIN
    assert doubt.sum() > 10
    np.testing.assert_allclose(made.target[doubt, 0], said.score()[rows[doubt], k], rtol=1e-6)
    assert np.isnan(made.y_true[doubt, 0]).all()  # never chosen by, never scored against
    assert (made.target[~doubt] == made.y_true[~doubt]).all()
    run = carried_out(lab, asked)
    assert checkpoint.read(run.checkpoint).spec.data == asked.data
    assert predictions.read(run.predictions("home")).table["y:Pneumonia"][::5].isna().all()


def test_a_teacher_is_matched_by_image_not_by_row(lab, by):
    path = lab.run(by).predictions("home")
    said, site = predictions.read(path), store.read(lab.store("home"))
    before = teacher.read(lab, student(by), site)
    order = np.random.default_rng(0).permutation(len(said.table))
    moved = predictions.Predictions(
        said.table.iloc[order].reset_index(drop=True),
        *(said.run_id, said.site, said.spec_digest, said.store_digest, said.cxrlab_version, said.synthetic),
    )
    predictions.write(path, moved)
    after = teacher.read(lab, student(by), site)
    assert (after.probability["Pneumonia"] == before.probability["Pneumonia"]).all()
    assert after.digest == before.digest


def test_what_the_teacher_says_is_part_of_the_students_name(lab, by):
    one = request.complete(lab, student(by))
    path = lab.run(by).predictions("home")
    said = predictions.read(path)
    said.table["logit:Pneumonia"] += 0.5
    predictions.write(path, said)
    other = request.complete(lab, student(by))
    assert set(one.data) == {"home", f"teacher:{by}"}
    assert one.run_id != other.run_id
    with pytest.raises(BadRun, match="says other probabilities than when this run was submitted"):
        cohort.build(one, lab)


def test_normal_or_abnormal_can_be_self_trained_too(lab):
    def change(evidence):
        evidence[::5, :2] = int(Evidence.UNCERTAIN)

    planted.write_site(lab, "home", n=120, change=change)
    normal = {"task": "normal", "view": {"labels": planted.LABELS}}
    first = carried_out(lab, request.complete(lab, planted.train_spec(**normal)))
    asked = {**normal, "view": {**normal["view"], "uncertain": "self-trained"}, "teacher": first.run_id}
    made = cohort.build(request.complete(lab, planted.train_spec(**asked)), lab)
    soft = (made.target > 0) & (made.target < 1)
    assert soft.any()
    assert np.isnan(made.y_true[soft]).all()


def test_a_policy_without_teacher_and_a_teacher_without_policy_are_refused(lab, by):
    with pytest.raises(BadSpec, match=r"Pneumonia: 'self-trained' needs a teacher.*masked \('ignore'\)"):
        request.complete(lab, student(""))
    with pytest.raises(BadSpec, match="teaches nothing"):
        request.complete(lab, wanted(teacher=by))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"view": {"source": ("other",)}}, "was trained at home, this run's home is other"),
        ({"view": {"official_split": True}}, "may have seen this run's test rows"),
        (
            {"view": {"labels": planted.LABELS, "uncertain_of": {"No Finding": "self-trained"}}},
            "does not predict No Finding; it predicts: Pneumonia, Edema",
        ),
        (
            {"task": "normal", "view": {"uncertain_of": {}, "uncertain": "self-trained"}},
            "not predict Abnormal",
        ),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(lab, by, change, match):
    with pytest.raises(BadSpec, match=match):
        request.complete(lab, student(by, **change))


def test_a_teacher_that_did_not_mask_the_label_is_refused(lab):
    ones = carried_out(lab, request.complete(lab, wanted(view={"uncertain": "ones"})))
    with pytest.raises(BadSpec, match="was itself trained with Pneumonia uncertain as 'ones'"):
        request.complete(lab, student(ones.run_id))


def test_a_missing_or_unfinished_teacher_is_said(lab, by):
    with pytest.raises(MissingInput, match="no run named 'nobody' to be the teacher"):
        request.complete(lab, student("nobody"))
    asked = request.complete(lab, student(by))
    lab.run(by).predictions("home").unlink()
    for look in (request.complete, lambda lab, asked: cohort.build(asked, lab)):
        with pytest.raises(MissingInput, match="has not finished: it has no scores of home yet"):
            look(lab, asked)


def test_a_teacher_of_another_store_is_refused(lab, by):
    planted.write_site(lab, "home", n=120, seed=9, change=doubtful)
    with pytest.raises(BadRun, match="scored another store of home"):
        request.complete(lab, student(by))


def test_a_teacher_that_is_silent_about_an_image_is_refused(lab, by):
    path = lab.run(by).predictions("home")
    said = predictions.read(path)
    said.table.loc[3, "logit:Pneumonia"] = np.nan
    predictions.write(path, said)
    with pytest.raises(BadRun, match="does not say a probability of every image of home"):
        request.complete(lab, student(by))


def test_without_doubt_every_policy_but_multiclass_is_ignore_bit_for_bit(tmp_path):
    lab = Lab(tmp_path)
    planted.write_site(lab, "home", n=80)
    ignored = carried_out(lab, wanted(training={"epochs": 1}))
    first = checkpoint.read(ignored.checkpoint).tensors
    for policy in ("zeros", "ones", "zeros-lsr", "ones-lsr", "self-trained"):
        by = ignored.run_id if policy == "self-trained" else ""
        asked = wanted(view={"uncertain": policy}, training={"epochs": 1}, teacher=by)
        run = lab.run(asked.run_id)
        train.fit(asked, lab, run, Progress(), "cpu")
        then = checkpoint.read(run.checkpoint).tensors
        assert all(torch.equal(then[name], first[name]) for name in first), policy
