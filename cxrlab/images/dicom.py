"""The bytes of one DICOM file → one grey image, bone bright.

In:    the bytes of a file, or its path where only the header is asked for.
Out:   (H, W) uint8 where the file has 8 bits and no window, else uint16; the header; which window was used.
Never: names, ages or any other field of a person; a text from the file in a message: messages go into stores.
"""

import logging
import struct
import warnings
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.pixels import apply_modality_lut, apply_voi_lut, get_decoder, pixel_array
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, JPEGExtended12Bit

from cxrlab.errors import BadInput
from cxrlab.images import decode

# What pydicom and the decoders below it raise on files that lie or lack a part.
BROKEN = (
    AttributeError,
    BytesLengthException,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
# pydicom's warnings quote the file, and they end in a log. Filters that are set for a while are not safe in threads.
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"pydicom(\.|$)")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
COLOURS = frozenset(
    ("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420",
     "YBR_ICT", "YBR_RCT")
)  # fmt: skip
HEAD_BYTES = 64 * 1024  # most headers end before; one read of this size is one trip to a network disk
MOSTLY = 0.9  # some devices name white or black itself as padding: an image that would vanish is none


def read(data: bytes) -> np.ndarray:
    """Return the image in `data`, (H, W) uint8 or uint16, bone bright.

    Order: modality LUT or rescale, VOI LUT or window, invert MONOCHROME1, scale. The window's numbers refer to the
    values before inversion; inverting first moves the window. DICOM PS3.4, N.2. PresentationLUTShape INVERSE says the
    same as MONOCHROME1 (PS3.3, C.11.6) and is not looked at: two inversions would be none.

    Raises:
        BadInput: not DICOM, no image, several frames, too large a claim, cut off, or a compression without decoder.
    """
    dataset = _open(data)
    _check_header(dataset, len(data))
    try:
        stored = pixel_array(dataset)  # colour comes as RGB
    except BROKEN as error:
        raise BadInput(f"the DICOM's pixels cannot be decoded ({_why(error)})") from error
    if stored.ndim == 3 and stored.shape[2] != 3:
        raise BadInput("the DICOM holds more pixels than its rows and columns say")
    if stored.ndim == 3:
        return decode.grey(np.ascontiguousarray(stored[:, :, ::-1]))
    return _display(dataset, stored)


def header(path: Path) -> pydicom.Dataset:
    """Return what stands before the pixels of a DICOM file; the pixels are not read.

    Raises:
        BadInput: as `read`, where the header already shows it; the size and the colours are not checked.
    """
    try:
        decode.size_of(path)
        with path.open("rb") as opened:
            start = opened.read(HEAD_BYTES)
            if not start:
                raise BadInput("the file is empty")
            _check_plain(start)
            part = BytesIO(start)
            try:
                found = _parse(part, start)
            except BROKEN:
                if len(start) < HEAD_BYTES:
                    raise
                found = None
            # pydicom takes the end of its input for the end of the header.
            if len(start) == HEAD_BYTES and (found is None or part.tell() > HEAD_BYTES - 16):
                opened.seek(0)
                found = _parse(opened, start)
            return found
    except FileNotFoundError as error:
        raise BadInput("there is no such file") from error
    except InvalidDicomError as error:
        raise BadInput("the file is no DICOM, or its beginning is lost") from error
    except BROKEN as error:
        raise BadInput(f"the DICOM's header is damaged ({type(error).__name__})") from error


def field(dataset: pydicom.Dataset, name: str) -> Any:
    """Return one field, None where it is absent or damaged: pydicom converts a field only when it is asked for."""
    try:
        return dataset.get(name)
    except BROKEN:
        return None


def window_of(dataset: pydicom.Dataset) -> str:
    """Return which window `read` shows: "VOI LUT", "window 2048/4096" (centre/width), "sigmoid 2048/4096" or "none".

    Of several windows the first is used; a table comes before a window. A window that lies beside every pixel is not
    used either, which a header alone cannot tell.
    """
    if field(dataset, "VOILUTSequence"):
        return "VOI LUT"
    window = _window(dataset)
    if window is None:
        return "none"
    shape = str(field(dataset, "VOILUTFunction") or "LINEAR").upper()
    name = {"SIGMOID": "sigmoid", "LINEAR_EXACT": "exact window"}.get(shape, "window")
    return f"{name} {window[0]:g}/{window[1]:g}"


