"""Numbers need no screen: what trains, scores and measures imports and runs where the dashboard's packages are absent."""

import json

from tests.bench.gpu import bare

ROOMS = (
    "augment", "bench.gpu", "checkpoint", "choices", "inputs", "learning", "losses", "metrics", "models", "optimizers",
    "policies", "predictions", "report", "sampling", "score", "shift", "spec", "store", "train", "variants", "views",
)  # fmt: skip
# report only how many were imported: a walk that finds nothing would prove nothing
IMPORT_ALL = """
import importlib, json, pkgutil, sys
found = []
for room in sys.argv[1:]:
    module = importlib.import_module(f"cxrlab.{room}")
    found.append(module.__name__)
    for inner in pkgutil.walk_packages(getattr(module, "__path__", []), module.__name__ + "."):
        if not inner.name.endswith("__main__"):
            importlib.import_module(inner.name)
            found.append(inner.name)
print(json.dumps(found))
"""


def test_every_numeric_room_imports_without_the_dashboards_packages(tmp_path):
    done = bare.python(tmp_path, "-c", IMPORT_ALL, *ROOMS)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert len(found) > 100
    assert {"cxrlab.learning.loop", "cxrlab.optimizers.adamw", "cxrlab.metrics.auroc"} <= set(found)


def test_the_walk_can_fail(tmp_path):
    done = bare.python(tmp_path, "-c", IMPORT_ALL, "metrics", absent=("numba",))
    assert done.returncode != 0 and "No module named 'numba'" in done.stderr


def test_the_bench_names_what_must_be_installed_beside_in_one_sentence(tmp_path):
    done = bare.python(tmp_path, "-m", "cxrlab.bench.gpu", absent=("pydantic", "pytorch_optimizer"))
    assert done.returncode == 2 and not done.stdout
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("gpu: pydantic, pytorch_optimizer must be installed beside")


def test_in_miniature_the_whole_bench_runs_on_a_processor_without_the_dashboards_packages(tmp_path):
    """The real thing, nothing replaced: trainings, scores, two processes, memory that runs out, both sides timed."""
    done = bare.python(tmp_path, "-m", "cxrlab.bench.gpu", "--device", "cpu", "--miniature", "--json")
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    said = json.loads(done.stdout)
    assert said["holds"] and len(said["checks"]) == 12
    assert all(check["holds"] for check in said["checks"] if "memory" not in check["name"]), said["checks"]
    (first, second) = said["times"]
    assert (first["network"], second["network"]) == ("resnet18", "mobilenetv3_large")
    for row in said["times"]:
        assert row["ratio"] > 0 and row["ours"]["images_per_s"] > 0 and row["timm"]["images_per_s"] > 0
        assert row["ours"]["utilisation"] is None and "no peak is listed" in row["why_nan"]
        assert row["inference"]["fp32, as scored"]["p50_ms"] > 0
    assert first["forward_flops"] > second["forward_flops"] > 1e6
