"""Reading a raw folder into a store, beside merely decoding and shrinking the same files.

In:    nothing; it makes 1,500 radiograph-like PNG files of 1,024 pixels in a temporary folder.
Out:   one Line: our images a second over those of two bare processes that throw their result away.
Never: real radiographs.
"""

import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from cxrlab import phantom
from cxrlab.bench.base import Line
from cxrlab.ingest import ingest
from cxrlab.paths import Lab

N_FILES, N_DISTINCT = 1500, 100
SOURCE_PX, STORE_PX = 1024, 224
WORKERS, ROUNDS = 2, 3
GRAIN = 1.2  # standard deviation of the film grain, grey values; gives files of about 400 kB, as ChestX-ray14's are
BAR = 0.85
HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


def run() -> list[Line]:
    """Return the one comparison; the two sides take turns, and the median of their rounds counts."""
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        paths = make_raw_folder(raw, N_FILES)
        ours, peer = [], []
        for turn in range(ROUNDS):
            peer.append(len(paths) / measure_bare(paths))
            ours.append(len(paths) / measure_ours(raw, Path(folder) / f"lab-{turn}"))
        mean_kb = sum(Path(path).stat().st_size for path in paths) / len(paths) / 1000
    rate, bare = statistics.median(ours), statistics.median(peer)
    return [
        Line(
            name="ingest",
            what=f"raw folder of {N_FILES:,} PNG files → store, {WORKERS} processes",
            ours=rate,
            peer=bare,
            unit="images/s",
            ratio=rate / bare,
            bar=BAR,
            note=f"peer: {WORKERS} processes, cv2.imread + cv2.resize, nothing kept; {SOURCE_PX} px, {mean_kb:.0f} kB a file",
        )
    ]


def make_raw_folder(raw: Path, n: int) -> list[str]:
    """Write a folder in ChestX-ray14's layout with `n` files of grainy phantoms and return their paths."""
    rng = np.random.default_rng(0)
    (raw / "images").mkdir(parents=True)
    distinct = []
    for i in range(min(N_DISTINCT, n)):
        small = phantom.draw(next(iter(phantom.RECIPES)), i, seed=0).image
        image = cv2.resize(small, (SOURCE_PX, SOURCE_PX), interpolation=cv2.INTER_CUBIC)
        grainy = image + rng.normal(0, GRAIN, image.shape).astype(np.float32)
        distinct.append(cv2.imencode(".png", np.clip(grainy, 0, 255).astype(np.uint8))[1].tobytes())
    names = [f"{i:08d}_000.png" for i in range(n)]
    for i, name in enumerate(names):
        (raw / "images" / name).write_bytes(distinct[i % len(distinct)])
    rows = [f"{name},No Finding,0,{i},50,F,PA,2500,2048,0.17,0.17" for i, name in enumerate(names)]
    (raw / "Data_Entry_2017_v2020.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    return [str(raw / "images" / name) for name in names]


def measure_ours(raw: Path, lab: Path) -> float:
    """Return the seconds of a whole ingest: tables, decoding, store, checksums, sync."""
    start = time.perf_counter()
    ingest(Lab(lab), "nih", raw, "bench", px=STORE_PX, workers=WORKERS)
    return time.perf_counter() - start


def measure_bare(paths: list[str]) -> float:
    """Return the seconds of a pool that reads and shrinks, and keeps nothing; its start is not counted."""
    # A forked child of a process whose OpenCV has threads waits for them for ever.
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(WORKERS, initializer=cv2.setNumThreads, initargs=(1,)) as pool:
        pool.map(_read_and_shrink, paths[: 8 * WORKERS], chunksize=1)
        start = time.perf_counter()
        n = sum(pool.imap_unordered(_read_and_shrink, paths, chunksize=16))
        seconds = time.perf_counter() - start
    if n != len(paths):
        raise RuntimeError(f"the bare processes read {n} of {len(paths)} files")
    return seconds


def _read_and_shrink(path: str) -> int:
    image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    return int(cv2.resize(image, (STORE_PX, STORE_PX), interpolation=cv2.INTER_AREA).ndim == 2)
