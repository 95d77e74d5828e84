"""Which rows train; and one sentence for every spec that the data cannot carry out."""

import numpy as np
import pytest

from cxrlab import store, views
from cxrlab.errors import BadRun, BadSpec, MissingInput
from cxrlab.labels import Evidence
from cxrlab.learning import cohort
from cxrlab.spec import ViewSpec
from tests import planted


def test_only_training_and_validation_rows_of_home_are_used(lab):
    planted.write_site(lab, "home", n=100)
    planted.write_site(lab, "away", n=40)
    made = cohort.build(planted.train_spec(view={"external": ("away",)}), lab)
    ((site, rows),) = made.rows
    split = views.view(site, planted.LABELS, external=False).split[rows]
    assert site.site == "home"
    assert set(split[made.train]) == {"train"}
    assert set(split[made.val]) == {"val"}
    assert "test" not in split


def test_several_homes_are_one_cohort(lab):
    planted.write_site(lab, "home", n=60)
    planted.write_site(lab, "second", n=50, seed=1)
    made = cohort.build(planted.train_spec(view={"source": ("home", "second")}), lab)
    assert set(made.digests) == {"home", "second"}
    assert len(made.y_true) == sum(len(rows) for _, rows in made.rows)
    assert made.synthetic


def test_a_label_that_home_never_annotates_is_refused(lab):
    planted.write_site(lab, "home", n=80, change=planted.never_annotated("Edema"))
    with pytest.raises(BadSpec, match="home never annotates 'Edema'"):
        cohort.build(planted.train_spec(), lab)


@pytest.mark.parametrize(("value", "word"), [(0, "positive"), (1, "negative")])
def test_a_label_that_home_shows_one_way_only_is_refused_by_name(lab, value, word):
    def change(evidence):
        evidence[:, 2] = value

    planted.write_site(lab, "home", n=80, change=change)
    with pytest.raises(BadSpec, match=f"'Edema' has no {word} images among the training rows of home"):
        cohort.build(planted.train_spec(), lab)


def test_too_few_rows_are_counted(lab):
    planted.write_site(lab, "home", n=12)
    with pytest.raises(BadSpec, match="usable rows for training; expected at least 16"):
        cohort.build(planted.train_spec(), lab)


def test_too_few_normals_say_so(lab):
    def change(evidence):
        evidence[:, 0], evidence[:, 1] = 0, 1
        evidence[:5, 0], evidence[:5, 1:] = 1, 0

    planted.write_site(lab, "home", n=80, change=change)
    wanted = planted.train_spec(task="autoencoder", model={"name": "autoencoder"}, view={"only_normal": True})
    with pytest.raises(BadSpec, match=r"normal rows for training.*switch 'Normals only' off"):
        cohort.build(wanted, lab)


def test_normals_only_trains_on_rows_without_any_finding(lab):
    planted.write_site(lab, "home", n=300)
    wanted = planted.train_spec(task="autoencoder", model={"name": "autoencoder"}, view={"only_normal": True})
    made = cohort.build(wanted, lab)
    ((site, rows),) = made.rows
    assert (site.evidence[rows, 0] == Evidence.POSITIVE).all()
    assert made.y_true.shape == (len(rows), 0)


def test_a_validation_set_that_shows_nothing_both_ways_is_refused(lab):
    def change(evidence):
        val = [views.split_of(f"p{i}", "home") == "val" for i in range(len(evidence))]
        evidence[np.array(val)] = 0

    planted.write_site(lab, "home", n=80, change=change)
    with pytest.raises(BadSpec, match="no epoch can be preferred"):
        cohort.build(planted.train_spec(), lab)


def test_normal_and_abnormal_are_decided_by_every_named_finding(lab):
    planted.write_site(lab, "home", n=60, change=planted.never_annotated("No Finding"))
    seen = store.read(lab.store("home"))
    view = ViewSpec(source=("home",), labels=("Pneumonia",))
    y = cohort.truth(seen, "normal", view, external=True).y_true[:, 0]
    sick = (seen.evidence[:, 1:] == Evidence.POSITIVE).any(axis=1)
    assert (y[sick] == 1).all()
    assert np.isnan(y[~sick]).all()  # nobody said that they are well


def test_a_store_that_changed_since_submission_is_refused(lab):
    planted.write_site(lab, "home", n=60)
    with pytest.raises(BadRun, match="the store of home has changed since this run was submitted"):
        cohort.build(planted.train_spec(data={"home": "0" * 64}), lab)


def test_a_missing_store_says_how_to_make_it(lab):
    with pytest.raises(MissingInput, match="cxrlab ingest"):
        cohort.build(planted.train_spec(), lab)
