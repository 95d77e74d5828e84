"""A DICOM file is shown as a reading room would show it, and never believed."""

from io import BytesIO

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut, get_decoder
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from cxrlab.errors import BadInput
from cxrlab.images import decode, dicom

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


def encode(pixels, kind, **how):
    """One frame as Pillow writes it, for `compressed`."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **how)
    return buffer.getvalue()


def compressed(path, frame, syntax, pixels=RAMP, **facts):
    make(path, pixels, **facts)
    opened = pydicom.dcmread(path)
    opened.file_meta.TransferSyntaxUID = syntax
    opened.PixelData = pydicom.encaps.encapsulate([frame])
    opened["PixelData"].VR = "OB"
    opened["PixelData"].is_undefined_length = True
    opened.save_as(path)
    return path


def test_jpeg_2000_of_12_bits_is_the_same_image_as_uncompressed(tmp_path):
    frame = encode(RAMP, "JPEG2000", no_jp2=True, irreversible=False)
    packed = decode.read(compressed(tmp_path / "a.dcm", frame, JPEG2000Lossless))
    assert np.array_equal(packed, decode.read(make(tmp_path / "b.dcm")))


def test_baseline_jpeg_is_decoded(tmp_path):
    pixels = np.tile(np.arange(64, dtype=np.uint8) * 4, (48, 1))
    facts = {"BitsStored": 8, "HighBit": 7}
    path = compressed(
        tmp_path / "a.dcm", encode(pixels, "JPEG", quality=95), JPEGBaseline8Bit, pixels, **facts
    )
    assert np.abs(decode.read(path).astype(int) - pixels).max() <= 3


def test_ybr_colour_becomes_grey(tmp_path):
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, :32, 0] = 255
    facts = {"BitsStored": 8, "HighBit": 7, "SamplesPerPixel": 3, "PlanarConfiguration": 0}
    path = compressed(
        tmp_path / "a.dcm", encode(pixels, "JPEG", quality=95), JPEGBaseline8Bit, pixels,
        PhotometricInterpretation="YBR_FULL_422", **facts,
    )  # fmt: skip
    assert abs(int(decode.read(path)[0, 0]) - 76) <= 2 and decode.read(path)[0, -1] <= 2


def test_run_lengths_are_decoded(tmp_path):
    path = make(tmp_path / "a.dcm")
    opened = pydicom.dcmread(path)
    opened.compress(RLELossless)
    opened.save_as(tmp_path / "b.dcm")
    assert np.array_equal(decode.read(tmp_path / "b.dcm"), decode.read(path))


def test_big_endian_pixels_are_the_same_image(tmp_path):
    data = BytesIO()
    opened = pydicom.dcmread(make(tmp_path / "a.dcm"))
    opened.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    opened.PixelData = RAMP.astype(">u2").tobytes()
    pydicom.dcmwrite(data, opened, implicit_vr=False, little_endian=False)
    (tmp_path / "b.dcm").write_bytes(data.getvalue())
    assert np.array_equal(decode.read(tmp_path / "b.dcm"), decode.read(tmp_path / "a.dcm"))


@pytest.mark.parametrize(
    ("syntax", "name"),
    [(JPEGLosslessSV1, "JPEG Lossless"), (JPEGLSLossless, "JPEG-LS"), (JPEGExtended12Bit, "JPEG Extended")],
)
def test_a_compression_without_decoder_names_itself_and_its_remedy(tmp_path, syntax, name):
    if any("gdcm" in plugin for plugin in get_decoder(syntax).available_plugins):
        pytest.skip("python-gdcm is installed here, so that nothing is lacking")
    path = compressed(tmp_path / "a.dcm", b"\xff\xd8" + bytes(600), syntax)
    with pytest.raises(BadInput, match=rf"compressed as {name}.*{syntax}.*python-gdcm; install it"):
        decode.read(path)


def test_an_unknown_compression_is_a_sentence(tmp_path):
    data = make(tmp_path / "a.dcm").read_bytes()
    plain = ExplicitVRLittleEndian.encode() + b"\0"
    for uid in (b"1.2.840.10008.1.2.4.95", b"1.2.840.10008.9.99", b"9.9.99"):  # video, unknown, not DICOM's
        said = data.replace(bytes([len(plain), 0]) + plain, bytes([len(uid), 0]) + uid)
        (tmp_path / "b.dcm").write_bytes(said)
        with pytest.raises(BadInput, match=r"which is not read|none of the standard's"):
            decode.read(tmp_path / "b.dcm")


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_every_depth_fills_the_grey_range(tmp_path, bits, signed):
    top = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    low = -(2 ** (bits - 1)) if signed else 0
    pixels = np.tile(np.linspace(low, top, 64).round(), (48, 1)).astype(np.int16 if signed else np.uint16)
    facts = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": int(signed)}
    shown = decode.read(make(tmp_path / "a.dcm", pixels, **facts))
    assert shown[0, 0] == 0 and shown[0, -1] == 65535 and (np.diff(shown[0].astype(int)) > 0).all()


def test_monochrome1_is_inverted_once_and_not_twice(tmp_path):
    """The double-inversion trap: PresentationLUTShape INVERSE says the same once more."""
    facts = {"PhotometricInterpretation": "MONOCHROME1"}
    once = decode.read(make(tmp_path / "a.dcm", **facts))
    said_twice = decode.read(make(tmp_path / "b.dcm", PresentationLUTShape="INVERSE", **facts))
    assert once[0, 0] == 65535 and np.array_equal(once, said_twice)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("inverse", [False, True])
def test_the_steps_on_possible_values_are_the_steps_on_pixels(tmp_path, function, inverse):
    facts = {"WindowCenter": [1500, 10], "WindowWidth": [1800, 3], "VOILUTFunction": function,
             "RescaleSlope": 1.5, "RescaleIntercept": -100,
             "PhotometricInterpretation": f"MONOCHROME{1 if inverse else 2}"}  # fmt: skip
    path = make(tmp_path / "a.dcm", **facts)
    opened = pydicom.dcmread(path)
    plain = apply_voi_lut(apply_modality_lut(opened.pixel_array, opened), opened)
    plain = plain.max() - plain if inverse else plain - plain.min()
    wanted = plain * 65535 / plain.max()
    assert np.abs(decode.read(path).astype(float) - wanted).max() <= 1


def test_of_several_windows_the_first_is_used_and_recorded(tmp_path):
    one = make(tmp_path / "a.dcm", WindowCenter=1500, WindowWidth=1000)
    two = make(tmp_path / "b.dcm", WindowCenter=[1500, 99], WindowWidth=[1000, 3])
    assert np.array_equal(decode.read(one), decode.read(two))
    assert dicom.window_of(dicom.header(two)) == "window 1500/1000"


def test_a_voi_table_comes_before_a_window(tmp_path):
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table.add_new("LUTData", "OW", np.arange(4095, -1, -1, dtype="<u2").tobytes())
    path = make(tmp_path / "a.dcm", VOILUTSequence=[table], WindowCenter=100, WindowWidth=3)
    shown = decode.read(path)
    assert shown[0, 0] == 65535 and shown[0, -1] == 0 and len(np.unique(shown)) == 64
    assert dicom.window_of(dicom.header(path)) == "VOI LUT"


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "none"),
        ({"WindowCenter": 2048.5, "WindowWidth": 4096}, "window 2048.5/4096"),
        ({"WindowCenter": 100, "WindowWidth": 0}, "none"),
        ({"WindowCenter": 100}, "none"),
        ({"WindowCenter": 9, "WindowWidth": 4, "VOILUTFunction": "SIGMOID"}, "sigmoid 9/4"),
        ({"WindowCenter": 9, "WindowWidth": 0.5, "VOILUTFunction": "LINEAR_EXACT"}, "exact window 9/0.5"),
        ({"VOILUTSequence": []}, "none"),
    ],
)
def test_the_header_alone_tells_which_window_is_used(tmp_path, facts, said):
    path = make(tmp_path / "a.dcm", **facts)
    assert dicom.window_of(dicom.header(path)) == said
    assert decode.read(path).max() == 65535


def test_a_rescale_that_changes_nothing_keeps_8_bit_values(tmp_path):
    pixels = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
    made = make(tmp_path / "a.dcm", pixels, BitsStored=8, HighBit=7, RescaleSlope=1, RescaleIntercept=0)
    assert np.array_equal(decode.read(made), pixels)


def test_a_plane_a_colour_is_the_same_grey(tmp_path):
    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:, :32, 0] = 255
    facts = {
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
        "BitsStored": 8,
        "HighBit": 7,
        "PlanarConfiguration": 1,
        "PixelData": np.ascontiguousarray(np.moveaxis(pixels, 2, 0)).tobytes(),
    }
    assert decode.read(make(tmp_path / "a.dcm", pixels, **facts))[0, 0] == 76


def test_indices_of_a_palette_are_not_taken_for_greys(tmp_path):
    with pytest.raises(BadInput, match="photometric interpretation"):
        decode.read(make(tmp_path / "a.dcm", PhotometricInterpretation="PALETTE COLOR"))


def test_a_long_header_is_read_whole_and_no_pixel_with_it(tmp_path):
    path = make(tmp_path / "a.dcm", ImageComments="x" * 5, WindowCenter=9, WindowWidth=4)
    opened = pydicom.dcmread(path)
    block = opened.private_block(0x0009, "SOMEBODY", create=True)
    block.add_new(0x01, "OB", bytes(2 * dicom.HEAD_BYTES))
    opened.save_as(path)
    found = dicom.header(path)
    assert found.Rows == 48 and found.WindowCenter == 9 and "PixelData" not in found


def test_a_reason_quotes_nothing_of_the_file(tmp_path, recwarn):
    path = make(tmp_path / "a.dcm", PatientName="Mustermann^Erika", PatientID="4711-0815")
    data = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(150):
        broken = bytearray(data)
        for at in rng.integers(128, len(data) - RAMP.nbytes, 6):
            broken[at] = rng.integers(0, 256)
        path.write_bytes(bytes(broken[: rng.integers(200, len(data))]))
        for look in (decode.read, dicom.header):
            try:
                look(path)
            except BadInput as error:
                assert "Erika" not in str(error) and "4711" not in str(error)
    assert not [w for w in recwarn if "Erika" in str(w.message) or "4711" in str(w.message)]
