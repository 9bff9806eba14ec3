"""What a JPEG of ours consists of: tables, one baseline picture, and nothing else.

Rule: no decoder here. The pictures come from the process that decodes strangers' pixels; the door process looks at
their structure, so that no camera's Exif, no comment, no thumbnail and nothing after the picture is ever stored.
"""

from __future__ import annotations

import re
import struct

from gateway.errors import BadFrame

_START, _END = b"\xff\xd8", b"\xff\xd9"
_APP0, _SCAN, _BASELINE = 0xFFE0, 0xFFDA, 0xFFC0
_TABLES = {0xFFC4, 0xFFDB, 0xFFDD}  # Huffman, quantisation, restart interval
_JFIF = re.compile(rb"JFIF\x00.{7}\x00\x00", re.DOTALL)  # version, density; a thumbnail of nothing
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]")  # in coded pixels there are only stuffed bytes and restarts


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Width and height in pixels. Raises `BadFrame` for anything but a plain baseline JPEG."""
    if not jpeg.startswith(_START):
        raise _fault("it does not begin as one")
    at, size = len(_START), None
    while True:
        try:
            marker, length = struct.unpack_from(">HH", jpeg, at)
            body = jpeg[at + 4 : at + 2 + length]
            if marker == _BASELINE:
                height, width = struct.unpack_from(">HH", body, 1)
                size = (width, height)
        except struct.error as error:
            raise _fault("it is cut off") from error
        if len(body) != length - 2:
            raise _fault("it is cut off")
        if marker == _APP0 and not _JFIF.fullmatch(body):
            raise _fault("its JFIF header holds more than it needs")
        if marker not in {_APP0, _SCAN, _BASELINE, *_TABLES}:
            raise _fault(f"it has a part {marker:04X}")
        at += 2 + length
        if marker == _SCAN:
            break
    end = _MARKER.search(jpeg, at)
    if size is None or min(size) == 0 or end is None or end.group() != _END or end.end() != len(jpeg):
        raise _fault("it has no size, no end, or something behind its end")
    return size


def _fault(what: str) -> BadFrame:
    return BadFrame(f"no plain JPEG: {what}", reason="jpeg")
