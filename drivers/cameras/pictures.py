"""Encoded pictures: is a file whole, how large is its picture, and its pixels.

Rule: everything here is a stranger's bytes; the size is read from the header before a decoder may see the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.text import Text

if TYPE_CHECKING:
    from gateway.types import Image

MAX_BYTES = 32 << 20
MAX_PIXELS = 40_000_000
_SOI, _EOI = 0xD8, 0xD9
_FRAME_HEADERS = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in the scan: stuffed zeros and restarts are no markers
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"IEND\xaeB`\x82"


@dataclass(frozen=True, slots=True)
class Header:
    """What the outside of a picture file says. `whole`: it ends where its format says that it ends."""

    known: bool
    whole: bool
    width: int = 0
    height: int = 0

    @property
    def fault(self) -> Text | None:
        """Why it may not be decoded; None where it may."""
        if not self.known:
            return Text("不是 JPEG 或 PNG 图片", "this is no JPEG or PNG picture")
        if not self.whole:
            return Text("图片不完整：缺少结尾", "the file is cut off: its end is missing")
        if not self.width or not self.height:
            return Text("图片没有尺寸", "the picture has no size")
        if self.width * self.height > MAX_PIXELS:
            return _TOO_LARGE.with_(width=self.width, height=self.height, most=MAX_PIXELS // 1_000_000)
        return None


_TOO_LARGE = Text(
    "图片有 {width}×{height} 像素，太大（最多 {most} 百万像素）",
    "{width} x {height} pixels are too many (at most {most} million)",
)


def inspect(data: bytes) -> Header:
    """Read the outside of a JPEG or PNG file. A thumbnail inside it is not taken for its end."""
    if data.startswith(_PNG):
        width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
        return Header(known=True, whole=_PNG_END in data[-64:], width=width, height=height)
    if not data.startswith(b"\xff\xd8\xff"):
        return Header(known=False, whole=False)
    return _walk_jpeg(data)


def _walk_jpeg(data: bytes) -> Header:
    at, width, height = 2, 0, 0
    while True:
        found = _MARKER.search(data, at)
        if found is None:
            return Header(known=True, whole=False, width=width, height=height)
        marker, at = data[found.end() - 1], found.end()
        if marker == _EOI:
            return Header(known=True, whole=True, width=width, height=height)
        if marker in _FRAME_HEADERS and at + 7 <= len(data):
            height, width = int.from_bytes(data[at + 3 : at + 5]), int.from_bytes(data[at + 5 : at + 7])
        if marker != _SOI and at + 2 <= len(data):
            at += max(2, int.from_bytes(data[at : at + 2]))  # past the segment; a scan's bytes follow its header


def decoder() -> Callable[[bytes], Image | None]:
    """Load OpenCV and return a function that gives the pixels of a whole picture file, or None."""
    import cv2
    import numpy as np

    def decode(data: bytes) -> Image | None:
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error:
            return None
        return None if pixels is None or pixels.size == 0 else np.asarray(pixels, np.uint8)

    return decode
