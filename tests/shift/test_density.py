import numpy as np

from cxrlab.shift import density


def test_groups_share_their_bins_and_peak_at_one():
    rng = np.random.default_rng(0)
    table = density.binned({"a": rng.normal(0, 1, 500), "b": rng.normal(3, 1, 100)})
    a, b = (table[table["group"] == g] for g in "ab")
    assert (a["middle"].to_numpy() == b["middle"].to_numpy()).all()
    assert a["height"].max() == b["height"].max() == 1
    peak = {g: part.loc[part["height"].idxmax(), "middle"] for g, part in table.groupby("group")}
    assert peak["b"] - peak["a"] > 2


def test_an_outlier_is_counted_not_drawn():
    table = density.binned({"a": np.append(np.linspace(0, 1, 999), 1e6)})
    assert table["middle"].max() < 2
    assert table["beyond"].iloc[0] >= 1
    assert table["n"].iloc[0] == 1000


def test_an_empty_group_has_no_rows_and_does_not_harm_others():
    table = density.binned({"a": np.array([np.nan]), "b": np.arange(10.0)})
    assert set(table["group"]) == {"b"}
    assert density.binned({"a": np.empty(0)}).empty


def test_constant_values_are_one_spike():
    table = density.binned({"a": np.full(20, 0.3)})
    assert table["height"].max() == 1
