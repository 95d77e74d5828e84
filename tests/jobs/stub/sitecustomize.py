"""Stands in for training, scoring and maps in a job's process, so that a test of jobs needs no network.

A folder with this file on PYTHONPATH is imported by Python itself before `cxrlab` starts. What a run does is the
"network" of its spec; CXRLAB_STUB_STEPS says how many steps of a twentieth of a second a run takes, and
CXRLAB_STUB_BREAKS names a network that fails.
"""

import errno
import json
import os
import sys
import time
import types


def fit(spec, lab, run, progress, device="auto"):
    steps = int(os.environ.get("CXRLAB_STUB_STEPS", "1"))
    name = spec.model.name.removeprefix("timm:")
    if name in ("breaks", os.environ.get("CXRLAB_STUB_BREAKS")):
        from cxrlab.errors import BadSpec

        raise BadSpec("this network cannot learn; choose another.")
    if name == "bug":
        raise ZeroDivisionError("a plain bug")
    if name == "memory":
        raise MemoryError
    if name == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "checkpoint")
    if name == "deaf":  # as code in C that never looks at signals
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    done = int(run.last.read_text()) if run.last.exists() else 0
    print(f"fit begins at step {done}", flush=True)
    progress.stage("train", steps)
    while done < steps:
        time.sleep(0.05)
        done += 1
        run.last.write_text(str(done))
        progress.step(done, loss=1.0 / done)
    run.checkpoint.write_text("weights")


def score_site(lab, run, site, progress, device="auto"):
    import numpy as np

    from cxrlab import predictions, store
    from cxrlab import spec as specs

    progress.stage(f"score {site}", 1)
    print(f"score {site}", flush=True)
    there, spec = store.read(lab.store(site)), specs.read(run.spec)
    n = len(there)
    table = there.rows[["image_id", "patient_id", "age_years", "sex", "view"]].copy()
    table["row"] = np.arange(n)
    table["split"] = ["train", "val", "test"] * (n // 3) if site in spec.view.source else "external"
    table["y:Pneumonia"] = np.arange(n) % 2
    table["logit:Pneumonia"] = np.arange(n) / n
    if spec.task == "autoencoder":
        table = table.drop(columns=["y:Pneumonia", "logit:Pneumonia"]).assign(re=np.arange(n) / n)
    predictions.write(
        run.predictions(site),
        predictions.Predictions(table, run.run_id, site, specs.digest(spec), there.digest, "0", True),
    )
    progress.step(1)


def tune(scored, seed):
    return {
        "run": scored.run_id,
        "tuned_on": f"{scored.site} val",
        "name": "default",
        "rule": "max-f1",
        "labels": {},
    }


def write(path, tuned):
    path.write_text(json.dumps({"format": "cxrlab-thresholds", "version": 1, **tuned}))


def make(lab, run, site, progress, device="auto"):
    run.maps_folder.mkdir(exist_ok=True)
    run.maps(site).write_text("maps")


def install(name, **functions):
    module = types.ModuleType(name)
    module.__dict__.update(functions)
    sys.modules[name] = module


if __name__ == "sitecustomize":  # not when pytest looks through every file for doctests
    install("cxrlab.train", fit=fit)
    install("cxrlab.score", score_site=score_site)
    install("cxrlab.metrics.thresholds", tune=tune, write=write)
    install("cxrlab.explain.maps", make=make, applies=lambda spec: True)
