"""A spec that contradicts itself is one sentence, from a form, a file or a command alike."""

import json

import pytest

from cxrlab import spec, studies
from cxrlab.errors import BadSpec
from tests import planted


@pytest.mark.parametrize("field", ["uncertain_of", "blank_of"])
def test_a_policy_for_a_label_that_the_run_does_not_have_is_refused(tmp_path, field):
    asked = {
        "kind": "train",
        "view": {"source": ["home"], "labels": ["Edema"], field: {"Pneumonia": "ignore"}},
    }
    said = f"view.{field} names 'Pneumonia', which is not among this run's labels; expected one of: Edema"
    with pytest.raises(BadSpec, match=said):
        spec.build(asked)
    (tmp_path / "spec.json").write_text(json.dumps(asked))
    with pytest.raises(BadSpec, match=f"spec.json: {said}"):
        spec.read(tmp_path / "spec.json")


def test_an_unknown_policy_is_refused_by_name():
    with pytest.raises(BadSpec, match=r"view.uncertain_of.Edema.*'ones-lsr', 'multiclass' or 'self-trained'"):
        planted.train_spec(view={"uncertain_of": {"Edema": "maybe"}})


def test_normal_or_abnormal_has_no_policies_by_label():
    with pytest.raises(BadSpec, match=r"whose uncertain rows follow view\.uncertain"):
        planted.train_spec(task="normal", view={"uncertain_of": {"Edema": "ones"}})


def test_a_caption_says_what_doubt_became_and_that_it_is_never_scored():
    said = studies.policy_of(planted.train_spec(view={"uncertain": "ones"}))
    assert said == "seed 0; uncertain labels: ones in training, never scored; unmentioned: negative"
    view = {"uncertain_of": {"Edema": "self-trained"}, "blank_of": {"Edema": "ignore"}}
    said = studies.policy_of(planted.train_spec(view=view, teacher="labels-x"))
    assert "ignore (Edema: self-trained) in training by labels-x, never scored" in said
    assert said.endswith("unmentioned: negative, Edema: ignore")
