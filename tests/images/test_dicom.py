"""A DICOM file is shown as a reading room would show it, and never believed."""

from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, JPEG2000Lossless

from cxrlab.errors import BadInput
from cxrlab.images import decode

RAMP = np.tile(np.arange(64, dtype=np.uint16) * 60, (48, 1))  # 0..3780, as 12 bits are


def make(path, pixels=RAMP, syntax=ExplicitVRLittleEndian, **facts):
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    made = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    bits = pixels.dtype.itemsize * 8
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = pixels.shape[:2]
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = (
        bits,
        min(bits, 12),
        min(bits, 12) - 1,
        0,
    )
    if bits == 16:
        made.add_new("PixelData", "OW", pixels.tobytes())
    else:
        made.add_new("PixelData", "OB", pixels.tobytes())
    for name, value in facts.items():
        setattr(made, name, value)
    pydicom.dcmwrite(path, made, enforce_file_format=True)
    return path


def test_bone_is_bright_in_either_polarity(tmp_path):
    plain = decode.read(make(tmp_path / "a.dcm"))
    inverse = decode.read(make(tmp_path / "b.dcm", PhotometricInterpretation="MONOCHROME1"))
    assert plain.dtype == np.uint16 and plain[0, 0] == 0 and plain[0, -1] == 65535
    assert inverse[0, 0] == 65535 and inverse[0, -1] == 0


def test_the_window_is_applied_before_the_inversion(tmp_path):
    # Values below 1000 are cut off by the window; after MONOCHROME1's inversion that end is white.
    window = {"WindowCenter": 2390, "WindowWidth": 2780, "PhotometricInterpretation": "MONOCHROME1"}
    shown = decode.read(make(tmp_path / "a.dcm", **window))
    assert (shown[0, :16] == 65535).all() and shown[0, 20] < 65535 and shown[0, -1] == 0


def test_rescale_comes_before_the_window(tmp_path):
    shown = decode.read(
        make(tmp_path / "a.dcm", RescaleSlope=2, RescaleIntercept=-1000, WindowCenter=2000, WindowWidth=2000)
    )
    values = RAMP[0].astype(float) * 2 - 1000
    assert (shown[0, values < 900] == 0).all() and (shown[0, values > 3100] == 65535).all()
    assert 25000 < shown[0, np.abs(values - 2000).argmin()] < 40000


@pytest.mark.parametrize(
    "window", [{"WindowCenter": 100, "WindowWidth": 0}, {"WindowCenter": 1e6, "WindowWidth": 10}]
)
def test_an_impossible_window_shows_the_whole_range(tmp_path, window):
    shown = decode.read(make(tmp_path / "a.dcm", **window))
    assert shown[0, 0] == 0 and shown[0, -1] == 65535


def test_padding_is_dark_in_either_polarity_and_sets_no_range(tmp_path):
    pixels = RAMP + 100
    pixels[:, :5] = 4095
    for polarity in ("MONOCHROME1", "MONOCHROME2"):
        shown = decode.read(
            make(tmp_path / "a.dcm", pixels, PixelPaddingValue=4095, PhotometricInterpretation=polarity)
        )
        assert (shown[:, :5] == 0).all() and shown[:, 5:].max() == 65535


def test_8_bits_without_window_keep_their_values(tmp_path):
    pixels = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
    made = make(tmp_path / "a.dcm", pixels, BitsStored=8, HighBit=7)
    assert np.array_equal(decode.read(made), pixels)
    made = make(tmp_path / "a.dcm", pixels, BitsStored=8, HighBit=7, PhotometricInterpretation="MONOCHROME1")
    assert np.array_equal(decode.read(made), 255 - pixels)


def test_colour_becomes_grey(tmp_path):
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, :32, 0] = 255  # red
    made = make(
        tmp_path / "a.dcm", pixels, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
        BitsStored=8, HighBit=7,
    )  # fmt: skip
    assert decode.read(made)[0, 0] == 76  # 0.299 of 255


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"Rows": 60000, "Columns": 60000}, "claims 60000 x 60000"),
        ({"NumberOfFrames": 100_000}, "100000 frames"),
        ({"NumberOfFrames": 2}, "2 frames; a radiograph has one"),
        ({"BitsAllocated": 32}, "32 bits"),
        ({"SamplesPerPixel": 4}, "4 samples"),
        ({"Rows": 4000}, "cut off"),
        ({"Rows": 0}, "at least 16"),
        ({"Rows": None}, "lacks"),
        ({"syntax": DeflatedExplicitVRLittleEndian}, "deflated"),
    ],
)
def test_a_header_that_lies_is_refused_before_the_pixels(tmp_path, facts, reason):
    with pytest.raises(BadInput, match=reason):
        decode.read(make(tmp_path / "a.dcm", **facts))


def test_a_file_without_image_is_a_reason(tmp_path):
    path = make(tmp_path / "a.dcm")
    opened = pydicom.dcmread(path)
    del opened.PixelData
    opened.save_as(path)
    with pytest.raises(BadInput, match="holds no image"):
        decode.read(path)


def test_a_file_cut_off_is_a_reason(tmp_path):
    path = make(tmp_path / "a.dcm")
    data = path.read_bytes()
    for kept in (150, 300, len(data) // 2, len(data) - 100):
        path.write_bytes(data[:kept])
        with pytest.raises(BadInput):
            decode.read(path)


def test_a_file_only_named_as_dicom_is_a_reason(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"no DICOM at all " * 40)
    with pytest.raises(BadInput):
        decode.read(tmp_path / "a.dcm")


def test_damaged_compressed_pixels_are_a_reason(tmp_path):
    path = make(tmp_path / "a.dcm")
    opened = pydicom.dcmread(path)
    opened.file_meta.TransferSyntaxUID = JPEG2000Lossless
    opened.PixelData = pydicom.encaps.encapsulate([b"\xff\x4f\xff\x51" + b"\x01" * 200])
    opened["PixelData"].is_undefined_length = True
    buffer = BytesIO()
    opened.save_as(buffer)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(BadInput, match="cannot be decoded"):
        decode.read(path)
