import numpy as np
import pandas as pd

from cxrlab import report
from tests.planted_predictions import predictions


def row(site, verdict, **more):
    base = {
        "site": site, "label": "Pneumonia", "internal": 0.99, "internal_low": 0.98, "internal_high": 1.0,
        "external": 0.63, "external_low": 0.52, "external_high": 0.74, "gap": 0.36, "verdict": verdict, "n": 131,
        "why": "", "margin": 0.05,
    }  # fmt: skip
    return base | more


def test_the_first_line_is_that_of_the_screens():
    text = report.headline(pd.DataFrame([row("nih", "worse")]), "guangzhou")
    assert text == (
        "Trained at guangzhou, Pneumonia falls from .99 [.98, 1.0] to .63 [.52, .74] at nih (n = 131); "
        "the difference is larger than chance."
    )


def test_nothing_is_claimed_beyond_the_verdict():
    why = "4 negative patients at the external site; at least 10 of each are needed"
    text = report.headline(pd.DataFrame([row("covid", "cannot say", why=why)]), "guangzhou")
    assert "falls" not in text
    assert why in text
    text = report.headline(pd.DataFrame([row("nih", "no gap", external=0.985)]), "guangzhou")
    assert "no gap beyond ±.05" in text


def test_the_worst_supported_site_is_named_first_and_the_rest_counted():
    table = pd.DataFrame([row("a", "cannot say"), row("b", "worse", gap=0.1), row("c", "worse", gap=0.3)])
    text = report.headline(table, "home")
    assert text.index("at c") < text.index("at b")
    assert text.endswith("1 more site below.")


def test_a_study_without_external_sites_says_so():
    assert "no external site" in report.headline(report.gaps(predictions(home=True), []), "home")


def test_numbers_are_written_as_medical_tables_do():
    assert report.number(0.996) == ".996"
    assert report.number(1.0) == "1.0"
    assert report.number(1.25) == "1.25"
    assert report.number(-0.004) == ".00"
    assert report.estimate(0.5, np.nan, np.nan) == ".50"


def test_a_label_that_was_not_compared_says_so():
    text = report.headline(pd.DataFrame([row("nih", "worse")]), "guangzhou", "Hernia")
    assert text == "Trained at guangzhou; Hernia is not among the labels compared."
