"""What every page keeps: it opens in any lab, says what it is for, and never loads torch."""

import subprocess
import sys
from pathlib import Path

import pytest

from cxrlab.ui import frame

ROOT = Path(__file__).parents[2]
PAGES = [name for _, name, _, _ in frame.PAGES if (ROOT / "pages" / f"{name}.py").exists()]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_in_any_lab(any_lab, open_page, text_of, name):
    app = open_page(name)
    assert app.title[0].value
    said = text_of(app)
    assert frame.NOTICE in said
    assert str(any_lab.root) in said


def test_every_page_of_the_screens_is_registered():
    registered = {name for _, name, _, _ in frame.PAGES}
    assert {path.stem for path in (ROOT / "pages").glob("*.py")} <= registered


@pytest.mark.slow
def test_no_page_loads_torch(fake):
    """In a process of its own: this one may have loaded torch for other tests."""
    pages = [f"pages/{name}.py" for name in PAGES if name != "home"]
    code = (
        "import sys\n"
        "from streamlit.testing.v1 import AppTest\n"
        f"app = AppTest.from_file({str(ROOT / 'app.py')!r}, default_timeout=120).run()\n"
        f"for page in {pages!r}:\n"
        "    app.switch_page(page).run()\n"
        "    assert not app.exception, (page, app.exception[0].message)\n"
        "found = sorted({name.split('.')[0] for name in sys.modules} & {'torch', 'timm', 'torchvision'})\n"
        "print('loaded', found)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "loaded []" in done.stdout
