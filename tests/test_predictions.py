"""A predictions file carries everything that a number needs, and says what it is."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from cxrlab import predictions
from cxrlab.errors import BadInput, MissingInput
from cxrlab.predictions import Predictions


def table_of(n=4, **more):
    return pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(n)],
            "row": np.arange(n),
            "patient_id": [f"p{k}" for k in range(n)],
            "split": "test",
            "age_years": np.float32(50),
            "sex": "F",
            "view": "PA",
            "y:Pneumonia": np.array([0, 1, np.nan, 1][:n], np.float32),
            "logit:Pneumonia": np.array([-2, 2, 0, np.nan][:n], np.float32),
            **more,
        }
    )


def made(table):
    return Predictions(table, "run-1", "here", "spec", "store", "0.1.0", True)


def test_what_was_written_is_read(tmp_path):
    predictions.write(tmp_path / "here.parquet", made(table_of()))
    back = predictions.read(tmp_path / "here.parquet")
    pd.testing.assert_frame_equal(back.table, table_of(), check_dtype=False)
    assert (back.run_id, back.site, back.spec_digest, back.store_digest, back.synthetic) == (
        "run-1", "here", "spec", "store", True,
    )  # fmt: skip


def test_a_masked_truth_and_an_unsaid_score_are_nan_not_zero():
    held = made(table_of())
    assert held.labels == ("Pneumonia",)
    assert np.isnan(held.y_true()[2, 0]) and np.isnan(held.score()[3, 0])
    assert held.score()[1, 0] == pytest.approx(1 / (1 + np.exp(-2)))


def test_a_huge_logit_is_a_probability_and_no_warning():
    held = made(table_of().assign(**{"logit:Pneumonia": [-1e4, 1e4, 0, 1]}))
    assert held.score()[:2, 0].tolist() == [0, 1]


def test_rows_are_kept_by_split():
    held = made(table_of().assign(split=["train", "val", "test", "test"]))
    assert len(held.only("test").table) == 2 and len(held.only("train", "val").table) == 2
    assert held.only("external").table.empty


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (table_of().drop(columns="patient_id"), "lack patient_id"),
        (table_of().drop(columns="y:Pneumonia"), "without y:Pneumonia"),
        (table_of().drop(columns=["y:Pneumonia", "logit:Pneumonia"]), "neither a logit"),
        (table_of().assign(**{"y:Pneumonia": [-1, 0, 1, 1]}), "apply a label policy first"),
        (table_of().assign(split="holdout"), "holdout"),
    ],
)
def test_a_table_that_a_number_could_not_be_computed_from_is_not_written(tmp_path, table, sentence):
    with pytest.raises(BadInput, match=sentence):
        predictions.write(tmp_path / "here.parquet", made(table))
    assert list(tmp_path.iterdir()) == []


def test_an_autoencoder_needs_no_label(tmp_path):
    table = table_of(re=np.ones(4)).drop(columns=["y:Pneumonia", "logit:Pneumonia"])
    predictions.write(tmp_path / "here.parquet", made(table))
    assert predictions.read(tmp_path / "here.parquet").labels == ()


def test_a_file_that_is_missing_foreign_or_cut_off_is_a_sentence(tmp_path):
    path = tmp_path / "here.parquet"
    with pytest.raises(MissingInput, match="python -m cxrlab score"):
        predictions.read(path)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(BadInput, match="not a readable parquet"):
        predictions.read(path)
    table_of().to_parquet(path)
    with pytest.raises(BadInput, match="says None version None"):
        predictions.read(path)
    predictions.write(path, made(table_of()))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BadInput, match="not a readable parquet"):
        predictions.read(path)


def test_another_version_is_refused(tmp_path):
    path = tmp_path / "here.parquet"
    predictions.write(path, made(table_of()))
    arrow = pq.read_table(path)
    meta = {
        **arrow.schema.metadata,
        b"cxrlab": arrow.schema.metadata[b"cxrlab"].replace(b'"version": 1', b'"version": 9'),
    }
    pq.write_table(arrow.replace_schema_metadata(meta), path)
    with pytest.raises(BadInput, match="version 9; expected 'cxrlab-predictions' version 1"):
        predictions.read(path)
