"""The launch form in a real browser: what was typed survives errors and other pages, and nothing is cut on a phone."""

import pytest

from tests import fake_lab
from tests.browser.test_presenter import (  # noqa: F401  fixtures
    address,
    choose,
    heading,
    lab,
    open_page,
    page,
    pytestmark,
    settle,
    type_number,
)

# Labels and choices whose text is wider than their box, or that reach beyond the right edge.
CUT = """() => {
    const right = one => one.getBoundingClientRect().right;
    const labels = [...document.querySelectorAll('[data-testid=stMain] [data-testid=stWidgetLabel] p')]
        .filter(p => p.scrollWidth > p.clientWidth + 1 || right(p) > innerWidth);
    const choices = [...document.querySelectorAll('[data-testid=stMain] [data-testid=stButtonGroup] button')]
        .filter(one => right(one) > right(one.closest('[data-testid=stButtonGroup]')) + 1);
    return [...labels, ...choices].map(one => one.innerText);
}"""
WIDE = "() => { const m = document.querySelector('[data-testid=stMain]'); return m.scrollWidth - m.clientWidth; }"


def value_of(page, label):  # noqa: F811
    return page.get_by_role("spinbutton", name=label, exact=True).input_value()


@pytest.mark.parametrize("page", ["/launch?what=One+network"], indirect=True)
def test_what_was_typed_survives_an_error_and_another_page(page, lab):  # noqa: F811
    heading(page).get_by_text("Launch", exact=True).wait_for()
    settle(page)
    choose(page, "Network", "ResNet-18")
    type_number(page, "Epochs", 3)
    weights = page.get_by_role("textbox", name="First weights", exact=True)
    weights.fill("/nowhere/w.safetensors")
    weights.press("Enter")
    settle(page)
    main = page.get_by_test_id("stMain")
    main.get_by_text("no weights at").wait_for()
    assert page.get_by_test_id("stBaseButton-primary").is_disabled()
    open_page(page, "Sites")
    open_page(page, "Launch")
    assert value_of(page, "Epochs") == "3"
    weights.fill("none")
    weights.press("Enter")
    settle(page)
    assert page.get_by_test_id("stBaseButton-primary").is_enabled()
    assert value_of(page, "Epochs") == "3"
    main.get_by_text("training.epochs").wait_for()
    main.get_by_text("model.name").wait_for()


@pytest.mark.parametrize("page", ["/launch?what=One+network"], indirect=True)
def test_a_phone_shows_the_forms_and_the_runs_uncut(page, lab):  # noqa: F811
    page.set_viewport_size({"width": 390, "height": 844})
    run_id = next(name for name in lab.run_ids() if name.startswith("labels-"))
    root = page.url.partition("/launch")[0]
    for address_of in (
        "/launch?what=One+network",
        "/launch?what=A+sweep",
        "/launch?what=A+question",
        f"/runs?run={run_id}",
    ):
        page.goto(root + address_of)
        heading(page).get_by_text("Runs" if "/runs" in address_of else "Launch", exact=True).wait_for()
        settle(page)
        assert page.evaluate(CUT) == [], address_of
        assert page.evaluate(WIDE) <= 1, address_of
    assert fake_lab.HOME in page.get_by_test_id("stMain").inner_text()
