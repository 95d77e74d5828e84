"""The house rules of docs and layout that a machine can check."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "pages").glob("*.py"))
SOURCES = sorted((ROOT / "cxrlab").rglob("*.py"))
PAGE_LINES = 150
ROOM_LINES = 350


def run(*command, cwd=ROOT):
    return subprocess.run(command, check=False, cwd=cwd, capture_output=True, text=True)


def lint_imports(cwd):
    linter = shutil.which("lint-imports", path=str(Path(sys.executable).parent)) or shutil.which(
        "lint-imports"
    )
    assert linter, "import-linter is in requirements-dev.txt but lint-imports was not found"
    return run(linter, "--no-cache", cwd=cwd)


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


def test_the_code_is_clean():
    done = run(sys.executable, "-m", "ruff", "check", ".")
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_code_is_formatted():
    done = run(sys.executable, "-m", "ruff", "format", "--check", ".")
    assert done.returncode == 0, done.stdout[-3000:]


def test_imports_run_one_way():
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout[-3000:]


def test_the_import_contract_can_fail(tmp_path):
    """Planting `import streamlit` in a metric must break the contract."""
    shutil.copytree(ROOT / "cxrlab", tmp_path / "cxrlab", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    metric = tmp_path / "cxrlab" / "metrics" / "auroc.py"
    metric.write_text(metric.read_text() + "\nimport streamlit\n")
    done = lint_imports(tmp_path)
    assert done.returncode != 0
    assert "cxrlab.metrics.auroc -> streamlit" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_page_asks_reads_and_draws(page):
    forbidden = {"numpy", "torch", "h5py", "scipy", "sklearn", "cv2"} & set(imports_of(page))
    assert not forbidden, f"{page.name} computes with {forbidden}; put the computation in a backend room"
    assert page.read_text().count("\n") < PAGE_LINES


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_no_result_is_typed_in_prose(page):
    strings = [n.value for n in ast.walk(ast.parse(page.read_text())) if isinstance(n, ast.Constant)]
    typed = [
        s for s in strings if isinstance(s, str) and re.search(r"\d ?%|\b0?\.\d\d\b", s) and "{" not in s
    ]
    assert not typed, f"{page.name} types numbers: {typed}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_room_is_one_room(path):
    text = path.read_text()
    assert text.count("\n") < ROOM_LINES, "is it one room?"
    assert "import pickle" not in text
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler):
            assert not all(isinstance(line, ast.Pass) for line in node.body), (
                f"line {node.lineno} passes over an error"
            )


def test_every_pin_is_exact_and_the_torch_pair_matches():
    pins = dict(
        line.split("==")
        for line in (ROOT / "requirements.txt").read_text().split("\n")
        if line and line[0] != "#"
    )
    assert int(pins["torchvision"].split(".")[1]) == int(pins["torch"].split(".")[1]) + 15


def test_no_picture_of_a_person_is_committed():
    """Pictures in the repository are of phantoms and live in docs/pictures only."""
    listed = run("git", "ls-files")
    if listed.returncode:
        pytest.skip("not a git checkout")
    pictures = [
        f for f in listed.stdout.split("\n") if f.lower().endswith((".png", ".jpg", ".jpeg", ".dcm", ".npz"))
    ]
    assert all(f.startswith("docs/pictures/") for f in pictures), pictures