def _window(dataset: pydicom.Dataset) -> tuple[float, float] | None:
    """Return (centre, width) of the first window; None where there is none that could be applied."""
    try:
        both = [field(dataset, name) for name in ("WindowCenter", "WindowWidth")]
        # A "\\" between numbers makes a list of them.
        centre, width = (float(v[0] if isinstance(v, pydicom.multival.MultiValue) else v) for v in both)
    except BROKEN:
        return None
    linear = str(field(dataset, "VOILUTFunction") or "LINEAR").upper() == "LINEAR"
    usable = width >= 1 if linear else width > 0
    return (centre, width) if np.isfinite(centre + width) and usable else None


def _parse(opened: BytesIO, start: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(opened, stop_before_pixels=True, force=start[128:132] != b"DICM")


def _check_plain(start: bytes) -> None:
    # A deflated file is inflated before any length in it can be read: a few kilobytes can become gigabytes.
    if DeflatedExplicitVRLittleEndian.encode() in start[:2048]:
        raise BadInput("the DICOM is deflated as a whole, which is not read; write it uncompressed")


def _open(data: bytes) -> pydicom.Dataset:
    _check_plain(data)
    try:
        return pydicom.dcmread(BytesIO(data), force=data[128:132] != b"DICM")
    except InvalidDicomError as error:
        raise BadInput("the file is no DICOM, or its beginning is lost") from error
    except BROKEN as error:
        raise BadInput(f"the DICOM's header is damaged ({type(error).__name__})") from error


def _check_header(dataset: pydicom.Dataset, n_bytes: int) -> None:
    """Raise BadInput unless the header describes one image of a size that can be, in a form that can be read."""
    try:
        if "PixelData" not in dataset:
            raise BadInput("the DICOM holds no image")
        rows, columns = int(dataset.Rows), int(dataset.Columns)
        frames = int(dataset.get("NumberOfFrames") or 1)
        samples, bits = int(dataset.SamplesPerPixel), int(dataset.BitsAllocated)
        colours = str(dataset.PhotometricInterpretation)
        stored = int(dataset.get("BitsStored") or bits)
        syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    except BROKEN as error:
        raise BadInput(f"the DICOM's header lacks what an image needs ({_why(error)})") from error
    decode.check_size(columns, rows, frames)
    if frames != 1:
        raise BadInput(f"the DICOM holds {frames} frames; a radiograph has one")
    if bits not in (8, 16) or samples not in (1, 3):
        raise BadInput(f"the DICOM has {samples} samples of {bits} bits a pixel; expected 1 or 3 of 8 or 16")
    if not 0 < stored <= bits:
        raise BadInput(f"the DICOM says that {stored} of {bits} bits a pixel are used")
    if not dataset.get("BitsStored"):
        dataset.BitsStored = stored  # the decoders ask for it; without it all bits are used
    if colours not in COLOURS:
        raise BadInput("the DICOM's photometric interpretation is none of " + ", ".join(sorted(COLOURS)))
    if syntax is None:
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        syntax = dataset.file_meta.TransferSyntaxUID
    if not isinstance(syntax, UID) or syntax.is_private or not syntax.is_transfer_syntax:
        raise BadInput(
            "the DICOM's transfer syntax is none of the standard's; write it uncompressed or as JPEG 2000"
        )
    if syntax.is_compressed:
        return _check_decoder(syntax, stored)
    expected = rows * columns * samples * bits // 8
    if n_bytes < expected:
        raise BadInput(f"the DICOM is cut off: {n_bytes:,} bytes for an image of {expected:,}")
    return None


def _check_decoder(syntax: UID, bits_stored: int) -> None:
    """Raise BadInput, naming the transfer syntax and the remedy, where nothing installed decodes it."""
    what = f"the DICOM is compressed as {syntax.name} ({syntax})"
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError as error:
        raise BadInput(f"{what}, which is not read; write it uncompressed or as JPEG 2000") from error
    lacking = [line for line in decoder.missing_dependencies if line.startswith("gdcm")]
    # Pillow reads the 8-bit kind only, and says that it reads them all.
    deep = syntax == JPEGExtended12Bit and bits_stored > 8
    if decoder.is_available and not (deep and lacking):
        return
    if lacking:
        raise BadInput(f"{what}, which needs the optional package python-gdcm; install it and import again")
    raise BadInput(f"{what}, for which no decoder is installed; write it uncompressed or as JPEG 2000")


def _display(dataset: pydicom.Dataset, stored: np.ndarray) -> np.ndarray:
    """Return the grey image as a reading room would show it.

    Every step depends on a pixel's value alone, so the steps are carried out on the 256 or 65,536 possible values and
    the image is looked up in the result: the same numbers, several times faster.
    """
    stored = np.ascontiguousarray(stored, stored.dtype.newbyteorder("="))
    index = stored.view(np.uint8 if stored.itemsize == 1 else np.uint16)
    levels = np.arange(2 ** (8 * stored.itemsize), dtype=index.dtype).view(stored.dtype)
    if any(name in dataset for name in ("PixelPaddingValue", "VOILUTSequence", "ModalityLUTSequence")):
        counts = cv2.calcHist([index], [0], None, [len(levels)], [0, len(levels)]).ravel()
    else:  # all steps rise or fall throughout: the two ends decide, and nobody need be counted
        counts = ((levels >= stored.min()) & (levels <= stored.max())).astype(np.float32)
    present = counts > 0
    values = _windowed(dataset, levels, present)
    padding = _padding(dataset, levels, counts)
    inverse = field(dataset, "PhotometricInterpretation") == "MONOCHROME1"
    if stored.dtype == np.uint8 and not padding.any() and np.array_equal(np.round(values), levels):
        if not inverse:
            return stored
        if field(dataset, "BitsStored") == 8:
            return cv2.bitwise_not(stored)
    inside = values[present & ~padding].astype(np.float32)
    if inside.size == 0:
        raise BadInput("the DICOM is padding from edge to edge")
    low, high = float(inside.min()), float(inside.max())
    if not np.isfinite(low + high):
        raise BadInput("the DICOM's rescale gives numbers that are not finite")
    shown = np.clip(values.astype(np.float32), low, high)
    shown = high - shown if inverse else shown - low
    shown[padding] = 0  # outside the detector is dark in either polarity
    table = (shown * (65535.0 / (high - low) if high > low else 0.0) + 0.5).astype(np.uint16)
    # OpenCV looks 16 bits up without NumPy's detour over 64-bit indices: five times as fast.
    return cv2.LUT(index, table) if index.dtype == np.uint16 else table[index]


def _windowed(dataset: pydicom.Dataset, levels: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Return (L,) real numbers: each stored value after the modality's and the reader's table."""
    try:
        values = apply_modality_lut(levels, dataset)
    except BROKEN as error:
        raise BadInput(f"the DICOM's modality table cannot be applied ({type(error).__name__})") from error
    if window_of(dataset) == "none":
        return values
    try:
        shown = apply_voi_lut(values, dataset)
    except BROKEN:
        return values  # an impossible window is no window: the whole range is shown
    seen = shown[present]
    # A window beside all values would leave nothing to see.
    return shown if seen.max() > seen.min() else values


def _padding(dataset: pydicom.Dataset, levels: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return (L,) bool: the stored values that mean "outside the detector"."""
    first = field(dataset, "PixelPaddingValue")
    if not isinstance(first, int):
        return np.zeros(len(levels), bool)
    last = field(dataset, "PixelPaddingRangeLimit")
    low, high = sorted((first, last if isinstance(last, int) else first))
    padding = (levels >= low) & (levels <= high)
    return padding & (counts[padding].sum() < MOSTLY * counts.sum())


def _why(error: Exception) -> str:
    """Return the first line of an error that speaks of pixels; what it quotes is left out."""
    if isinstance(error, AttributeError) and error.name:
        return f"no {error.name}"
    line = (str(error).strip().splitlines() or [""])[-1].strip()
    return type(error).__name__ if not line or "'" in line or '"' in line else line[:200]
