"""Pictures from files: refused by their header before a decoder sees them, and brought to one shape.

Rule: what comes out is always uint8 (H, W, 3) BGR, upright, between 16 pixels a side and 64 megapixels; everything
else is `Rejected` with what to do.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gateway.errors import Rejected
from gateway.regular_file import open_regular
from gateway.text import Text

if TYPE_CHECKING:
    from gateway.types import Image

MAX_PIXELS = 64_000_000
MAX_BYTES = 64 << 20
MIN_SIDE = 16

_UNDECODABLE = Text("{name} 无法解码", "{name} cannot be decoded")
_USE = Text("请使用 JPEG、PNG、BMP 或 WebP 图片", "use a JPEG, PNG, BMP or WebP picture")
_FIND = Text("检查路径和权限", "check the path and its permissions")
_AGAIN = Text("图片可能没有传完，请重新上传", "the upload was probably cut short; send it again")
_SMALLER = Text("请先缩小图片（不超过 6400 万像素、64 MiB）", "make it smaller first (64 megapixels, 64 MiB at most)")


def read_image(path: Path) -> Image:
    """Read one picture from a file. Raises `Rejected`."""
    try:
        with open_regular(path) as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise Rejected(f"{path}: {error.strerror}", hint=_FIND) from error
    return decode(data, path.name)


def decode(data: bytes, name: str = "picture") -> Image:
    """Decode one picture: upright by its EXIF orientation, 8 bits, three channels. Raises `Rejected`."""
    if len(data) > MAX_BYTES:
        large = Text("{name} 大于 {most} MiB", "{name} has more than {most} MiB")
        raise Rejected(large.with_(name=name, most=MAX_BYTES >> 20), hint=_SMALLER)
    size = header_size(data)
    if size is None:
        raise Rejected(Text("{name} 不是图片", "{name} is not a picture").with_(name=name), hint=_USE)
    _check_size(*size, name)
    if not _is_whole(data):
        raise Rejected(Text("{name} 不完整", "{name} is cut short").with_(name=name), hint=_AGAIN)
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise Rejected(_UNDECODABLE.with_(name=name), hint=_USE) from error
    if found is None:
        raise Rejected(_UNDECODABLE.with_(name=name), hint=_AGAIN)
    image = normalise(np.asarray(found))
    _check_size(image.shape[1], image.shape[0], name)
    return image


def normalise(image: NDArray[Any]) -> Image:
    """uint8 (H, W, 3) BGR from grey, one, three or four channels of 8 or 16 bits; others are `Rejected`."""
    if image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3 and image.size:
        return image
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3) or not image.size:
        raise Rejected(f"a picture of shape {image.shape} and type {image.dtype} is none", hint=_USE)
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    plane = image if image.ndim == 3 else image[:, :, None]
    match plane.shape[2]:
        case 1:
            return np.repeat(plane, 3, axis=2)
        case 3 | 4:
            return np.ascontiguousarray(plane[:, :, :3])
        case channels:
            raise Rejected(f"a picture of {channels} channels is none", hint=_USE)


def header_size(data: bytes) -> tuple[int, int] | None:
    """Width and height as the header says; None where it is no picture of a kind we take."""
    if data[:3] == b"\xff\xd8\xff":
        return _jpeg_size(data)
    try:
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            width, height = struct.unpack(">II", data[16:24])
            return width, height
        if data[:2] == b"BM":
            width, height = struct.unpack("<ii", data[18:26])
            return abs(width), abs(height)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp_size(data)
    except struct.error:
        return None
    return None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Walk the segments to the frame header (SOF0–SOF15, not DHT, JPG, DAC)."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD7:  # padding, or a marker without a length
            at += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        if marker in (0xD9, 0xDA):
            return None
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    match data[12:16]:
        case b"VP8X":
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
        case b"VP8L":
            (bits,) = struct.unpack("<I", data[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack("<HH", data[26:30])
            return width & 0x3FFF, height & 0x3FFF
    return None


def _is_whole(data: bytes) -> bool:
    """Whether the end mark is there: decoders fill what is missing with grey and say nothing."""
    if data[:2] == b"\xff\xd8":
        return data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda") > 0
    if data[:4] == b"\x89PNG":
        return b"IEND" in data[-64:]
    if data[:4] == b"RIFF":
        return len(data) >= int.from_bytes(data[4:8], "little") + 8
    return len(data) >= int.from_bytes(data[2:6], "little")


def _check_size(width: int, height: int, name: str) -> None:
    if width * height > MAX_PIXELS:
        raise Rejected(
            Text("{name} 有 {width}×{height} 像素，太大", "{name} has {width}x{height} pixels, too many").with_(
                name=name, width=width, height=height
            ),
            hint=_SMALLER,
        )
    if min(width, height) < MIN_SIDE:
        raise Rejected(
            Text("{name} 只有 {width}×{height} 像素，太小", "{name} has only {width}x{height} pixels").with_(
                name=name, width=width, height=height
            ),
            hint=Text("每边至少 16 像素", "16 pixels a side at least"),
        )
