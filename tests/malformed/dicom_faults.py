"""What a hospital's archive can give in a radiograph's place: each fault writes one file of its own.

In:    a path, a source of randomness.
Out:   a DICOM file with something wrong in it.

READ must be read all the same; REFUSED must be left out with a reason; EITHER may be one or the other.
"""

import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests import fake_dicom

Fault = Callable[[Path, np.random.Generator], None]
FACTS = {"Modality": "DX", "BodyPartExamined": "CHEST", "PatientID": "4711", "ViewPosition": "PA"}


def write(path: Path, rng: np.random.Generator, **facts: Any) -> bytes:
    """Write a sound radiograph with some facts of its own, and return its bytes."""
    seed = int(rng.integers(1000))
    uid = {"SOPInstanceUID": f"1.2.3.{path.stem}{seed}", "StudyInstanceUID": f"1.2.4.{path.stem}"}
    packed, preamble = facts.pop("packed", ""), facts.pop("preamble", True)
    bits = 8 if packed == "jpeg" else 12
    fake_dicom.write(path, fake_dicom.picture(seed, bits), packed, preamble, **{**FACTS, **uid, **facts})
    return path.read_bytes()


def saying(**facts: Any) -> Fault:
    return lambda path, rng: write(path, rng, **facts)


def bytes_of(change: Callable[[bytearray, np.random.Generator], bytes], **facts: Any) -> Fault:
    return lambda path, rng: path.write_bytes(change(bytearray(write(path, rng, **facts)), rng))


def cut(share: float, **facts: Any) -> Fault:
    return bytes_of(lambda data, rng: bytes(data[: int(len(data) * share)]), **facts)


def changed(change: Callable[[Dataset], object], **facts: Any) -> Fault:
    """Return a fault that changes a parsed data set and writes it without any check."""

    def fault(path: Path, rng: np.random.Generator) -> None:
        made = pydicom.dcmread(BytesIO(write(path, rng, **facts)))
        change(made)
        made.save_as(path)

    return fault


def syntax(uid: str) -> Fault:
    def change(made: Dataset) -> None:
        made.file_meta.TransferSyntaxUID = uid

    def fault(path: Path, rng: np.random.Generator) -> None:
        data = write(path, rng)
        old = b"1.2.840.10008.1.2.1\0"
        at = data.index(old) - 8
        new = uid.encode() + b"\0" * (len(uid) % 2)
        path.write_bytes(data[: at + 6] + struct.pack("<H", len(new)) + new + data[at + 8 + len(old) :])

    return fault


def deflated(path: Path, rng: np.random.Generator) -> None:
    made = pydicom.dcmread(BytesIO(write(path, rng)))
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    made.save_as(path)


def nested(deep: int) -> Callable[[bytearray, np.random.Generator], bytes]:
    """Return a change that puts sequences into one another before the pixels."""
    opened = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closed = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"

    def change(data: bytearray, rng: np.random.Generator) -> bytes:
        at = data.rindex(PIXELS)
        return bytes(data[:at]) + opened * deep + closed * deep + bytes(data[at:])

    return change


def length(name: bytes, value: int) -> Callable[[bytearray, np.random.Generator], bytes]:
    """Return a change of the length of an element with a long header, such as the pixels'."""

    def change(data: bytearray, rng: np.random.Generator) -> bytes:
        at = data.rindex(name)
        data[at + 8 : at + 12] = struct.pack("<I", value)
        return bytes(data)

    return change


def number(tag: bytes, value: int) -> Callable[[bytearray, np.random.Generator], bytes]:
    """Return a change of a number of two bytes."""

    def change(data: bytearray, rng: np.random.Generator) -> bytes:
        at = data.index(tag + b"US")
        data[at + 8 : at + 10] = struct.pack("<H", value)
        return bytes(data)

    return change


def flip(at: float) -> Callable[[bytearray, np.random.Generator], bytes]:
    def change(data: bytearray, rng: np.random.Generator) -> bytes:
        data[int(at * (len(data) - 1))] ^= 1 << int(rng.integers(8))
        return bytes(data)

    return change


