"""One file of pixels → one grey image, bone bright, at its own size and depth.

In:    a path to a PNG, JPEG, WebP, BMP, TIFF or DICOM file, whatever its name says.
Out:   (H, W) uint8 or uint16; `fit` brings it to a square of 8 bits.
Never: labels, stores; trust in a header's claims.
"""

import stat
import struct
import warnings
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from cxrlab.errors import BadInput

MAX_PIXELS = 80_000_000  # the largest digital detectors give 15 megapixels; a film scan at 600 dpi about 80
MAX_FILE_BYTES = 512 * 2**20
MIN_SIDE = 16  # MedMNIST has 28; below this lie tracking pixels and icons
LOW, HIGH = (
    0.5,
    99.5,
)  # per cent of the pixels: the grey range of a deep image, without its labels and dead pixels


def read(path: Path) -> np.ndarray:
    """Return the image in `path`, (H, W) uint8 or uint16, bone bright.

    What the bytes are decides how they are read; many public files carry another format's suffix.

    Raises:
        BadInput: there is no such file, it is cut off, damaged, no image, or claims more pixels than MAX_PIXELS.
            The message is the reason alone, without the path: it goes into a quarantine list beside the path.
    """
    data = bytes_of(path)
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        size, flags = _png_size(data), cv2.IMREAD_UNCHANGED
    elif data[:3] == b"\xff\xd8\xff":
        # Grey decoding takes the luma plane as it is and obeys the EXIF orientation.
        size, flags = _jpeg_size(data), cv2.IMREAD_GRAYSCALE
    elif data[128:132] == b"DICM" or path.suffix.lower() in (".dcm", ".dicom"):
        from cxrlab.images import dicom  # pydicom is slow to import and most sites never need it

        return dicom.read(data)
    else:
        size, flags = _other_size(data), cv2.IMREAD_UNCHANGED
    check_size(*size)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise BadInput(f"the image cannot be decoded ({error.err or error})") from error
    if image is None:
        raise BadInput("the image data are damaged and cannot be decoded")
    return grey(image)


def check_size(width: int, height: int, frames: int = 1) -> None:
    """Raise BadInput for a size that no radiograph has. Call it before any pixel is touched."""
    if width < MIN_SIDE or height < MIN_SIDE:
        raise BadInput(f"the image is {width} x {height} pixels; at least {MIN_SIDE} x {MIN_SIDE} are needed")
    if width * height * frames > MAX_PIXELS:
        raise BadInput(
            f"the header claims {width} x {height} pixels"
            + (f" x {frames} frames" if frames > 1 else "")
            + ", "
            f"more than the limit of {MAX_PIXELS // 10**6} million"
        )


def grey(image: np.ndarray) -> np.ndarray:
    """Return (H, W) of the same depth from (H, W), (H, W, 3) BGR or (H, W, 4) BGRA; transparent becomes black."""
    if image.ndim == 3 and image.shape[2] == 4:
        opaque = np.iinfo(image.dtype).max
        alpha = image[:, :, 3]
        plain = cv2.cvtColor(image, cv2.COLOR_BGRA2GRAY)
        if alpha.min() == opaque:
            return plain
        return (plain.astype(np.float32) * (alpha.astype(np.float32) / opaque)).astype(image.dtype)
    if image.ndim == 3 and image.shape[2] == 3:
        return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.ndim != 2:
        raise BadInput(f"the image has {image.shape[2]} channels; expected 1, 3 or 4")
    if image.dtype == np.uint8 or image.dtype == np.uint16:
        return image
    return to_uint16(image.astype(np.float32))


def to_uint16(image: np.ndarray) -> np.ndarray:
    """Return `image`, any real numbers, stretched from its smallest and largest to 0..65535."""
    low, high = float(image.min()), float(image.max())
    if not np.isfinite(low + high):
        raise BadInput("the image holds numbers that are not finite")
    if high <= low:
        return np.zeros(image.shape, np.uint16)
    return ((image - low) * (65535.0 / (high - low)) + 0.5).astype(np.uint16)


def fit(image: np.ndarray, px: int) -> np.ndarray:
    """Return `image` as (px, px) uint8: averaged over areas, stretched to a square.

    A 16-bit image is scaled between its 0.5 and 99.5 percentile, because detectors of 10 to 16 bits share the type
    and dividing by 65535 leaves most of them black. An 8-bit image keeps its grey values.
    """
    small = cv2.resize(image, (px, px), interpolation=cv2.INTER_AREA)
    if small.dtype == np.uint8:
        return small
    low, high = np.percentile(small, (LOW, HIGH))
    if high <= low:
        low, high = float(small.min()), float(small.max())
    if high <= low:
        return np.zeros((px, px), np.uint8)
    scaled = (small.astype(np.float32) - low) * (255.0 / (high - low)) + 0.5
    return np.clip(scaled, 0, 255).astype(np.uint8)


def bytes_of(path: Path) -> bytes:
    """Return a whole file. Raises BadInput, without the path, where it is absent, empty, too large or a pointer."""
    try:
        size = size_of(path)
        if size > MAX_FILE_BYTES:
            raise BadInput(f"the file has {size:,} bytes, more than the limit of {MAX_FILE_BYTES:,}")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise BadInput("there is no such file") from error
    except OSError as error:
        raise BadInput(f"the file cannot be read ({error.strerror or error})") from error
    if not data:
        raise BadInput("the file is empty")
    if data.startswith(b"version https://git-lfs"):
        raise BadInput("the file is a Git LFS pointer, not the image; fetch it with `git lfs pull`")
    return data


def size_of(path: Path) -> int:
    """Return a file's bytes. Raises OSError where it is absent; BadInput where reading it could wait for ever or never end."""
    about = path.stat()
    if stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode):
        return about.st_size
    raise BadInput("it is a pipe, a socket or a device, not a file")


def _png_size(data: bytes) -> tuple[int, int]:
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise BadInput("the PNG is cut off in its header")
    # Some decoders fill the missing rows with grey and say nothing; a whole PNG ends with IEND.
    if b"IEND" not in data[-1024:] and b"IEND" not in data:
        raise BadInput("the PNG is cut off: its end is missing")
    return struct.unpack(">II", data[16:24])


# Start-of-frame markers; C4, C8 and CC in their midst are tables, not frames. ITU-T T.81, table B.1.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a length


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 < len(data):
        if data[at] != 0xFF:
            raise BadInput("the JPEG's header is damaged")
        marker = data[at + 1]
        if marker == 0xFF or marker in _BARE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            # A decoder pads a cut-off JPEG with grey; a whole one ends its last scan with an end-of-image marker.
            if data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda"):
                raise BadInput("the JPEG is cut off: its end is missing")
            return width, height
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    raise BadInput("the JPEG is cut off in its header")


def _other_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) of a WebP, BMP, TIFF or GIF from its header."""
    from PIL import Image, UnidentifiedImageError  # only for the rarer formats

    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise BadInput("the WebP is cut off: its end is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # check_size is stricter
            with Image.open(BytesIO(data), formats=("WEBP", "BMP", "TIFF", "GIF")) as opened:
                return opened.size
    except Image.DecompressionBombError as error:
        raise BadInput(
            f"the header claims more pixels than the limit of {MAX_PIXELS // 10**6} million"
        ) from error
    except UnidentifiedImageError as error:
        raise BadInput(f"the file is no image that can be read; it begins with {data[:12]!r}") from error
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise BadInput(f"the image's header is damaged ({error})") from error
