"""Writes real DICOM files for the fakes of the sites: plain, JPEG 2000 or JPEG, of any depth and polarity."""

from io import BytesIO

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit

RADIOGRAPH = "1.2.840.10008.5.1.4.1.1.1"  # Computed Radiography Image Storage


def picture(seed, bits=12, px=(56, 48)):
    """A smooth picture with structure, (56, 48) of `bits` bits."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: px[0], : px[1]] / max(px)
    a, b, c = rng.uniform(2, 6, 3)
    wave = np.sin(a * x * 2) * np.cos(b * y * 2) + 0.3 * np.sin(c * (x + y) * 4)
    wave = (wave - wave.min()) / (wave.max() - wave.min())
    return (wave * (2**bits - 1)).astype(np.uint8 if bits <= 8 else np.uint16)


def write(path, pixels, packed="", preamble=True, bits=None, **facts):
    """Write one DICOM file; `packed` is "", "j2k" or "jpeg". A fact that is None is left out."""
    bits = bits or (8 if pixels.dtype == np.uint8 else 12)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = facts.get("SOPClassUID", RADIOGRAPH)
    meta.MediaStorageSOPInstanceUID = facts.get("SOPInstanceUID") or "1.2.3"
    made = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID = meta.MediaStorageSOPClassUID
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = pixels.shape
    made.BitsAllocated, made.PixelRepresentation = pixels.dtype.itemsize * 8, 0
    made.BitsStored, made.HighBit = bits, bits - 1
    made.add_new("PixelData", "OB" if made.BitsAllocated == 8 else "OW", pixels.tobytes())
    if packed:
        frame, how = (
            BytesIO(),
            {"no_jp2": True, "irreversible": False} if packed == "j2k" else {"quality": 95},
        )
        Image.fromarray(pixels).save(frame, "JPEG2000" if packed == "j2k" else "JPEG", **how)
        meta.TransferSyntaxUID = JPEG2000Lossless if packed == "j2k" else JPEGBaseline8Bit
        made.add_new("PixelData", "OB", pydicom.encaps.encapsulate([frame.getvalue()]))
        made["PixelData"].is_undefined_length = True
    for name, value in facts.items():
        if value is not None:
            setattr(made, name, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, made, enforce_file_format=True)
    data = buffer.getvalue()
    if not preamble:  # the data set alone, as some old archives keep it
        whole = pydicom.dcmread(BytesIO(data))
        buffer = BytesIO()
        pydicom.dcmwrite(buffer, pydicom.Dataset(whole), implicit_vr=True, little_endian=True)
        data = buffer.getvalue()
    path.write_bytes(data)
    return path
