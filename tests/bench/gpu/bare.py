"""A Python that lacks modules, its child processes too: what a machine for computing alone has not installed."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent.parent
SCREEN = ("streamlit", "plotly", "mlflow", "pytorch_grad_cam", "pydicom", "lightning_fabric", "optuna")

BLOCKS = """
import sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Lacking())
"""


def python(folder, *arguments, absent=SCREEN, timeout=300):
    """Run this Python without the modules in `absent`; `folder` is empty."""
    (folder / "sitecustomize.py").write_text(BLOCKS.format(absent=tuple(absent)))
    path = os.pathsep.join((str(folder), str(ROOT)))
    return subprocess.run(
        [sys.executable, *arguments], check=False, cwd=folder, capture_output=True, text=True, timeout=timeout,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