def fragments(data: bytearray, rng: np.random.Generator) -> bytes:
    """Claim that a fragment of the compressed picture goes on behind the file."""
    at = data.rindex(b"\xfe\xff\x00\xe0")
    data[at + 4 : at + 8] = struct.pack("<I", 2**31)
    return bytes(data)


PIXELS = b"\xe0\x7f\x10\x00OW\0\0"
ROWS, COLUMNS, ALLOCATED, STORED, SAMPLES = (
    b"\x28\x00\x10\x00", b"\x28\x00\x11\x00", b"\x28\x00\x00\x01", b"\x28\x00\x01\x01", b"\x28\x00\x02\x00"
)  # fmt: skip

READ: dict[str, Fault] = {
    "without a preamble": saying(preamble=False),
    "a window of no width": saying(WindowCenter="2000", WindowWidth="0"),
    "a window of negative width": saying(WindowCenter="2000", WindowWidth="-5"),
    "a window beside all values": saying(WindowCenter="60000", WindowWidth="2"),
    "a window of words": changed(lambda made: made.add_new("WindowWidth", "LO", "wide")),
    "a window of a thousand digits": changed(lambda made: made.add_new("WindowCenter", "LO", "9" * 1000), WindowWidth="10"),
    "several windows": saying(WindowCenter=["2000", "300"], WindowWidth=["3000", "20"]),
    "no bits stored": changed(lambda made: delattr(made, "BitsStored")),
    "no high bit": changed(lambda made: delattr(made, "HighBit")),
    "no patient": saying(PatientID=None),
    "an age of words": saying(PatientAge="old"),
    "a birth in the future": saying(PatientBirthDate="29991231"),
    "a birth of letters": changed(lambda made: made.add_new("PatientBirthDate", "LO", "yesterday")),
    "sequences twenty deep": bytes_of(nested(20)),
    "an empty table of values": changed(lambda made: setattr(made, "VOILUTSequence", Sequence([]))),
    "bytes behind its end": bytes_of(lambda data, rng: bytes(data) + rng.bytes(500)),
    "a name of a megabyte": changed(lambda made: made.add_new("PatientComments", "UT", "x" * 2**20)),
    "a name in an unknown alphabet": saying(SpecificCharacterSet="ISO_IR 999", PatientName="Müller".encode("latin-1")),
    "padding of every value": saying(PixelPaddingValue=0, PixelPaddingRangeLimit=65535),
    "JPEG 2000 inside": saying(packed="j2k"),
    "JPEG inside": saying(packed="jpeg"),
}  # fmt: skip
REFUSED: dict[str, Fault] = {
    **{f"cut at {share:.0%}": cut(share) for share in (0.005, 0.02, 0.05, 0.2, 0.5, 0.8, 0.95)},
    **{f"JPEG 2000, cut at {share:.0%}": cut(share, packed="j2k") for share in (0.1, 0.3)},
    **{f"JPEG, cut at {share:.0%}": cut(share, packed="jpeg") for share in (0.1, 0.3)},
    "no pixels": changed(lambda made: delattr(made, "PixelData")),
    "no rows": changed(lambda made: delattr(made, "Rows")),
    "no photometric interpretation": changed(lambda made: delattr(made, "PhotometricInterpretation")),
    "a photometric interpretation of its own": saying(PhotometricInterpretation="NEGATIVE"),
    "a palette": saying(PhotometricInterpretation="PALETTE COLOR"),
    "sixty thousand rows and columns": bytes_of(lambda data, rng: number(COLUMNS, 60000)(bytearray(number(ROWS, 60000)(data, rng)), rng)),
    "no row at all": bytes_of(number(ROWS, 0)),
    "more rows than pixels": bytes_of(number(ROWS, 5000)),
    "seven bits a pixel": bytes_of(number(ALLOCATED, 7)),
    "thirty-two bits a pixel": bytes_of(number(ALLOCATED, 32)),
    "five samples a pixel": bytes_of(number(SAMPLES, 5)),
    "more bits stored than there are": bytes_of(number(STORED, 60)),
    "a thousand frames": saying(NumberOfFrames=1000),
    "two billion frames": saying(NumberOfFrames=2**31 - 1),
    "deflated": deflated,
    "a syntax of nobody": syntax("1.2.3.4.5.6.7.8"),
    "a syntax that is compressed, over plain pixels": syntax("1.2.840.10008.1.2.4.90"),
    "a syntax of films": syntax("1.2.840.10008.1.2.4.103"),
    "a rescale to infinity": saying(RescaleSlope="1e308", RescaleIntercept="1e308"),
    "a rescale by nothing": saying(RescaleSlope="0", RescaleIntercept="0"),
    "text named DICOM": lambda path, rng: path.write_text("this is no DICOM\n" * 50),
    "a page named DICOM": lambda path, rng: path.write_text("<!DOCTYPE html><html>Sign in</html>"),
    "a PNG's first bytes named DICOM": lambda path, rng: path.write_bytes(b"\x89PNG\r\n\x1a\n" + rng.bytes(300)),
    "empty": lambda path, rng: path.write_bytes(b""),
    "the word DICM alone": lambda path, rng: path.write_bytes(bytes(128) + b"DICM"),
    "the word DICM and noise": lambda path, rng: path.write_bytes(bytes(128) + b"DICM" + rng.bytes(2000)),
    "zeros": lambda path, rng: path.write_bytes(bytes(5000)),
    "a Git LFS pointer": lambda path, rng: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
}  # fmt: skip
EITHER: dict[str, Fault] = {
    **{f"a bit flipped at {at:.1%}": bytes_of(flip(at)) for at in (0.024, 0.026, 0.03, 0.035, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.5)},
    **{f"JPEG 2000, a bit flipped at {at:.0%}": bytes_of(flip(at), packed="j2k") for at in (0.3, 0.45, 0.6, 0.9)},
    **{f"JPEG, a bit flipped at {at:.0%}": bytes_of(flip(at), packed="jpeg") for at in (0.4, 0.6, 0.9)},
    "JPEG 2000, cut in its picture": cut(0.8, packed="j2k"),
    "JPEG, cut in its picture": cut(0.8, packed="jpeg"),
    "sequences three hundred deep": bytes_of(nested(300)),
    "sequences a hundred thousand deep": bytes_of(nested(100_000)),
    "pixels that claim to be longer": bytes_of(length(PIXELS, 2**31)),
    "a fragment that claims to be longer": bytes_of(fragments, packed="j2k"),
    "pixels that claim to be shorter": bytes_of(length(PIXELS, 100)),
    "fewer rows than pixels": bytes_of(number(ROWS, 20)),
    "a big-endian syntax over little-endian pixels": syntax("1.2.840.10008.1.2.2"),
    "an implicit syntax over explicit elements": syntax("1.2.840.10008.1.2"),
    "signed pixels": saying(PixelRepresentation=1),
    "two pictures of one name": saying(SOPInstanceUID="1.2.3.4.5.6"),
    "two pictures of one name, again": saying(SOPInstanceUID="1.2.3.4.5.6"),
    "a rescale of words": changed(lambda made: (made.add_new("RescaleSlope", "LO", "steep"), made.add_new("RescaleIntercept", "LO", "x"))),
    "a table of values that is too short": changed(
        lambda made: setattr(made, "ModalityLUTSequence", Sequence([_table([3, 0, 16], b"\1\0\2\0")]))
    ),
    "a table of values that claims more": changed(
        lambda made: setattr(made, "VOILUTSequence", Sequence([_table([60000, 0, 16], b"\1\0\2\0")]))
    ),
}  # fmt: skip


def _table(descriptor: list[int], data: bytes) -> Dataset:
    made = Dataset()
    made.add_new("LUTDescriptor", "US", descriptor)
    made.add_new("LUTData", "OW", data)
    made.add_new("ModalityLUTType", "LO", "US")
    return made
