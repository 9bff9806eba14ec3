"""Where a decoder leaves pictures for the recognising process: memory that both hold, two pictures large.

Rule: it is written and read by system calls on a descriptor and mapped by neither, so whatever one side does to it
(cuts it off, changes it meanwhile) is a short read for the other and never a crash.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import numpy as np

from gateway.errors import BadFrame

if TYPE_CHECKING:
    from gateway.types import Image

COUNT: Final = 2  # one waits to be looked at, one is being written
MOST_PIXELS: Final = 40_000_000  # of a picture; what `drivers.cameras.pictures` lets pass
MOST_SMALL: Final = 4_000_000  # of the one behind it
_SIZE: Final = 3 * (MOST_PIXELS + MOST_SMALL)
_PUNCH_HOLE: Final = 0x01 | 0x02  # linux/falloc.h: FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE


class Slots:
    """A descriptor of anonymous memory. Pages that nobody has written cost nothing."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    @classmethod
    def made(cls) -> Slots:
        return cls(os.memfd_create("frames"))

    def put(self, slot: int, pixels: Image, behind: int = 0) -> None:
        """Write a picture, `behind` so many bytes of another.

        Raises `BadFrame` for one that is too large, `OSError` where there is no memory.
        """
        if pixels.size > 3 * (MOST_SMALL if behind else MOST_PIXELS):
            raise BadFrame(f"a picture of {pixels.shape[1]} x {pixels.shape[0]} is too large")
        view, at = np.ascontiguousarray(pixels).data.cast("B"), slot * _SIZE + behind
        while view:
            written = os.pwrite(self.descriptor, view, at)
            view, at = view[written:], at + written

    def copy(self, slot: int, height: int, width: int, behind: int = 0) -> Image:
        """The picture in a slot, as one's own. Raises `BadFrame` where there is none of that size."""
        if not (0 <= slot < COUNT and height > 0 and width > 0 and height * width <= MOST_PIXELS):
            raise BadFrame(f"no picture of {width} x {height} in slot {slot}")
        pixels = np.empty((height, width, 3), np.uint8)
        view, at = pixels.data.cast("B"), slot * _SIZE + behind
        while view:
            read = os.preadv(self.descriptor, [view], at)
            if not read:
                raise BadFrame(f"slot {slot} holds less than {width} x {height}")
            view, at = view[read:], at + read
        return pixels

    def empty(self, slot: int) -> None:
        """Give the memory of a picture back to the kernel, where it can; the slot may be filled again."""
        place = ctypes.c_int64(slot * _SIZE), ctypes.c_int64(_SIZE)
        with suppress(AttributeError):  # a C library without it; `os` does not have it at all
            ctypes.CDLL(None).fallocate(self.descriptor, _PUNCH_HOLE, *place)

    def size(self) -> int:
        """Bytes of memory that it takes."""
        return 512 * os.fstat(self.descriptor).st_blocks

    def close(self) -> None:
        os.close(self.descriptor)
