"""Fakes CheXpert-v1.0-small with its three tables, and CheXlocalize inside; every quirk has a row."""

import json
from pathlib import Path

import cv2
import numpy as np

LABELS = (
    "No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,"
    "Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
HEADER = "Path,Sex,Age,Frontal/Lateral,AP/PA," + LABELS
TOP = "CheXpert-v1.0-small"
TRAIN = (  # path, sex, age, frontal or lateral, projection, the fourteen cells
    ("train/patient00001/study1/view1_frontal.jpg", "Female", "68", "Frontal", "AP", "1.0,,,,,,,,,,,,,"),
    (
        "train/patient00002/study1/view1_frontal.jpg",
        "Male",
        "90",
        "Frontal",
        "PA",
        ",,-1.0,1.0,,1.0,0.0,,,,-1.0,,,1.0",
    ),
    (
        "train/patient00002/study1/view2_lateral.jpg",
        "Male",
        "90",
        "Lateral",
        "",
        ",,-1.0,1.0,,1.0,0.0,,,,-1.0,,,1.0",
    ),
    ("train/patient00002/study2/view1_frontal.jpg", "Male", "90", "Frontal", "AP", ",,,,,,,,,,,,,"),
    ("train/patient00003/study1/view1_frontal.jpg", "Unknown", "0", "Frontal", "AP", ",,1.0,,,,,1.0,,,,,,"),
    ("train/patient00004/study1/view1_frontal.jpg", "Male", "41", "Frontal", "LL", ",,,,,,,,,0.0,,,,"),
    ("train/patient00004/study2/view1_frontal.jpg", "Male", "42", "Frontal", "RL", ",,,,1.0,,,,,,,1.0,1.0,"),
    (
        "train/patient00005/study1/view1_frontal.jpg",
        "Male",
        "50",
        "Frontal",
        "AP",
        ",,,,,,,,,,,,,1.0",
    ),  # not there
    ("train/patient00006/study1/view1_frontal.jpg", "Male", "50", "Frontal", "AP", ",,,,,,2.0,,,,,,,1.0"),
)
VALID = (
    ("valid/patient64541/study1/view1_frontal.jpg", "Male", "73", "Frontal", "AP", "0.0,1.0,1.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,0.0,0.0,1.0"),
    ("valid/patient64542/study1/view1_frontal.jpg", "Female", "70", "Frontal", "PA", "1.0" + ",0.0" * 13),
)  # fmt: skip
TEST = (
    ("test/patient64741/study1/view1_frontal.jpg", "0,1,1,1,0,0,0,0,0,0,0,0,0,1"),
    ("test/patient64741/study1/view2_lateral.jpg", "0,1,1,1,0,0,0,0,0,0,0,0,0,1"),
    ("test/patient64742/study1/view1_frontal.jpg", "1" + ",0" * 13),
)
ABSENT, CUT = "patient00005", "patient00006"
SIZE = (96, 120)  # height and width of the outlined images at full size; the small ones have 48 x 60


def fake_raw_folder(folder: Path) -> None:
    """Write three tables, fourteen files and the outlines of two images."""
    top = folder / TOP
    rows = [f"{TOP}/{path},{','.join(facts)}" for path, *facts in TRAIN]
    top.mkdir()
    (top / "train.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    rows = [f"{TOP}/{path},{','.join(facts)}" for path, *facts in VALID]
    (top / "valid.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (top / "test_labels.csv").write_text(
        "\n".join(["Path," + LABELS, *(f"{path},{cells}" for path, cells in TEST)]) + "\n"
    )
    for k, (path, *_) in enumerate((*TRAIN, *VALID, *TEST)):
        if ABSENT not in path:
            write_picture(top / path, k)
    outlines = folder / "CheXlocalize"
    outlines.mkdir()
    left, right = np.zeros(SIZE, bool), np.zeros(SIZE, bool)
    left[30:60, 10:40], right[20:80, 70:100] = True, True
    for name, key, drawn in (
        ("gt_segmentations_val.json", "patient64541_study1_view1_frontal", {"Cardiomegaly": left, "Airspace Opacity": right}),
        ("gt_segmentations_test.json", "patient64741_study1_view1_frontal", {"Support Devices": right}),
    ):  # fmt: skip
        said = {task: encoded(drawn.get(task, np.zeros(SIZE, bool))) for task in TASKS}
        (outlines / name).write_text(json.dumps({key: said}))
    maps = outlines / "gradcam_maps_val"
    maps.mkdir()
    (maps / "patient64541_study1_view1_frontal_Edema_map.pkl").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")


TASKS = (
    "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Lesion", "Airspace Opacity", "Edema", "Consolidation",
    "Atelectasis", "Pneumothorax", "Pleural Effusion", "Support Devices",
)  # fmt: skip


def write_picture(path: Path, seed: int, size: tuple[int, int] = (48, 60)) -> None:
    """Write a noisy disc, a different one for each seed."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 90, size, np.uint8)
    cv2.circle(picture, (10 + 3 * (seed % 12), 24), 12, 220, -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)


def encoded(mask: np.ndarray) -> dict[str, object]:
    """Return a mask as COCO's compressed run lengths, as its C code writes them."""
    flat = mask.T.reshape(-1).astype(np.int8)
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [len(flat)]])).tolist()
    if flat[0]:
        runs = [0, *runs]
    text = ""
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        more = True
        while more:
            five = value & 31
            value >>= 5
            more = value != -1 if five & 16 else value != 0
            text += chr((five | 32 if more else five) + 48)
    return {"size": list(mask.shape), "counts": text}
