"""Bad pictures are refused by their header; good ones come out upright, three channels, eight bits."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from gateway.errors import Rejected
from gateway.vision.images import decode, header_size, normalise, read_image

GRADIENT = np.add.outer(np.arange(60), np.arange(90)).astype(np.uint8)
PICTURE = np.dstack([GRADIENT, GRADIENT[::-1], GRADIENT[:, ::-1]])


def saved(kind: str, image: Pillow.Image | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    (image or Pillow.fromarray(PICTURE)).save(buffer, kind, **options)
    return buffer.getvalue()


def huge_png(width: int, height: int) -> bytes:
    """A PNG of that size in a few bytes of file."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
def test_each_kind_is_read(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(saved(kind))
    image = read_image(tmp_path / "a")
    assert image.shape == (60, 90, 3)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - PICTURE[:, :, ::-1]).mean() < 12
    assert header_size(saved(kind)) == (90, 60)


def test_lossless_and_progressive_kinds_are_sized_too() -> None:
    assert header_size(saved("WEBP", lossless=True)) == (90, 60)
    assert header_size(saved("JPEG", progressive=True)) == (90, 60)


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "I;16", "1", "P"])
def test_other_modes_become_three_channels(mode: str) -> None:
    if mode == "I;16":
        kind, image = "PNG", Pillow.fromarray(GRADIENT.astype(np.uint16) * 256)
    else:
        kind, image = ("JPEG" if mode == "CMYK" else "PNG"), Pillow.fromarray(PICTURE).convert(mode)
    found = decode(saved(kind, image))
    assert found.shape == (60, 90, 3)
    assert found.dtype == np.uint8
    assert found.std() > 10


def test_the_exif_orientation_is_applied() -> None:
    plain = Pillow.fromarray(PICTURE)
    exif = plain.getexif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    turned = decode(saved("JPEG", plain, exif=exif.tobytes(), quality=95))
    assert turned.shape == (90, 60, 3)
    upright = cv2.rotate(decode(saved("JPEG", plain, quality=95)), cv2.ROTATE_90_CLOCKWISE)
    assert np.abs(turned.astype(int) - upright).mean() < 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"BM",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"%PDF-1.7 " * 100,
        bytes(range(256)) * 40,
        b"\xff\xd8\xff\xe0" + b"\xff" * 5000,
    ],
)
def test_what_is_no_picture_is_rejected_with_a_hint(data: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        decode(data, "upload.jpg")
    assert str(caught.value.hint)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "WEBP"])
def test_every_cut_of_a_file_is_rejected(kind: str) -> None:
    whole = saved(kind)
    for share in range(20):
        with pytest.raises(Rejected) as caught:
            decode(whole[: len(whole) * share // 20])
        assert str(caught.value.hint)


def test_a_progressive_picture_cut_between_scans_is_rejected() -> None:
    whole = saved("JPEG", progressive=True)
    cut = whole.rfind(b"\xff\xda")
    with pytest.raises(Rejected, match="cut short"):
        decode(whole[:cut])


@pytest.mark.parametrize(("width", "height"), [(20000, 20000), (64001, 1000), (1, 1), (5000, 3)])
def test_sizes_are_judged_by_the_header_before_decoding(width: int, height: int) -> None:
    with pytest.raises(Rejected, match=f"{width}x{height}"):
        decode(huge_png(width, height))


def test_a_missing_file_and_a_folder_are_rejected(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.jpg"):
        with pytest.raises(Rejected) as caught:
            read_image(path)
        assert "check the path" in str(caught.value.hint)


def test_random_damage_never_raises_anything_else() -> None:
    rng = np.random.default_rng(3)
    whole = saved("JPEG")
    for _ in range(60):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 8):
            data[at] = int(rng.integers(256))
        try:
            assert decode(bytes(data)).shape[2] == 3
        except Rejected:
            continue


@pytest.mark.parametrize(
    "image",
    [
        GRADIENT,
        GRADIENT[:, :, None],
        PICTURE.astype(np.uint16) * 257,
        GRADIENT.astype(np.uint16) * 257,
        np.dstack([PICTURE, GRADIENT]),
    ],
)
def test_arrays_of_other_depths_are_normalised(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    found = normalise(image)
    assert found.shape == (60, 90, 3)
    assert found.dtype == np.uint8
    assert (found[:, :, 0] == GRADIENT).all()


@pytest.mark.parametrize(
    "image", [PICTURE.astype(np.float32), PICTURE[:, :, :2], np.zeros((0, 5, 3), np.uint8), np.zeros(5, np.uint8)]
)
def test_arrays_that_are_no_picture_are_rejected(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    with pytest.raises(Rejected):
        normalise(image)
