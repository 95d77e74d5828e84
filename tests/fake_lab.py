"""A complete lab folder in about a second, without training: stores, runs, scores, thresholds, maps, latents.

Every number in it is planted, so a page's test knows what must be on the screen:
home "riverside" (AUROC about .9), "hillcrest" (no gap but Pneumonia with a handful of negatives: cannot say),
"lakeview" (Pneumonia falls to about .6; it never annotates Edema; its RE is far from home's).
"""

import json
import socket
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from scipy.stats import norm

import cxrlab
from cxrlab import files, policies, predictions, spec, store, views
from cxrlab.labels import Evidence
from cxrlab.paths import Lab, RunPaths
from cxrlab.predictions import ABNORMAL, Predictions

HOME, HILLCREST, LAKEVIEW = "riverside", "hillcrest", "lakeview"
EXTERNALS = (HILLCREST, LAKEVIEW)
LABELS = ("No Finding", "Cardiomegaly", "Pleural Effusion", "Pneumonia", "Edema")
ABSENT = "Edema"  # at LAKEVIEW
N_IMAGES = {HOME: 700, HILLCREST: 150, LAKEVIEW: 180}
PX = 48
LATENT_UNITS = 16
PREVALENCE = {
    "No Finding": 0.4,
    "Cardiomegaly": 0.25,
    "Pleural Effusion": 0.3,
    "Pneumonia": 0.3,
    "Edema": 0.15,
}
AUROC = {HOME: 0.92, HILLCREST: 0.9, LAKEVIEW: 0.86}
FALLEN = {(LAKEVIEW, "Pneumonia"): 0.6}
RE_SHIFT = {HOME: 0.0, HILLCREST: 0.25, LAKEVIEW: 1.4}  # in standard deviations of log RE


def build(root: Path, *, half_finished: bool = False) -> Lab:
    """Write the lab under `root` and return it.

    Args:
        root: the lab folder; made when it is not there.
        half_finished: the findings run has scored home and HILLCREST only and its process is gone; the autoencoder's
            run was never started.
    """
    lab = Lab(root)
    rng = np.random.default_rng(11)
    for site in N_IMAGES:
        write_store(lab, site, rng)
    labels = write_labels_run(lab, rng, half_finished=half_finished)
    autoencoder = write_autoencoder_run(lab, rng, half_finished=half_finished)
    runs = {"labels": labels, "autoencoder": autoencoder}
    if not half_finished:
        runs["normal"] = write_normal_run(lab, rng, "")
        runs["normal-latents"] = write_normal_run(lab, rng, autoencoder)
    write_study(lab, runs, half_finished=half_finished)
    return lab


# Stores -----------------------------------------------------------------------------------------------------------


def write_store(lab: Lab, site: str, rng: np.random.Generator) -> None:
    n = N_IMAGES[site]
    labels = tuple(label for label in LABELS if (site, label) != (LAKEVIEW, ABSENT))
    patients = np.sort(rng.integers(0, int(n / 1.4), n))
    number = np.arange(n)
    rows = pd.DataFrame(
        {
            "image_id": [f"{site[:2]}{i:05d}" for i in number],
            "patient_id": [f"p{p:04d}" for p in patients],
            "study_id": [f"s{p:04d}" for p in patients],
            "sex": rng.choice(["F", "M", ""], n, p=[0.45, 0.5, 0.05]),
            "age_years": np.where(
                rng.random(n) < 0.05, np.nan, rng.normal(58 if site == HOME else 47, 17, n).clip(1, 96)
            ),
            "view": rng.choice(["PA", "AP"], n, p=[0.8, 0.2] if site == HOME else [0.3, 0.7]),
            "split_hint": "",
            "native_label": "",
            "width": 1024,
            "height": 1024,
            "source_file": [f"images/{site[:2]}{i:05d}.png" for i in number],
        }
    )
    evidence = draw_evidence(site, labels, n, rng)
    rows["native_label"] = [
        "|".join(label for label, code in zip(labels, codes, strict=True) if code == 1) or "none"
        for codes in evidence
    ]
    became = [(label.lower(), label, int((evidence[:, k] == 1).sum()), "") for k, label in enumerate(labels)]
    became.append(("hiatal hernia", "", 4, "no shared label"))
    ledger = tuple(dict(zip(("native", "label", "images", "note"), row, strict=True)) for row in became)
    header = store.Header(
        site=site,
        title=f"{site.capitalize()} Hospital (drawn)",
        source="tests",
        labels=labels,
        synthetic=True,
        preprocess={"px": PX, "fit": "stretch"},
        ledger=ledger,
    )
    images = (draw_image(site, codes, labels, rng) for codes in evidence)
    out = [("images/broken.png", "PNG is truncated"), ("images/lateral.png", "a lateral view")]
    store.write(lab.store(site), header, rows, evidence, images, quarantine=out)


