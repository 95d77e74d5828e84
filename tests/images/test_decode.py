"""Any public file's pixels become one grey image, or a reason."""

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from cxrlab.errors import BadInput
from cxrlab.images import decode


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 255, (48, 64), np.uint8)


def save(path, image, kind, **more):
    buffer = BytesIO()
    image.save(buffer, kind, **more)
    path.write_bytes(buffer.getvalue())
    return path


def test_an_8_bit_png_keeps_its_values(tmp_path, noise):
    assert np.array_equal(decode.read(save(tmp_path / "a.png", Image.fromarray(noise), "PNG")), noise)


def test_a_16_bit_png_keeps_its_depth(tmp_path, noise):
    deep = noise.astype(np.uint16) * 200 + 7
    cv2.imwrite(str(tmp_path / "a.png"), deep)
    read = decode.read(tmp_path / "a.png")
    assert read.dtype == np.uint16 and np.array_equal(read, deep)


def test_a_12_bit_image_in_16_bits_is_not_dark(noise):
    small = decode.fit(noise.astype(np.uint16) * 16, 32)  # up to 4080 of 65535
    assert small.dtype == np.uint8 and small.min() < 10 and small.max() > 245


def test_one_dead_white_pixel_does_not_darken_a_deep_image(noise):
    deep = noise.astype(np.uint16) * 16
    deep[0, 0] = 65535
    assert decode.fit(deep, 48).mean() > 90


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_kind_of_png_is_grey_in_the_end(tmp_path, noise, mode):
    read = decode.read(save(tmp_path / "a.png", Image.fromarray(noise).convert(mode), "PNG"))
    assert read.shape == noise.shape and read.dtype == np.uint8
    wanted = np.asarray(Image.fromarray(noise).convert(mode).convert("L"), int)
    assert np.abs(read.astype(int) - wanted).max() <= 1


def test_what_is_transparent_is_black(tmp_path, noise):
    alpha = np.full(noise.shape, 255, np.uint8)
    alpha[:, :10] = 0
    read = decode.read(save(tmp_path / "a.png", Image.fromarray(np.dstack([noise] * 3 + [alpha])), "PNG"))
    assert (read[:, :10] == 0).all() and np.abs(read[:, 10:].astype(int) - noise[:, 10:]).max() <= 1


@pytest.mark.parametrize(
    ("kind", "name"), [("WEBP", "a.webp"), ("WEBP", "a.png"), ("JPEG", "a.jfif"), ("JPEG", "a.png")]
)
def test_the_bytes_decide_not_the_name(tmp_path, kind, name):
    smooth = np.tile(np.arange(64, dtype=np.uint8) * 3, (48, 1))
    read = decode.read(save(tmp_path / name, Image.fromarray(smooth), kind))
    assert read.shape == smooth.shape and np.abs(read.astype(int) - smooth).mean() < 4


@pytest.mark.parametrize(("kind", "name"), [("BMP", "a.bmp"), ("TIFF", "a.tif"), ("GIF", "a.gif")])
def test_rarer_formats_are_read(tmp_path, noise, kind, name):
    assert (
        np.abs(decode.read(save(tmp_path / name, Image.fromarray(noise), kind)).astype(int) - noise).max()
        <= 1
    )


def test_a_photograph_is_turned_as_its_exif_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    path = save(tmp_path / "a.jpg", Image.fromarray(np.zeros((48, 64), np.uint8)), "JPEG", exif=exif)
    assert decode.read(path).shape == (64, 48)


@pytest.mark.parametrize(("kind", "word"), [("PNG", "PNG"), ("JPEG", "JPEG"), ("WEBP", "WebP")])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.98])
def test_a_file_that_was_cut_off_is_never_half_an_image(tmp_path, noise, kind, word, kept):
    path = save(tmp_path / "a", Image.fromarray(noise), kind)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(BadInput, match=f"{word} is cut off"):
        decode.read(path)


def test_a_progressive_jpeg_cut_between_its_scans_is_noticed(tmp_path, noise):
    path = save(tmp_path / "a.jpg", Image.fromarray(noise), "JPEG", progressive=True)
    data = path.read_bytes()
    path.write_bytes(data[: data.rfind(b"\xff\xda")])
    with pytest.raises(BadInput, match="cut off"):
        decode.read(path)


def test_a_png_with_a_wrong_checksum_is_refused(tmp_path, noise):
    path = save(tmp_path / "a.png", Image.fromarray(noise), "PNG")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(BadInput, match="damaged"):
        decode.read(path)


def png_that_claims(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (80_000_001, 16)])
def test_a_png_that_claims_gigapixels_is_refused_before_its_pixels(tmp_path, width, height):
    (tmp_path / "a.png").write_bytes(png_that_claims(width, height))
    with pytest.raises(BadInput, match="more than the limit of 80 million"):
        decode.read(tmp_path / "a.png")


def test_a_jpeg_that_claims_gigapixels_is_refused_before_its_pixels(tmp_path, noise):
    path = save(tmp_path / "a.jpg", Image.fromarray(noise), "JPEG")
    data = bytearray(path.read_bytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65000, 65000)
    path.write_bytes(data)
    with pytest.raises(BadInput, match="claims 65000 x 65000"):
        decode.read(path)


def test_an_icon_is_no_radiograph(tmp_path):
    with pytest.raises(BadInput, match="1 x 1 pixels"):
        decode.read(save(tmp_path / "a.png", Image.new("L", (1, 1)), "PNG"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>Sign in</html>", "begins with b'<!DOCTYPE"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"\x89PNG\r\n\x1a\n", "cut off"),
        (b"\xff\xd8\xff", "cut off"),
        (b"\xff\xd8\xff\xe0\x00", "cut off"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\0" * 40, "JPEG"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "WebP|damaged|no image"),
    ],
)
def test_what_is_no_image_is_a_reason(tmp_path, data, reason):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(BadInput, match=reason):
        decode.read(tmp_path / "a.png")


def test_a_missing_file_or_a_folder_is_a_reason(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        decode.read(tmp_path / "a.png")
    with pytest.raises(BadInput, match="cannot be read"):
        decode.read(tmp_path)


def test_random_bytes_after_a_magic_number_never_crash(tmp_path):
    rng = np.random.default_rng(0)
    for magic in (
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"RIFF\x40\0\0\0WEBP",
        b"BM",
        b"II*\0",
        b"GIF89a",
    ):
        for n in (10, 100, 3000):
            (tmp_path / "a").write_bytes(magic + rng.bytes(n))
            with pytest.raises(BadInput):
                decode.read(tmp_path / "a")


def test_fit_averages_areas_and_stretches_to_a_square():
    image = np.zeros((20, 40), np.uint8)
    image[:, 20:] = 200
    assert decode.fit(image, 2).tolist() == [[0, 200], [0, 200]]
    assert decode.fit(image, 64).shape == (64, 64)


def test_a_flat_deep_image_is_black_not_noise():
    assert decode.fit(np.full((20, 20), 9000, np.uint16), 8).max() == 0


def test_every_awkward_public_file_is_read(realdata):
    suffixes = (".png", ".webp", ".jfif", ".jpeg", ".dcm")
    files = [path for path in (realdata / "format_samples").rglob("*") if path.suffix in suffixes]
    assert len(files) >= 20
    for path in files:
        assert 40 < decode.fit(decode.read(path), 64).mean() < 220, path.name
