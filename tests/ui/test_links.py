import pytest
from streamlit.testing.v1 import AppTest


def page():
    import streamlit as st

    from cxrlab.ui import links

    st.selectbox("Finding", ["Edema", "Pneumonia"], key="label", bind="query-params")
    links.draw(("See", [("<them>", links.address("heatmaps", label="Edema", site="nih"))]))


@pytest.mark.parametrize("label", ["Edema", "Pneumonia"])
def test_a_link_carries_its_own_choices_and_the_study_bars_but_not_this_pages(label):
    app = AppTest.from_function(page)
    app.query_params["home"] = "guangzhou"
    app.query_params["externals"] = ["nih", "covid"]
    app.query_params["label"] = label
    app.run()
    assert not app.exception
    body = app.get("html")[0].proto.body
    assert (
        'href="heatmaps?home=guangzhou&amp;externals=nih&amp;externals=covid&amp;label=Edema&amp;site=nih"'
        in body
    )
    assert "&lt;them&gt;" in body


def failures():
    from cxrlab.ui import links

    links.failures(["nih", "covid"], "Lung Lesion")
    links.failures([], "Edema")


def test_every_site_with_maps_has_a_link_to_each_kind_of_failure():
    app = AppTest.from_function(failures).run()
    (body,) = [one.proto.body for one in app.get("html")]
    assert 'href="heatmaps?site=nih&amp;label=Lung+Lesion&amp;group=missed"' in body
    assert 'href="heatmaps?site=covid&amp;label=Lung+Lesion&amp;group=false+alarms"' in body