def draw_evidence(site: str, labels: tuple[str, ...], n: int, rng: np.random.Generator) -> np.ndarray:
    evidence = np.zeros((n, len(labels)), np.int8)
    for k, label in enumerate(labels):
        evidence[:, k] = rng.random(n) < PREVALENCE[label]
    sick = (evidence[:, 1:] == 1).any(axis=1)
    evidence[:, 0] = ~sick
    if site == HILLCREST:  # a handful of negatives: nothing can be said about Pneumonia here
        column = labels.index("Pneumonia")
        evidence[:, column] = 1
        evidence[rng.choice(n, 4, replace=False), column] = 0
    doubt = rng.random(evidence.shape)
    evidence[(doubt < 0.04) & (evidence != 1)] = Evidence.UNCERTAIN
    evidence[(doubt > 0.75) & (evidence == 0)] = Evidence.NOT_MENTIONED
    return evidence


def draw_image(site: str, codes: np.ndarray, labels: tuple[str, ...], rng: np.random.Generator) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : PX * 1j, -1 : 1 : PX * 1j]
    heart = 0.34 + 0.1 * (codes[labels.index("Cardiomegaly")] == 1)
    lungs = np.exp(-(((np.abs(x) - 0.42) / 0.26) ** 4) - (((y + 0.1) / 0.6) ** 4))
    body = np.exp(-((x / 0.95) ** 8) - ((y / 1.1) ** 8))
    mediastinum = np.exp(-(((x - 0.08) / heart) ** 4) - (((y - 0.3) / 0.35) ** 4))
    ribs = 0.05 * np.sin(14 * y + 3 * np.abs(x)) * lungs
    image = 0.12 + 0.62 * body - 0.5 * lungs + 0.35 * mediastinum + ribs
    if codes[labels.index("Pleural Effusion")] == 1:
        image += 0.45 * lungs * (y > 0.25)
    if codes[labels.index("Pneumonia")] == 1:
        image += 0.35 * np.exp(-((x - 0.4) ** 2 + (y - 0.05) ** 2) / 0.05)
    noise = rng.normal(0, 0.03, image.shape)
    # No two bodies are the same: without it, the guard against copies would rightly call these pictures copies.
    own = noise.reshape(12, PX // 12, 12, PX // 12).mean(axis=(1, 3))
    image += 9 * cv2.resize(own, (PX, PX), interpolation=cv2.INTER_CUBIC)
    image = image.clip(0, 1) ** (1.5 if site == LAKEVIEW else 1.0) + noise
    return (255 * image.clip(0, 1)).astype(np.uint8)


# Runs -------------------------------------------------------------------------------------------------------------


def train_spec(lab: Lab, task: str, network: str, latents_of: str = "") -> spec.TrainSpec:
    return spec.TrainSpec(
        task=task,
        view=spec.ViewSpec(source=(HOME,), external=EXTERNALS, labels=LABELS, image_px=PX),
        model=spec.ModelSpec(name=network, latents_of=latents_of, latent_units=LATENT_UNITS),
        training=spec.TrainingSpec(epochs=6, patience=6),
        seed=11,
        data={site: store.read(lab.store(site)).digest for site in N_IMAGES},
    )


def begin_run(lab: Lab, made: spec.TrainSpec, ago: float) -> RunPaths:
    run = lab.run(made.run_id)
    files.write_json(run.spec, made.model_dump(mode="json"))
    then = time.time() - ago
    job = {
        "executor": "local",
        "host": socket.gethostname(),
        "submitted": then,
        "pid": 999_999_999,
        "born": "0",
        "started": then + 1,
    }
    files.write_json(run.job, job)
    files.write_text(run.log, f"carrying out {made.run_id}\n")
    epochs, steps, t = made.training.epochs, 10, then + 1
    lines = [{"t": t, "stage": "train", "of": epochs * steps, "done": 0}]
    for epoch in range(1, epochs + 1):
        loss, val = (
            0.7 * 0.8**epoch,
            (0.02 * 0.8**epoch if made.task == "autoencoder" else 0.95 - 0.4 * 0.7**epoch),
        )
        numbers = {"epoch": epoch, "loss": loss, "val": val, "best": val}
        lines.append(
            {"t": t + 2 * epoch, "stage": "train", "of": epochs * steps, "done": epoch * steps, **numbers}
        )
    files.write_text(run.progress, "".join(json.dumps(line) + "\n" for line in lines))
    return run


def end_run(run: RunPaths) -> None:
    lines = [
        {"t": time.time(), "stage": f"score {site}", "of": n, "done": done}
        for site, n in N_IMAGES.items()
        for done in (0, n)
    ]
    with run.progress.open("a") as log:
        log.writelines(json.dumps(line) + "\n" for line in lines)
    files.write_json(run.end, {"state": "done", "reason": "", "ended": time.time()})
    cost = {
        "parameters": 231_000,
        "forward_flops": 81_000_000,
        "flops_are": "2 × multiply-adds of one image's forward pass",
        "device": "CPU, 2 threads",
        "training_precision": "float32",
        "peak_memory_bytes": 410_000_000,
        "peak_memory_is": "resident set of the job's process",
        "epochs": 6,
        "train_images": 290,
        "seconds": 14.2,
        "seconds_per_epoch": 2.37,
        "train_images_per_s": 122.5,
        "inference": {"batch": 32, "p50_ms": 18.2, "p95_ms": 21.9, "images_per_s": 1758.0},
        "history": [],
    }
    files.write_json(run.efficiency, cost)


def write_labels_run(lab: Lab, rng: np.random.Generator, *, half_finished: bool) -> str:
    made = train_spec(lab, "labels", "small_cnn")
    run = begin_run(lab, made, ago=900)
    sites = (HOME, HILLCREST) if half_finished else (HOME, *EXTERNALS)
    for site in sites:
        write_scores(lab, made, site, LABELS, rng)
    if half_finished:
        return run.run_id
    write_thresholds(lab, run, LABELS)
    for site in sites:
        write_maps(lab, run, site, rng)
    end_run(run)
    return run.run_id


def write_scores(
    lab: Lab,
    made: spec.TrainSpec,
    site: str,
    labels: tuple[str, ...],
    rng: np.random.Generator,
    with_re: float | None = None,
) -> Predictions:
    read = store.read(lab.store(site))
    view = views.view(read, made.view.labels, external=site != HOME)
    table = view.facts[["image_id", "patient_id", "age_years", "sex", "view"]].assign(
        row=view.rows, split=view.split
    )
    for label in labels:
        y = (
            policies.truth(policies.abnormal(view.evidence, view.labels)[:, None], (ABNORMAL,))[:, 0]
            if label == ABNORMAL
            else view.y_true[:, LABELS.index(label)]
        )
        distance = np.sqrt(2) * norm.ppf(FALLEN.get((site, label), AUROC[site]))
        table[f"y:{label}"] = y
        table[f"logit:{label}"] = rng.normal(distance * (np.nan_to_num(y) - 0.5), 1) - 0.5
    if with_re is not None:
        table["re"] = np.exp(rng.normal(-5 + 0.35 * with_re, 0.35, len(table))).astype(np.float32)
    said = Predictions(table, made.run_id, site, spec.digest(made), read.digest, cxrlab.__version__, True)
    predictions.write(lab.run(made.run_id).predictions(site), said)
    return said


def write_autoencoder_run(lab: Lab, rng: np.random.Generator, *, half_finished: bool) -> str:
    made = train_spec(lab, "autoencoder", "autoencoder")
    if half_finished:
        files.write_json(lab.run(made.run_id).spec, made.model_dump(mode="json"))
        return made.run_id
    run = begin_run(lab, made, ago=700)
    for site in N_IMAGES:
        said = write_scores(lab, made, site, (), rng, with_re=RE_SHIFT[site])
        latents = rng.normal(RE_SHIFT[site], 1, (len(said.table), LATENT_UNITS)).astype(np.float32)
        run.latents_folder.mkdir(parents=True, exist_ok=True)
        np.save(run.latents(site), np.tanh(latents / 2))
        write_reconstructions(lab, run, site, said, rng)
    end_run(run)
    return run.run_id


def write_reconstructions(
    lab: Lab, run: RunPaths, site: str, said: Predictions, rng: np.random.Generator
) -> None:
    order = np.argsort(said.table["re"].to_numpy())
    rows = np.r_[order[:4], order[::-1][:4]]
    images = store.read(lab.store(site)).images(rows)
    rebuilt = (images + rng.normal(0, 9, images.shape)).clip(0, 255).astype(np.uint8)
    path = run.reconstructions(site)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        images=images,
        rebuilt=rebuilt,
        re=said.table["re"].to_numpy()[rows],
        image_id=said.table["image_id"].to_numpy(str)[rows],
        kind=np.repeat(["best", "worst"], 4),
        row=rows,
    )


