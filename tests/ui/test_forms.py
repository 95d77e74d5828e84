"""Forms come from the spec: bounds, titles, units and defaults are its own."""

import pytest
from streamlit.testing.v1 import AppTest

from cxrlab import spec
from cxrlab.ui import forms


def script(start):
    import streamlit as st

    from cxrlab import spec
    from cxrlab.ui import forms

    st.session_state["said"] = forms.draw(spec.TrainingSpec, start, "f")


def opened(**start):
    app = AppTest.from_function(script, args=(start,), default_timeout=60).run()
    assert not app.exception
    return app


def test_an_untouched_form_says_the_specs_defaults():
    assert opened().session_state["said"] == spec.TrainingSpec().model_dump()


def test_starting_values_are_kept_and_changes_are_said():
    app = opened(epochs=7, augment="none")
    app.number_input(key="f.batch").set_value(8).run()
    said = app.session_state["said"]
    assert (said["epochs"], said["augment"], said["batch"]) == (7, "none", 8)


def test_a_field_carries_its_title_unit_help_and_bounds():
    batch = opened().number_input(key="f.batch")
    assert batch.label == "Batch, images"
    assert batch.help == spec.TrainingSpec.model_fields["batch"].description
    assert (batch.min, batch.max) == (2, 1024)


def test_advanced_fields_are_folded_away():
    app = opened()
    folded = {one.key for one in app.expander[0].number_input}
    assert "f.patience" in folded and "f.epochs" not in folded


@pytest.mark.parametrize("model", [spec.ViewSpec, spec.ModelSpec, spec.TrainingSpec, spec.TrainSpec])
def test_every_field_has_a_title(model):
    for name, info in model.model_fields.items():
        if name not in ("kind", "view", "model", "training"):
            assert info.title, name


def test_an_excluded_bound_cannot_be_said():
    least, most, is_open = forms.bounds_of(spec.TrainingSpec.model_fields["learning_rate"])
    assert (least, most, is_open) == (0, 1, True)
    assert opened().number_input(key="f.learning_rate").min > 0


def view_script(start):
    import streamlit as st

    from cxrlab import spec
    from cxrlab.ui import forms

    look = forms.Look(
        {"labels": ["Edema", "Hernia"], "uncertain_of": ["Edema", "Hernia"], "source": ["home"]},
        words={"uncertain_of": {"ones": "positive"}},
    )
    st.session_state["said"] = forms.draw(spec.ViewSpec, start, "f", look)


def view_opened(**start):
    start = {"source": ["home"], "labels": ["Edema"], **start}
    app = AppTest.from_function(view_script, args=(start,), default_timeout=60).run()
    assert not app.exception
    return app


def test_a_group_within_a_group_is_drawn_under_its_title_and_says_its_own_fields():
    app = view_opened(preprocess={"crop": "centre"})
    assert "**Images**" in [one.value for one in app.markdown]
    whole = spec.PreprocessSpec(crop="centre").model_dump()
    assert app.session_state["said"]["preprocess"] == whole
    next(one for one in app.button_group if one.key == "f.preprocess.shape").set_value("letterbox").run()
    assert app.session_state["said"]["preprocess"] == {**whole, "shape": "letterbox"}
    assert spec.ViewSpec(**app.session_state["said"]).preprocess.shape == "letterbox"


def test_a_table_by_label_starts_empty_takes_rows_and_keeps_what_it_began_with():
    app = view_opened()
    assert app.session_state["said"]["uncertain_of"] == {}
    app.multiselect(key="f.uncertain_of").set_value(["Edema"]).run()
    app.selectbox(key="f.uncertain_of.Edema").set_value("ones").run()
    assert app.session_state["said"]["uncertain_of"] == {"Edema": "ones"}
    kept = view_opened(blank_of={"Hernia": "ignore"})
    assert kept.session_state["said"]["blank_of"] == {"Hernia": "ignore"}
