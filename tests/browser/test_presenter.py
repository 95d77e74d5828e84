"""The presenter's path in a real browser, over a real job: nothing is replaced."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from cxrlab import jobs
from tests import fake_lab

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
REQUIRED = os.environ.get("CXRLAB_REQUIRE_BROWSER") == "1"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
PATIENCE = 60_000  # ms; a busy machine must not fail a sentence
JOB_SECONDS = 240

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and not REQUIRED,
        reason="no Chromium on the PATH; CXRLAB_REQUIRE_BROWSER=1 makes this a failure",
    ),
]


@pytest.fixture
def lab(tmp_path):
    """A finished study in a folder of its own; what the path launches is trained for real beside it."""
    made = fake_lab.build(tmp_path / "lab")
    yield made
    for run_id in made.run_ids():
        if jobs.status(made.run(run_id)).is_alive:
            jobs.cancel(made.run(run_id))


@pytest.fixture
def address(lab, tmp_path):
    """A server over that lab, gone when the test is over."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    env = {**os.environ, "CXRLAB_HOME": str(lab.root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with (tmp_path / "server.txt").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 60
        while not answers(port):
            assert server.poll() is None and time.monotonic() < until, (tmp_path / "server.txt").read_text()
            time.sleep(0.1)
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait(20)


def answers(port):
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=5) as said:
            return said.status == 200
    except OSError:
        return False


@pytest.fixture
def page(address, request):
    """A tab on the first page. Any request to another machine fails the test."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        tab = browser.new_page(viewport={"width": 1440, "height": 1000})
        tab.set_default_timeout(PATIENCE)
        asked = []
        tab.on("request", lambda sent: asked.append(sent.url))
        tab.goto(f"{address}{getattr(request, 'param', '/')}")
        yield tab
        outside = [
            url
            for url in asked
            if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))
        ]
        assert not outside
        browser.close()


def heading(page):
    return page.get_by_test_id("stMain").locator("h1")


def open_page(page, title):
    """Click a page in the navigation and wait until it stands."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()
    heading(page).get_by_text(title, exact=True).wait_for()
    settle(page)


def settle(page):
    """Wait until the script has stopped running."""
    quiet, until = 0, time.monotonic() + PATIENCE / 1000
    while quiet < 5 and time.monotonic() < until:
        busy = page.locator(
            "[data-testid=stStatusWidget], [data-testid=stSkeleton], [data-testid=stSpinner]"
        ).count()
        quiet = 0 if busy else quiet + 1
        page.wait_for_timeout(150)
    assert page.get_by_test_id("stException").count() == 0, page.get_by_test_id(
        "stException"
    ).first.inner_text()


def choose(page, label, option):
    page.get_by_role("combobox", name=label).click()
    page.keyboard.type(option)  # of a long list only what is in sight is drawn
    page.get_by_role("option", name=option, exact=True).click()
    settle(page)


def type_number(page, label, value):
    field = page.get_by_role("spinbutton", name=label, exact=True)
    field.fill(str(value))
    field.press("Enter")
    settle(page)


def test_a_presenter_walks_from_home_to_a_failures_heatmap(page, lab):
    main = page.get_by_test_id("stMain")

    # The answer stands on the first page.
    heading(page).get_by_text("Home", exact=True).wait_for()
    main.get_by_text(f"Trained at {fake_lab.HOME}").first.wait_for()

    # A small run is launched from the form.
    before = set(lab.run_ids())
    open_page(page, "Launch")
    page.get_by_role("radio", name="One network").or_(
        page.get_by_role("button", name="One network")
    ).first.click()
    settle(page)
    choose(page, "Network", "Small CNN")
    type_number(page, "Image side, px", 32)
    type_number(page, "Epochs", 1)
    main.get_by_text("training.epochs").wait_for()
    page.get_by_role("button", name="Start", exact=True).click()

    # It is watched until it ends, as a process of its own.
    heading(page).get_by_text("Runs", exact=True).wait_for()
    (run_id,) = set(lab.run_ids()) - before
    detail = page.locator(".st-key-detail")
    detail.get_by_text(run_id, exact=True).first.wait_for()
    detail.get_by_text("done", exact=True).first.wait_for(timeout=JOB_SECONDS * 1000)
    assert jobs.status(lab.run(run_id)).state == "done", jobs.log_tail(lab.run(run_id), 40)

    # Its gap table.
    open_page(page, "Generalization")
    page.locator(".st-key-gap-matrix").wait_for()
    for site in fake_lab.EXTERNALS:
        page.locator(".st-key-gap-matrix").get_by_text(site, exact=True).first.wait_for()
    main.get_by_text(run_id).first.wait_for()

    # A threshold is moved, and what changes side is said.
    open_page(page, "Thresholds")
    slider = main.get_by_role("slider").first
    slider.focus()
    for _ in range(60):
        slider.press("ArrowRight")
    main.get_by_text("turned negative").first.wait_for()
    settle(page)

    # A failure's heatmap.
    open_page(page, "Heatmaps")
    shown = page.locator(".st-key-panel_detail").get_by_role("img").first
    shown.wait_for()
    first = shown.get_attribute("alt")
    assert first.startswith("Radiograph ")
    page.locator("[class*=st-key-tile-] button:visible").nth(1).click()
    page.wait_for_url("**/heatmaps?*image=*")  # the screen can be sent as a link
    settle(page)
    assert shown.get_attribute("alt") != first


LINK = f"/generalization?home={fake_lab.HOME}&externals={fake_lab.LAKEVIEW}&label=Cardiomegaly"


@pytest.mark.parametrize("page", [LINK], indirect=True)
def test_a_link_opens_the_same_screen_even_as_a_servers_first_request(page):
    heading(page).get_by_text("Generalization", exact=True).wait_for()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Launch", exact=True).wait_for()
    settle(page)
    page.locator(".st-key-gap-matrix").get_by_text(fake_lab.LAKEVIEW, exact=True).first.wait_for()
    assert page.locator(".st-key-gap-matrix").get_by_text(fake_lab.HILLCREST, exact=True).count() == 0
    assert "externals=lakeview" in page.url and "label=Cardiomegaly" in page.url
