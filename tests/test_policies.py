"""What evidence becomes: a truth that uncertain evidence never enters, and a target by each label's policy."""

import numpy as np
import pytest

from cxrlab import policies
from cxrlab.labels import Evidence
from cxrlab.spec import ViewSpec

LABELS = ("No Finding", "Pneumonia", "Edema")
CODES = np.array([1, 0, -1, -2, -3], np.int8)  # positive, negative, uncertain, not mentioned, not annotated
NAN = np.nan


def view(**fields):
    return ViewSpec(source=("home",), labels=LABELS, **fields)


def targets(evidence, labels, wanted, seed=0, ids=None, taught=None):
    """Return what `evidence`, (N, L) or (N,) of one label, is trained on."""
    evidence = np.array(evidence, np.int8)
    evidence = evidence[:, None] if evidence.ndim == 1 else evidence
    ids = [f"i{k}" for k in range(len(evidence))] if ids is None else ids
    hard = policies.truth(evidence, labels, wanted.blank, wanted.blank_of)
    uncertain = evidence == Evidence.UNCERTAIN
    return policies.target(hard, uncertain, labels, wanted, seed=seed, image_id=ids, taught=taught)


@pytest.mark.parametrize(
    ("uncertain", "blank", "wanted"),
    [
        ("ignore", "negative", [1, 0, NAN, 0, NAN]),
        ("zeros", "negative", [1, 0, 0, 0, NAN]),
        ("ones", "negative", [1, 0, 1, 0, NAN]),
        ("multiclass", "negative", [1, 0, 2, 0, NAN]),
        ("self-trained", "negative", [1, 0, 0.25, 0, NAN]),
        ("ignore", "ignore", [1, 0, NAN, NAN, NAN]),
        ("ones", "ignore", [1, 0, 1, NAN, NAN]),
    ],
)
def test_evidence_becomes_a_target_by_policy_and_not_annotated_never_does(uncertain, blank, wanted):
    taught = {"Edema": np.full(len(CODES), 0.25)}
    got = targets(CODES, ("Edema",), view(uncertain=uncertain, blank=blank), taught=taught)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[:, 0], np.array(wanted, np.float32))


@pytest.mark.parametrize("blank", ["negative", "ignore"])
def test_the_truth_never_holds_an_uncertain_row(blank):
    got = policies.truth(CODES[:, None], ("Edema",), blank)
    wanted = [1, 0, NAN, 0 if blank == "negative" else NAN, NAN]
    np.testing.assert_array_equal(got[:, 0], np.array(wanted, np.float32))


@pytest.mark.parametrize(("policy", "low", "high"), [("zeros-lsr", 0, 0.3), ("ones-lsr", 0.55, 0.85)])
def test_smoothed_targets_fill_their_interval_evenly_and_leave_certain_ones_hard(policy, low, high):
    got = targets([-1] * 3000 + [1, 0], ("Edema",), view(uncertain=policy))[:, 0]
    drawn = got[:3000]
    assert drawn.min() >= np.float32(low) and drawn.max() <= np.float32(high)
    tenths = np.histogram(drawn, 10, (low, high))[0]
    assert tenths.min() > 230 and tenths.max() < 370  # 300 each, five standard deviations
    assert got[3000:].tolist() == [1, 0]


def test_a_smoothed_draw_hangs_on_seed_image_and_label_alone():
    wanted, ids = view(uncertain="ones-lsr"), np.array([f"image-{k}" for k in range(50)])
    evidence = np.full((50, 2), -1)
    labels = ("Pneumonia", "Edema")
    whole = targets(evidence, labels, wanted, ids=ids)
    order = np.random.default_rng(3).permutation(50)
    assert (targets(evidence, labels, wanted, ids=ids[order]) == whole[order]).all()
    assert (targets(evidence[:7], labels, wanted, ids=ids[20:27]) == whole[20:27]).all()
    assert (targets(evidence, labels[::-1], wanted, ids=ids) == whole[:, ::-1]).all()
    assert len(np.unique(whole)) == 100  # images and labels differ
    assert not (targets(evidence, labels, wanted, seed=1, ids=ids) == whole).any()


def test_a_smoothed_draw_is_the_same_for_ever():
    """Written down, so that another version of Python or of this code cannot move it unseen."""
    got = targets([-1], ("Edema",), view(uncertain="zeros-lsr"), ids=["a"])[0, 0]
    assert got == pytest.approx(0.28204914, abs=1e-6)


def test_each_label_may_have_policies_of_its_own():
    wanted = view(
        uncertain="zeros",
        uncertain_of={"Edema": "ones", "Pneumonia": "ignore"},
        blank="ignore",
        blank_of={"Edema": "negative"},
    )
    got = targets([[-1, -1, -1], [-2, -2, -2]], LABELS, wanted)
    np.testing.assert_array_equal(got, np.array([[0, NAN, 1], [NAN, NAN, 0]], np.float32))
    assert policies.labels_under(wanted, LABELS, "zeros") == ("No Finding",)


def test_abnormal_is_decided_from_hard_evidence_only():
    p, n, u, b, a = 1, 0, -1, -2, -3
    evidence = np.array(
        [
            [p, n, n],  # said to be well
            [n, n, n],  # said not to be well
            [a, p, n],  # a finding
            [a, n, n],  # no finding that was looked for, and nobody says well
            [a, u, n],  # perhaps
            [b, u, b],  # a blank beside a doubt is no proof
            [b, b, b],  # not said to be well
            [u, p, n],  # a finding decides
            [u, n, n],
            [n, u, n],  # said not to be well, whatever is in doubt
            [p, u, n],
        ],
        np.int8,
    )
    got = policies.abnormal(evidence, LABELS)
    assert got.tolist() == [n, p, p, a, u, u, p, p, u, p, n]
    assert policies.abnormal(evidence[6:7], LABELS, "ignore").tolist() == [a]
    assert policies.abnormal(evidence[6:7], LABELS, "negative", {"No Finding": "ignore"}).tolist() == [a]
    without = policies.abnormal(evidence[:4, 1:], LABELS[1:])
    assert without.tolist() == [a, a, p, a]
