"""Reads the records of a SQLite file without SQLite, for a file that SQLite refuses.

Rule: every cell stands for itself. Whatever is overwritten, what lies in an intact leaf page is found; what does not
parse is skipped. Format: sqlite.org/fileformat2.html, with the page size and the encoding (UTF-8) of this journal.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

PAGE = 4096
_LEAF = 0x0D
_MOST_LOCAL = PAGE - 35
_LEAST_LOCAL = (PAGE - 12) * 32 // 255 - 23
_WAL_HEADER = struct.Struct(">8I")
_FRAME_HEADER = struct.Struct(">6I")
_WAL_MAGIC = {0x377F0682: "<", 0x377F0683: ">"}

Value = int | float | str | bytes | None
Record = tuple[int, tuple[Value, ...]]


def records(path: Path) -> Iterator[Record]:
    """Yield (rowid, values) of every readable table record in the file and its write-ahead log."""
    wal = path.with_name(path.name + "-wal")
    with path.open("rb") as main:
        log = wal.open("rb") if wal.exists() else None
        try:
            pages = _Pages(main, log)
            for number in range(1, pages.count + 1):
                yield from _leaf(pages, number)
        finally:
            if log:
                log.close()


class _Pages:
    """The latest committed version of each page."""

    def __init__(self, main: BinaryIO, log: BinaryIO | None) -> None:
        self._main = main
        self._log = log
        self._newer = _committed_frames(log) if log else {}
        size = main.seek(0, 2)
        self.count = max(size // PAGE, max(self._newer, default=0))

    def read(self, number: int) -> bytes:
        place = self._newer.get(number)
        if place is not None and self._log:
            self._log.seek(place)
            return self._log.read(PAGE)
        self._main.seek((number - 1) * PAGE)
        return self._main.read(PAGE)


def _committed_frames(log: BinaryIO) -> dict[int, int]:
    """Page number -> offset in the log, for all frames up to the last commit whose checksums hold."""
    head = log.read(_WAL_HEADER.size)
    if len(head) < _WAL_HEADER.size:
        return {}
    magic, _, page_size, _, salt1, salt2, sum1, sum2 = _WAL_HEADER.unpack(head)
    if magic not in _WAL_MAGIC or page_size != PAGE:
        return {}
    words = struct.Struct(_WAL_MAGIC[magic] + "II")
    committed: dict[int, int] = {}
    pending: dict[int, int] = {}
    while True:
        frame = log.read(_FRAME_HEADER.size + PAGE)
        if len(frame) < _FRAME_HEADER.size + PAGE:
            return committed
        number, size_after, frame_salt1, frame_salt2, want1, want2 = _FRAME_HEADER.unpack_from(frame)
        sum1, sum2 = _checksum(words, frame[:8], sum1, sum2)
        sum1, sum2 = _checksum(words, frame[_FRAME_HEADER.size :], sum1, sum2)
        if (frame_salt1, frame_salt2, want1, want2) != (salt1, salt2, sum1, sum2):
            return committed
        pending[number] = log.tell() - PAGE
        if size_after:
            committed.update(pending)
            pending.clear()


def _checksum(words: struct.Struct, data: bytes, sum1: int, sum2: int) -> tuple[int, int]:
    for first, second in words.iter_unpack(data):
        sum1 = (sum1 + first + sum2) & 0xFFFFFFFF
        sum2 = (sum2 + second + sum1) & 0xFFFFFFFF
    return sum1, sum2


def _leaf(pages: _Pages, number: int) -> Iterator[Record]:
    page = pages.read(number)
    start = 100 if number == 1 else 0
    if len(page) < PAGE or page[start] != _LEAF:
        return
    (cells,) = struct.unpack_from(">H", page, start + 3)
    for index in range(min(cells, PAGE // 4)):
        try:
            (offset,) = struct.unpack_from(">H", page, start + 8 + 2 * index)
            yield _cell(pages, page, offset)
        except (IndexError, ValueError, struct.error):
            continue


def _cell(pages: _Pages, page: bytes, offset: int) -> Record:
    size, offset = _varint(page, offset)
    rowid, offset = _varint(page, offset)
    if size <= _MOST_LOCAL:
        return rowid, _values(page[offset : offset + size])
    if size > 1 << 20:
        raise ValueError("no event is that long")
    local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE - 4)
    local = local if local <= _MOST_LOCAL else _LEAST_LOCAL
    payload = page[offset : offset + local]
    (following,) = struct.unpack_from(">I", page, offset + local)
    while len(payload) < size:
        more = pages.read(following)
        if not following or len(more) < PAGE:
            raise ValueError("the chain of overflow pages is broken")
        payload += more[4:]
        (following,) = struct.unpack_from(">I", more)
    return rowid, _values(payload[:size])


def _varint(data: bytes, offset: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[offset + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, offset + index + 1
    return value << 8 | data[offset + 8], offset + 9


def _values(payload: bytes) -> tuple[Value, ...]:
    end, offset = _varint(payload, 0)
    if end > len(payload):
        raise ValueError("the record is cut off")
    place = end
    values: list[Value] = []
    while offset < end:
        kind, offset = _varint(payload, offset)
        value, place = _value(payload, kind, place)
        values.append(value)
    return tuple(values)


def _value(payload: bytes, kind: int, place: int) -> tuple[Value, int]:
    size = {0: 0, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}.get(kind, kind if kind < 5 else (kind - 12) // 2)
    if kind in (10, 11) or place + size > len(payload):
        raise ValueError("the record is cut off")
    data = payload[place : place + size]
    value: Value
    if kind == 0:
        value = None
    elif kind <= 6:
        value = int.from_bytes(data, signed=True)
    elif kind == 7:
        (value,) = struct.unpack(">d", data)
    elif kind <= 9:
        value = kind - 8
    else:
        value = data.decode() if kind % 2 else data
    return value, place + size
