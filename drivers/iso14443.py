"""What the readers of ISO 14443 A cards share: which bytes are a UID (ISO 14443-3: 4, 7 or 10 of them)."""

from __future__ import annotations

from gateway.credentials import Credential, Format
from gateway.errors import BadFrame

_LENGTHS = (4, 7, 10)


def card(uid: bytes) -> Credential:
    """A UID as the reader sent it → credential. Raises `BadFrame`."""
    if len(uid) not in _LENGTHS:
        raise BadFrame(f"a UID of {len(uid)} bytes", reason="length")
    return Credential(Format.HEX, uid)
