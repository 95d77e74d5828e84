"""What a comparison of runs says, and where it stays silent."""

import pandas as pd

from cxrlab import spec
from cxrlab.ui import standings


def trained(name, seed, home="a"):
    return spec.build(
        {"kind": "train", "view": {"source": (home,)}, "model": {"name": name}, "seed": seed}
    )  # fmt: skip


def test_short_names_hold_only_what_tells_runs_apart():
    made = {"r1": trained("densenet121", 0), "r2": trained("resnet50", 0)}
    assert standings.short_names(made) == {"r1": "densenet121", "r2": "resnet50"}
    seeds = standings.short_names({"r1": trained("densenet121", 0), "r2": trained("densenet121", 1)})
    assert list(seeds.values()) == ["densenet121, seed 0", "densenet121, seed 1"]
    same = standings.short_names(
        {"run-aaaa": trained("densenet121", 0), "run-bbbb": trained("densenet121", 0)}
    )
    assert len(set(same.values())) == 2


def ranked(first):
    return pd.DataFrame(
        {"what": "internal", "site": "", "name": ["x", "y"], "rank": [1, 2], "first": [first, 1 - first]}
    )


def test_a_winner_is_named_only_when_nearly_all_draws_agree():
    names = {"x": "X", "y": "Y"}
    assert "**X** is first in 99 % of draws" in standings.ranking(ranked(0.99), names, "Edema")
    assert "cannot be told who is first" in standings.ranking(ranked(0.7), names, "Edema")


def test_one_seed_is_no_spread():
    table = pd.DataFrame(
        {"site": ["a"], "seeds": [1], "mean": [0.8], "sd": [float("nan")], "low": [0.7], "high": [0.9]}
    )
    assert "one seed" in standings.seeds(table)
