"""The bytes of one DICOM file → one grey image, bone bright.

In:    the bytes of a file.
Out:   (H, W) uint8 where the file has 8 bits and no window, else uint16.
Never: names, ages or any other field of a person.
"""

from io import BytesIO

import cv2
import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError
from pydicom.pixels import apply_modality_lut, apply_voi_lut, pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian

from cxrlab.errors import BadInput
from cxrlab.images import decode

# What pydicom and the decoders below it raise on files that lie or lack a part.
_BROKEN = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    TypeError,
    ValueError,
)


def read(data: bytes) -> np.ndarray:
    """Return the image in `data`, (H, W) uint8 or uint16, bone bright.

    Order: modality LUT or rescale, VOI LUT or window, invert MONOCHROME1, scale. The window's numbers refer to the
    values before inversion; inverting first moves the window. DICOM PS3.4, N.2.

    Raises:
        BadInput: not DICOM, no image, several frames, too large a claim, cut off, or a compression without decoder.
    """
    dataset = _open(data)
    _check_header(dataset, len(data))
    try:
        stored = pixel_array(dataset)  # colour comes as RGB
    except _BROKEN as error:
        raise BadInput(f"the DICOM's pixels cannot be decoded ({_why(error)})") from error
    if stored.ndim == 3:
        return decode.grey(np.ascontiguousarray(stored[:, :, ::-1]))
    return _display(dataset, stored)


def _open(data: bytes) -> pydicom.Dataset:
    # A deflated file is inflated before any length in it can be read: a few kilobytes can become gigabytes.
    if DeflatedExplicitVRLittleEndian.encode() in data[:2048]:
        raise BadInput("the DICOM is deflated as a whole, which is not read; write it uncompressed")
    try:
        return pydicom.dcmread(BytesIO(data), force=data[128:132] != b"DICM")
    except InvalidDicomError as error:
        raise BadInput("the file is named as DICOM but is none") from error
    except _BROKEN as error:
        raise BadInput(f"the DICOM's header is damaged ({_why(error)})") from error


def _check_header(dataset: pydicom.Dataset, n_bytes: int) -> None:
    """Raise BadInput unless the header describes one image of a size that can be."""
    try:
        if "PixelData" not in dataset:
            raise BadInput("the DICOM holds no image")
        rows, columns = int(dataset.Rows), int(dataset.Columns)
        frames = int(dataset.get("NumberOfFrames") or 1)
        samples, bits = int(dataset.SamplesPerPixel), int(dataset.BitsAllocated)
        syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    except _BROKEN as error:
        raise BadInput(f"the DICOM's header lacks what an image needs ({_why(error)})") from error
    decode.check_size(columns, rows, frames)
    if frames != 1:
        raise BadInput(f"the DICOM holds {frames} frames; a radiograph has one")
    if bits not in (8, 16) or samples not in (1, 3):
        raise BadInput(f"the DICOM has {samples} samples of {bits} bits a pixel; expected 1 or 3 of 8 or 16")
    if syntax is None:
        dataset.file_meta = pydicom.dataset.FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        syntax = dataset.file_meta.TransferSyntaxUID
    expected = rows * columns * samples * bits // 8
    if not syntax.is_compressed and n_bytes < expected:
        raise BadInput(f"the DICOM is cut off: {n_bytes:,} bytes for an image of {expected:,}")


def _display(dataset: pydicom.Dataset, stored: np.ndarray) -> np.ndarray:
    """Return the grey image as a reading room would show it."""
    try:
        values = apply_modality_lut(stored, dataset)
    except _BROKEN as error:
        raise BadInput(f"the DICOM's modality table cannot be applied ({_why(error)})") from error
    windowed = False
    if "VOILUTSequence" in dataset or "WindowCenter" in dataset:
        try:
            shown = apply_voi_lut(values, dataset)
            windowed = bool(
                shown.max() > shown.min()
            )  # a window beside all values would leave nothing to see
        except _BROKEN:
            windowed = (
                False  # an impossible window (width 0, no centre) is no window: the whole range is shown
            )
        values = shown if windowed else values
    inverse = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
    padding = _padding(dataset, stored)
    if values.dtype == np.uint8 and not windowed and padding is None:
        return (
            cv2.bitwise_not(values)
            if inverse and dataset.BitsStored == 8
            else _stretch(values, inverse, None)
        )
    return _stretch(values, inverse, padding)


def _stretch(values: np.ndarray, inverse: bool, padding: np.ndarray | None) -> np.ndarray:
    if values.dtype == np.uint8 and not inverse and padding is None:
        return values
    values = values.astype(np.float32)
    inside = values if padding is None else values[~padding]
    if inside.size == 0:
        raise BadInput("the DICOM is padding from edge to edge")
    low, high = float(inside.min()), float(inside.max())
    values = np.clip(values, low, high)
    if inverse:
        values = high + low - values
    if padding is not None:
        values[padding] = low  # outside the detector is dark in either polarity
    return decode.to_uint16(values)


def _padding(dataset: pydicom.Dataset, stored: np.ndarray) -> np.ndarray | None:
    """Return (H, W) bool, true outside the detector; None where the file marks nothing."""
    first = dataset.get("PixelPaddingValue")
    if not isinstance(first, int):
        return None
    last = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((first, last if isinstance(last, int) else first))
    padding = (stored >= low) & (stored <= high)
    # Some devices name white or black itself as padding; an image that would vanish is not padding.
    return padding if 0 < padding.mean() < 0.9 else None


def _why(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