def write_normal_run(lab: Lab, rng: np.random.Generator, latents_of: str) -> str:
    made = train_spec(lab, "normal", "latent_head" if latents_of else "small_cnn", latents_of)
    run = begin_run(lab, made, ago=500)
    for site in N_IMAGES:
        write_scores(lab, made, site, (ABNORMAL,), rng)
    write_thresholds(lab, run, (ABNORMAL,))
    end_run(run)
    return run.run_id


def write_thresholds(lab: Lab, run: RunPaths, labels: tuple[str, ...]) -> None:
    table = predictions.read(run.predictions(HOME)).only("val").table
    of = {}
    for label in labels:
        y = table[f"y:{label}"].to_numpy()
        cut = 0.0 if label == "Edema" else 1 / (1 + np.exp(0.5))
        of[label] = {
            "threshold": cut,
            "low": cut - 0.08,
            "high": cut + 0.09,
            "f1": 0.8,
            "n_pos": int((y == 1).sum()),
            "n_neg": int((y == 0).sum()),
            "why_nan": "",
        }
    if "Edema" in of:  # as if validation had no positive image
        of["Edema"].update(
            threshold=None, low=None, high=None, f1=None, n_pos=0, why_nan="no positive images"
        )
    written = {
        "format": "cxrlab-thresholds",
        "version": 1,
        "name": "tuned",
        "run": run.run_id,
        "rule": "max-f1",
        "tuned_on": f"{HOME} val",
        "labels": of,
    }
    files.write_json(run.thresholds, written)


