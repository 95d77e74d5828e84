"""What to look at next: planted facts must be named, silence must stay silence."""

import numpy as np
import pandas as pd

from cxrlab.facts.suggest import suggest


def gaps(*rows):
    columns = ["site", "label", "internal", "external", "gap", "verdict", "n_pos", "n_neg"]
    return pd.DataFrame(rows, columns=columns)


def test_the_largest_loss_comes_first_and_links_to_its_failures():
    table = gaps(
        ("east", "Edema", 0.9, 0.8, 0.1, "worse", 50, 50),
        ("west", "Pneumonia", 0.9, 0.6, 0.3, "worse", 50, 50),
        ("west", "macro", 0.9, 0.5, 0.4, "worse", 50, 50),
    )
    first = suggest(table, None, "home")[0]
    assert "Pneumonia" in first.sentence and "west" in first.sentence
    assert first.page == "heatmaps"
    assert first.query == {"site": "west", "label": "Pneumonia"}


def test_no_gap_names_no_loss():
    table = gaps(("east", "Edema", 0.9, 0.9, 0.0, "no gap", 50, 50))
    assert all("loses" not in one.sentence for one in suggest(table, None, "home"))


def test_what_cannot_be_said_is_counted_with_its_support():
    table = gaps(
        ("east", "Edema", 0.9, np.nan, np.nan, "cannot say", 0, 50),
        ("east", "Pneumonia", 0.9, 0.8, 0.1, "cannot say", 90, 4),
    )
    said = suggest(table, None, "home")[0]
    assert "2 pairs" in said.sentence
    assert "90 positive, 4 negative" in said.sentence


def test_a_far_site_is_named_and_a_near_one_is_not():
    def table(auroc):
        return pd.DataFrame({"site": ["home", "east"], "auroc_vs_home": [0.5, auroc]})

    assert any(one.page == "shift" for one in suggest(None, table(0.95), "home"))
    assert suggest(None, table(0.55), "home") == []


def test_nothing_known_suggests_nothing():
    assert suggest(None, None, "home") == []
