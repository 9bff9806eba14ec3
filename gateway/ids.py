"""Event identities: UUID version 7 (RFC 9562), ordered by time within one process."""

from __future__ import annotations

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """Return a new UUIDv7 as text. Ids made by one process sort in the order they were made."""
    global _last
    with _lock:
        # 48 bits of milliseconds and 12 bits of counter, kept rising even when the wall clock steps back.
        stamp = max(time.time_ns() // 1_000_000 << 12, _last + 1)
        _last = stamp
    random = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
    value = (stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | random
    return str(uuid.UUID(int=value))
