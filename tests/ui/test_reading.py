import numpy as np
import pandas as pd

from cxrlab.predictions import FACTS, Predictions
from cxrlab.ui import reading


def rows():
    return pd.DataFrame(
        {
            "image_id": ["a", "b", "c", "d"],
            "row": [0, 1, 2, 3],
            "label": ["Edema", "Edema", "Edema", "Pneumonia"],
            "group": ["FN", "FN", "FP", "FN"],
            "score": [0.4, 0.1, 0.9, 0.2],
            "threshold": [0.5] * 4,
            "y": [1, 1, 0, 1],
        }
    )


def test_the_surest_failure_is_the_one_farthest_from_its_threshold():
    table = reading.failures(rows(), np.ones(4), "Edema", "missed", "surest first")
    assert table["image_id"].tolist() == ["b", "a"]
    assert table["k"].tolist() == [1, 0]


def test_the_strongest_map_comes_first_and_an_empty_one_last():
    table = reading.failures(rows(), np.array([np.nan, 2.0, 1, 1]), "Edema", "missed", "strongest map first")
    assert table["image_id"].tolist() == ["b", "a"]


def test_a_label_without_failures_gives_no_rows():
    assert reading.failures(rows(), np.ones(4), "Pneumonia", "false alarms", reading.ORDERS[0]).empty


def test_all_labels_of_an_image_are_said_with_their_thresholds():
    facts = dict.fromkeys(FACTS, "x")
    table = pd.DataFrame(
        [
            {
                **facts,
                "image_id": "a",
                "y:Edema": 1.0,
                "logit:Edema": 0.0,
                "y:Pneumonia": np.nan,
                "logit:Pneumonia": -2.0,
            }
        ]
    )
    scores = Predictions(table, "run", "nih", "", "", "0", False)
    said = reading.said(scores, "a", {"Edema": 0.3})
    assert said["score"].iloc[0] == 0.5
    assert said["threshold"].isna().tolist() == [False, True]
    assert said["y"].isna().tolist() == [False, True]
    assert reading.said(scores, "unknown", {}).empty


def test_previous_and_next_close_into_a_ring():
    assert reading.neighbours(["a", "b"], "b") == ("a", "a", 1)
    assert reading.neighbours(["a", "b"], "gone") == ("b", "b", 0)


def test_the_first_line_counts_misses_and_says_that_empty_maps_are_empty():
    table = reading.failures(rows(), np.array([np.nan, 2.0, 1, 1]), "Edema", "missed", reading.ORDERS[0])
    line = reading.first_line(table, "nih", "Edema", "missed")
    assert "2 images with Edema that the model passed over" in line
    assert "1 of the 2 maps is zero everywhere" in line
    none = reading.first_line(table.iloc[:0], "nih", "Edema", "missed")
    assert none.startswith("No map")