def write_maps(lab: Lab, run: RunPaths, site: str, rng: np.random.Generator) -> None:
    """Maps of four failures a group for Pneumonia and Cardiomegaly, brightest where nothing is."""
    from cxrlab.explain import mapfile

    table = predictions.read(run.predictions(site)).table
    cut = 1 / (1 + np.exp(0.5))
    rows = []
    for label in ("Pneumonia", "Cardiomegaly"):
        score = 1 / (1 + np.exp(-table[f"logit:{label}"].to_numpy()))
        y = table[f"y:{label}"].to_numpy()
        if site == HOME:
            y = np.where(table["split"] == "test", y, np.nan)
        failures = {"FN": (y == 1) & (score < cut), "FP": (y == 0) & (score >= cut)}
        failures["sure"] = failures["FN"] | failures["FP"]
        for group, which in failures.items():
            for i in np.flatnonzero(which)[:4]:
                rows.append((table["image_id"][i], int(table["row"][i]), label, group, score[i], cut, y[i]))
    frame = pd.DataFrame(rows, columns=["image_id", "row", "label", "group", "score", "threshold", "y"])
    spots = rng.normal(0.2, 0.1, (len(frame), 6, 6)).astype(np.float32)
    spots[np.arange(len(frame)), rng.integers(0, 6, len(frame)), rng.integers(0, 6, len(frame))] += 1.5
    made = mapfile.Maps(
        rows=frame, maps=spots, method="grad-cam", layer="blocks.3", run_id=run.run_id, site=site
    )
    mapfile.write(run.maps(site), made)


def write_study(lab: Lab, runs: dict[str, str], *, half_finished: bool) -> None:
    """The study folder above the runs, as studies writes it."""
    made = spec.StudySpec(source=HOME, external=EXTERNALS, preset="quick")
    run = lab.run(made.run_id)
    files.write_json(run.spec, made.model_dump(mode="json"))
    then = time.time() - 950
    job = {
        "executor": "local",
        "host": socket.gethostname(),
        "submitted": then,
        "pid": 999_999_998,
        "born": "0",
        "started": then,
    }
    files.write_json(run.job, job)
    if not half_finished:
        files.write_json(run.end, {"state": "done", "reason": "", "ended": time.time()})
    files.write_json(run.children, {"runs": runs, "left_out": {}})


if __name__ == "__main__":
    import sys

    print(build(Path(sys.argv[1]), half_finished="--half" in sys.argv).root)
