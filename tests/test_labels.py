"""One vocabulary, and nothing outside it."""

import pytest

from cxrlab import labels
from cxrlab.errors import BadInput


def test_every_label_space_is_part_of_the_vocabulary():
    for space in labels.SPACES.values():
        labels.check_labels(space, "a space")
        assert len(set(space)) == len(space)


def test_the_vocabulary_has_no_name_twice():
    assert len({name.lower() for name in labels.VOCABULARY}) == len(labels.VOCABULARY)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Effusion", "Pleural Effusion"),
        ("Pleural", "Pleural Effusion"),
        ("pneumonia", "Pneumonia"),
        ("Emphysem", "Emphysema"),
    ],
)
def test_a_near_miss_is_told_what_was_meant(said, meant):
    with pytest.raises(BadInput, match=rf"map\.csv names the label '{said}'; did you mean '{meant}'\?"):
        labels.check_labels((said,), "map.csv")


def test_a_far_miss_lists_the_vocabulary_without_a_guess():
    with pytest.raises(BadInput, match="'Gout'; Known labels: No Finding") as raised:
        labels.check_labels(("Pneumonia", "Gout"), "map.csv")
    assert "did you mean" not in str(raised.value)


def test_not_annotated_and_not_mentioned_are_two_things():
    assert labels.Evidence.NOT_ANNOTATED != labels.Evidence.NOT_MENTIONED
    assert sorted(labels.Evidence) == [-3, -2, -1, 0, 1]
