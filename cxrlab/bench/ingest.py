"""Reading a raw folder into a store, beside merely decoding and shrinking the same files.

In:    nothing; it makes radiograph-like PNG, JPEG and DICOM files in a temporary folder.
Out:   one Line a format: our images a second over those of two bare processes that throw their result away.
Never: real radiographs.
"""

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pydicom
from pydicom.uid import ExplicitVRLittleEndian

from cxrlab import phantom
from cxrlab.bench.base import Line
from cxrlab.ingest import ingest
from cxrlab.paths import Lab

N_DISTINCT, STORE_PX = 60, 224
WORKERS, ROUNDS = 2, 3
GRAIN = 1.2  # standard deviation of the film grain, grey values; gives PNG files of about 400 kB, as ChestX-ray14's are
BAR = 0.9


@dataclass(frozen=True)
class Format:
    """One kind of file: how many, of which side, how one is written, and how the peer reads it."""

    suffix: str
    n_files: int
    source_px: int
    encode: Callable[[np.ndarray], bytes]
    peer: str


def run() -> list[Line]:
    """Return one comparison a format; the two sides take turns, and the median of their rounds counts."""
    return [compare(name) for name in FORMATS]


def compare(name: str) -> Line:
    """Return the comparison for one format."""
    kind = FORMATS[name]
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw"
        paths = make_raw_folder(raw, kind)
        ours, peer = [], []
        for turn in range(ROUNDS):
            peer.append(len(paths) / measure_bare(paths))
            ours.append(len(paths) / measure_ours(raw, Path(folder) / f"lab-{turn}"))
        mean_kb = sum(Path(path).stat().st_size for path in paths) / len(paths) / 1000
    rate, bare = statistics.median(ours), statistics.median(peer)
    return Line(
        name="ingest",
        what=f"raw folder of {kind.n_files:,} {name} files → store, {WORKERS} processes",
        ours=rate,
        peer=bare,
        unit="images/s",
        ratio=rate / bare,
        bar=BAR,
        note=f"peer: {WORKERS} processes, {kind.peer} + cv2.resize, nothing kept; {kind.source_px} px, {mean_kb:.0f} kB a file",
    )


def make_raw_folder(raw: Path, kind: Format) -> list[str]:
    """Write a table and grainy phantoms of one format, and return the files' paths; one content has several names."""
    rng = np.random.default_rng(0)
    (raw / "images").mkdir(parents=True)
    paths: list[Path] = []
    for i in range(kind.n_files):
        path = raw / "images" / f"{i:06d}{kind.suffix}"
        if i < N_DISTINCT:
            small = phantom.draw(next(iter(phantom.RECIPES)), i, seed=0).image
            image = cv2.resize(small, (kind.source_px, kind.source_px), interpolation=cv2.INTER_CUBIC)
            grain = rng.normal(0, GRAIN, image.shape).astype(np.float32)
            path.write_bytes(kind.encode(np.clip(image + grain, 0, 255).astype(np.float32)))
        else:
            os.link(paths[i % N_DISTINCT], path)
        paths.append(path)
    rows = [f"{path.name},{i},1,0" for i, path in enumerate(paths)]
    (raw / "labels.csv").write_text("\n".join(["image,patient,No Finding,Pneumonia", *rows]) + "\n")
    return [str(path) for path in paths]


def measure_ours(raw: Path, lab: Path) -> float:
    """Return the seconds of a whole ingest: tables, decoding, store, checksums, sync."""
    start = time.perf_counter()
    ingest(Lab(lab), "folder", raw, "bench", px=STORE_PX, workers=WORKERS)
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
    if path.endswith(".dcm"):
        image = pydicom.dcmread(path).pixel_array
    else:
        image = cv2.imread(path, cv2.IMREAD_GRAYSCALE)
    return int(cv2.resize(image, (STORE_PX, STORE_PX), interpolation=cv2.INTER_AREA).ndim == 2)


def _png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image.astype(np.uint8))[1].tobytes()


def _jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def _dicom(image: np.ndarray) -> bytes:
    """Return 12 bits in 16, uncompressed, with a window and MONOCHROME1: what a digital detector sends."""
    made = pydicom.Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    made.SOPInstanceUID = pydicom.uid.generate_uid(entropy_srcs=[str(image.sum())])
    made.Modality, made.PhotometricInterpretation = "DX", "MONOCHROME1"
    made.Rows, made.Columns = image.shape
    made.SamplesPerPixel, made.BitsAllocated, made.BitsStored, made.HighBit = 1, 16, 12, 11
    made.PixelRepresentation, made.RescaleSlope, made.RescaleIntercept = 0, 1, 0
    made.WindowCenter, made.WindowWidth = 2048, 3600
    made.PixelData = ((255 - image) * (4095 / 255)).astype("<u2").tobytes()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


FORMATS: dict[str, Format] = {
    "PNG": Format(".png", 1500, 1024, _png, "cv2.imread"),
    "JPEG": Format(".jpg", 3000, 1024, _jpeg, "cv2.imread"),
    "DICOM": Format(".dcm", 600, 2048, _dicom, "pydicom's pixel_array"),
}
