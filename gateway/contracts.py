"""What a driver promises. A device object exists only while its device is open.

A driver is one module with two names: `Options` (a frozen pydantic model, extra keys forbidden) and
`connect(options) -> Reader | Camera | Actuator`, which raises `DeviceLost` where the device is not there.
Drivers own no thread, no retry and no clock for facts: the worker does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from gateway.credentials import Credential
from gateway.errors import BadFrame
from gateway.text import Text
from gateway.types import Frame, Unreadable


class Device(Protocol):
    """Anything that is open and can be closed."""

    def close(self) -> None:
        """Release the device. Never raises."""


@runtime_checkable
class SelfKnowing(Protocol):
    """A device that says what it is, for whoever installs it."""

    def describe(self) -> Text:
        """One line: maker, model, how it is connected. Never raises."""


class Reader(Device, Protocol):
    """A card reader."""

    def read(self) -> Sequence[Credential | BadFrame]:
        """Wait at most 0.5 s for bytes; return the cards and bad frames they completed, in order.

        Raises `DeviceLost` when the device has gone.
        """


@runtime_checkable
class WatchfulReader(Protocol):
    """A reader that can tell when something is wrong with itself."""

    def complaint(self) -> Text | None:
        """What staff must look at though cards are read: it is tampered with, its power fails. None: nothing."""


class Actuator(Device, Protocol):
    """A relay that opens something while it is on."""

    def switch(self, on: bool) -> None:
        """Switch the relay; return when the order is on the wire. Raises `DeviceLost`."""


class Camera(Device, Protocol):
    """A source of frames."""

    def read(self) -> Frame | Unreadable | None:
        """Wait at most 1 s for the next picture; None when there is none yet. Raises `DeviceLost`.

        Only a camera of stills returns `Unreadable`. A decoder may hang in here when its camera has gone: it runs in a
        process of its own, which is then ended.
        """


@runtime_checkable
class SkippingCamera(Protocol):
    """A camera of a stream that can let a frame pass without the work of making pixels of it."""

    def skip(self) -> bool:
        """As `read`, for a frame that nobody wants to see; False where none came. Raises `DeviceLost`."""


@runtime_checkable
class StillCamera(Protocol):
    """A camera whose every picture is a passage of its own (`Frame.source` is set)."""

    def settle(self, source: str) -> None:
        """The events of this picture are kept: never deliver it again, keep, delete or move it as configured."""


class Framer(Protocol):
    """Bytes of a wire in, cards out: pure, bounded, no port and no clock in it."""

    def feed(self, data: bytes) -> list[Credential | BadFrame]:
        """Take the next bytes, however the wire cut them; return what they completed."""

    def silence(self) -> list[Credential | BadFrame]:
        """The wire was silent for 100 ms: finish or drop what is half received."""
