import pandas as pd

from cxrlab.ui import sayings

NAN = float("nan")


def gaps():
    rows = [
        ("far", "macro", 0.2, "worse"),
        ("far", "Edema", 0.3, "cannot say"),
        ("far", "Pneumonia", 0.1, "worse"),
        ("near", "Pneumonia", 0.2, "worse"),
        ("near", "Edema", 0.0, "no gap"),
    ]
    return pd.DataFrame(rows, columns=["site", "label", "gap", "verdict"])


def test_the_worst_label_is_the_largest_loss_with_a_verdict_not_the_largest_number():
    assert sayings.worst_label(gaps()) == "Pneumonia"
    assert sayings.worst_site(gaps(), "Pneumonia") == "near"


def test_without_a_loss_the_first_is_taken_and_without_sites_none():
    calm = gaps().assign(verdict="no gap")
    assert sayings.worst_label(calm) == "Edema"
    assert sayings.worst_site(calm, "Edema") == "far"
    assert sayings.worst_label(gaps().iloc[:0]) == ""
    assert sayings.worst_site(gaps().iloc[:0], "Edema") == ""


def test_thresholds_by_another_rule_are_named():
    rows = pd.DataFrame(
        {
            "label": ["Edema", "Pneumonia", "Fracture"],
            "threshold": [0.2, 0.3, NAN],
            "rule": ["prevalence", "by hand", "max-f1"],
            "why_rule": ["12 positive images are too few", "", ""],
            "why_nan": ["", "", "no positive images"],
        }
    )
    line = sayings.cuts(rows, "nih val", "max-f1")
    assert "2 of 3 findings have a threshold" in line
    assert "Fracture: undefined (no positive images)" in line
    assert "Too few positives for that rule, so cut by prevalence: Edema." in line
    assert "Cut by hand: Pneumonia." in line


def test_worth_is_said_with_its_range_or_denied():
    assert "between .05 and .40" in sayings.worth(0.05, 0.4, "far", "Edema", recalibrated=True)
    assert "nowhere at *far*" in sayings.worth(NAN, NAN, "far", "Edema", recalibrated=False)


def test_a_cut_that_cannot_be_tuned_says_why_instead_of_a_number():
    table = pd.DataFrame(
        [{"tuned_at": "a", "applied_at": "a", "threshold": NAN, "f1": NAN, "why_nan": "no positive images"}]
    )
    assert sayings.transfer(table, "a", "Edema").endswith("undefined (no positive images).")


def errors(verdict, why=""):
    return pd.DataFrame(
        [
            {"site": "a", "verdict": "home", "auroc_vs_home": NAN},
            {
                "site": "b", "verdict": verdict, "auroc_vs_home": NAN if why else 0.8, "low": 0.7, "high": 0.9,
                "null_auroc": 0.05, "n": 90, "why_nan": why,
            },
        ]
    )  # fmt: skip


def test_a_shift_is_claimed_only_with_its_verdict():
    assert "larger than chance" in sayings.shift(errors("shifted"), "a")
    assert "looks like home" in sayings.shift(errors("like home"), "a")
    assert "cannot say" in sayings.shift(errors("cannot say"), "a")
    assert (
        sayings.shift(errors("cannot say", "no errors"), "a")
        == "Nothing can be said of *b* (n = 90): no errors."
    )
