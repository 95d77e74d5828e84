"""What happens to images on their way to a person: each fault puts something in a sound picture's place.

In:    a path that holds a sound PNG; a source of randomness.
Out:   the same path with something else, perhaps no file at all.

READ must be read all the same; REFUSED must be left out with a reason; EITHER may be one or the other: what was lost
leaves no trace in a format without checksums.
"""

import contextlib
import io
import os
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

Fault = Callable[[Path, np.random.Generator], None]
SIDE = 48


def picture(rng: np.random.Generator, dtype: type = np.uint8) -> np.ndarray:
    """Return (SIDE, SIDE) with structure, so that no part of it is blank."""
    y, x = np.mgrid[:SIDE, :SIDE]
    smooth = (np.sin(x / 7) + np.cos(y / 5) + 2) / 4 * np.iinfo(dtype).max * 0.8
    return (smooth + rng.uniform(0, 0.15, smooth.shape) * np.iinfo(dtype).max).astype(dtype)


def encoded(kind: str, image: Image.Image, **how: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def png(rng: np.random.Generator) -> bytes:
    return cv2.imencode(".png", picture(rng))[1].tobytes()


def saved(kind: str, mode: str = "L", **how: object) -> Fault:
    return lambda path, rng: path.write_bytes(
        encoded(kind, Image.fromarray(picture(rng)).convert(mode), **how)
    )


def holding(data: bytes) -> Fault:
    return lambda path, rng: path.write_bytes(data)


def cut(kind: str, share: float, **how: object) -> Fault:
    def change(path: Path, rng: np.random.Generator) -> None:
        data = encoded(kind, Image.fromarray(picture(rng)), **how)
        path.write_bytes(data[: int(len(data) * share)])

    return change


def flipped(kind: str, at: float) -> Fault:
    def change(path: Path, rng: np.random.Generator) -> None:
        data = bytearray(encoded(kind, Image.fromarray(picture(rng))))
        data[int(at * (len(data) - 1))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(data))

    return change


def zeroed(kind: str) -> Fault:
    def change(path: Path, rng: np.random.Generator) -> None:
        data = encoded(kind, Image.fromarray(picture(rng)))
        path.write_bytes(data[: len(data) // 3] + bytes(len(data) - len(data) // 3))

    return change


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def claiming(width: int, height: int, depth: int = 8, colour: int = 0) -> bytes:
    """Return a PNG with sound checksums that claims a size which its pixels do not have."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(999)))
        + chunk(b"IEND", b"")
    )


def bomb(path: Path, rng: np.random.Generator) -> None:
    """A PNG of 60 million pixels in 60 kilobytes, cut: it must end, quickly."""
    head = struct.pack(">IIBBBBB", 8000, 7500, 8, 0, 0, 0, 0)
    body = zlib.compress(bytes(8001 * 7500), 9)[:-9]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b""))


def jpeg_claiming(path: Path, rng: np.random.Generator) -> None:
    data = bytearray(encoded("JPEG", Image.fromarray(picture(rng))))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65000, 65000)
    path.write_bytes(bytes(data))


def jpeg_without_end(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(encoded("JPEG", Image.fromarray(picture(rng)))[:-2])


def no_file(make: Callable[[Path], object]) -> Fault:
    def change(path: Path, rng: np.random.Generator) -> None:
        path.unlink()
        make(path)

    return change


def unreadable(path: Path, rng: np.random.Generator) -> None:
    path.chmod(0)


def sparse(size: int) -> Fault:
    def change(path: Path, rng: np.random.Generator) -> None:
        path.write_bytes(b"\x89PNG\r\n\x1a\n")
        os.truncate(path, size)

    return change


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def listening(path: Path) -> None:
    here = os.open(".", os.O_RDONLY)  # a socket's name may be 108 letters long
    try:
        os.chdir(path.parent)
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as bound:
            bound.bind(path.name)
    finally:
        os.fchdir(here)
        os.close(here)


def two_in_one(kind: str, **how: object) -> Fault:
    def change(path: Path, rng: np.random.Generator) -> None:
        first, *more = (Image.fromarray(picture(rng)) for _ in range(3))
        path.write_bytes(encoded(kind, first, save_all=True, append_images=more, **how))

    return change


def deep_png(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(cv2.imencode(".png", picture(rng, np.uint16))[1].tobytes())


def of_float(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(encoded("TIFF", Image.fromarray(picture(rng).astype(np.float32))))


def of_nan(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(encoded("TIFF", Image.fromarray(np.full((SIDE, SIDE), np.nan, np.float32))))


READ: dict[str, Fault] = {
    "PNG of 16 bits": deep_png,
    "PNG with a palette": saved("PNG", "P"),
    "PNG of one bit": saved("PNG", "1"),
    "PNG with transparency": saved("PNG", "RGBA"),
    "PNG with comments behind its end": lambda path, rng: path.write_bytes(png(rng) + b"behind the end" * 9),
    "JPEG named PNG": saved("JPEG"),
    "JPEG of four inks": saved("JPEG", "CMYK"),
    "JPEG in colour": saved("JPEG", "RGB"),
    "JPEG that is progressive": saved("JPEG", progressive=True),
    "JPEG with text behind its end": lambda path, rng: path.write_bytes(
        encoded("JPEG", Image.fromarray(picture(rng))) + b"camera's notes" * 9
    ),
    "WebP named PNG": saved("WEBP", lossless=True),
    "BMP named PNG": saved("BMP"),
    "TIFF named PNG": saved("TIFF"),
    "TIFF of floating numbers": of_float,
    "a link to a picture": no_file(lambda path: path.symlink_to("../sound/0.png")),
}  # fmt: skip
REFUSED: dict[str, Fault] = {
    **{f"PNG cut at {share:.0%}": cut("PNG", share) for share in (0.005, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 0.995)},
    **{f"JPEG cut at {share:.0%}": cut("JPEG", share) for share in (0.01, 0.1, 0.3, 0.6, 0.9, 0.99)},
    **{f"progressive JPEG cut at {share:.0%}": cut("JPEG", share, progressive=True) for share in (0.3, 0.6, 0.9)},
    **{f"WebP cut at {share:.0%}": cut("WEBP", share) for share in (0.1, 0.5, 0.95)},
    **{f"TIFF cut at {share:.0%}": cut("TIFF", share) for share in (0.1, 0.5, 0.9)},
    **{f"PNG with a bit flipped at {at:.0%}": flipped("PNG", at) for at in (0.0, 0.008, 0.02, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.98)},
    "PNG whose end is zeros": zeroed("PNG"),
    "JPEG whose end is zeros": zeroed("JPEG"),
    "PNG that claims 60,000 x 60,000": holding(claiming(60_000, 60_000)),
    "PNG that claims 2 billion a side": holding(claiming(2**31 - 1, 2**31 - 1)),
    "PNG that claims no side": holding(claiming(0, 0)),
    "PNG that claims more than it has": holding(claiming(500, 500)),
    "PNG of a depth that there is not": holding(claiming(64, 64, 7)),
    "PNG of a colour that there is not": holding(claiming(64, 64, 8, 5)),
    "PNG of 60 million pixels, cut": bomb,
    "JPEG that claims 65,000 x 65,000": jpeg_claiming,
    "JPEG without its end": jpeg_without_end,
    "one pixel": lambda path, rng: path.write_bytes(encoded("PNG", Image.new("L", (1, 1)))),
    "a line of pixels": lambda path, rng: path.write_bytes(encoded("PNG", Image.new("L", (4000, 1)))),
    "all black": lambda path, rng: path.write_bytes(encoded("PNG", Image.new("L", (SIDE, SIDE)))),
    "all white": lambda path, rng: path.write_bytes(encoded("JPEG", Image.new("L", (SIDE, SIDE), 255))),
    "all transparent": lambda path, rng: path.write_bytes(encoded("PNG", Image.new("RGBA", (SIDE, SIDE)))),
    "not a number anywhere": of_nan,
    "empty": holding(b""),
    "one byte": holding(b"\x89"),
    "zeros": holding(bytes(4096)),
    "text": holding(b"this is no picture\n" * 20),
    "a web page": holding(b"<!DOCTYPE html><html><body>Sign in</body></html>"),
    "a drawing in XML": holding(b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'),
    "a Git LFS pointer": holding(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n"),
    "a PDF": holding(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n"),
    "a ZIP": lambda path, rng: path.write_bytes(b"PK\x03\x04" + rng.bytes(800)),
    "a pickle": holding(b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94."),
    "random bytes": lambda path, rng: path.write_bytes(rng.bytes(3000)),
    "random bytes after a PNG's first": lambda path, rng: path.write_bytes(b"\x89PNG\r\n\x1a\n" + rng.bytes(3000)),
    "random bytes after a JPEG's first": lambda path, rng: path.write_bytes(b"\xff\xd8\xff\xe0" + rng.bytes(3000)),
    "random bytes after a TIFF's first": lambda path, rng: path.write_bytes(b"II*\0" + rng.bytes(3000)),
    "random bytes after a BMP's first": lambda path, rng: path.write_bytes(b"BM" + rng.bytes(3000)),
    "random bytes after a WebP's first": lambda path, rng: path.write_bytes(b"RIFF\x40\0\0\0WEBPVP8 " + rng.bytes(3000)),
    "random bytes after a GIF's first": lambda path, rng: path.write_bytes(b"GIF89a" + rng.bytes(3000)),
    "a link to nothing": no_file(lambda path: path.symlink_to("nowhere.png")),
    "a link to itself": no_file(loop),
    "a link to endless zeros": no_file(lambda path: path.symlink_to("/dev/zero")),
    "a pipe that nobody writes": no_file(lambda path: os.mkfifo(path)),
    "a socket": no_file(listening),
    "a hole of a gigabyte": sparse(2**30),
    "a hole of a terabyte": sparse(2**40),
    "a hole of ten megabytes": sparse(10_000_000),
}  # fmt: skip
EITHER: dict[str, Fault] = {
    **{f"JPEG with a bit flipped at {at:.0%}": flipped("JPEG", at) for at in (0.02, 0.1, 0.2, 0.35, 0.5, 0.75, 0.95)},
    **{f"WebP with a bit flipped at {at:.0%}": flipped("WEBP", at) for at in (0.01, 0.1, 0.5, 0.9)},
    **{f"TIFF with a bit flipped at {at:.0%}": flipped("TIFF", at) for at in (0.0005, 0.002, 0.5, 0.98)},
    **{f"BMP with a bit flipped at {at:.0%}": flipped("BMP", at) for at in (0.002, 0.004, 0.006, 0.01, 0.5)},
    "BMP cut in its middle": cut("BMP", 0.5),
    "GIF cut in its middle": cut("GIF", 0.5),
    "GIF of several pictures": two_in_one("GIF"),
    "PNG of several pictures": two_in_one("PNG"),
    "TIFF of several pictures": two_in_one("TIFF"),
    "WebP of several pictures": two_in_one("WEBP"),
    "TIFF of one bit by fax": saved("TIFF", "1", compression="group4"),
    "TIFF with a JPEG inside": saved("TIFF", compression="jpeg"),
    "JPEG 2000": saved("JPEG2000"),
    "a file that nobody may read": unreadable,  # the machine's owner may read all
}  # fmt: skip
