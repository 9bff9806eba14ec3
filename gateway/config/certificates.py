"""Whether the files of an uplink are certificates and keys at all, before anything is connected."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any


def unusable(entry: Mapping[str, Any], base: Path) -> Iterator[tuple[str, str]]:
    """Yield each key whose file cannot be used, and why. A file that only the service may read is not judged."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca, cert, key = (
        base / entry[name] if isinstance(entry.get(name), str) else None
        for name in ("ca_file", "cert_file", "key_file")
    )
    if ca is not None and ca.is_file() and (why := _failure(lambda: context.load_verify_locations(ca))):
        yield "ca_file", why
    if cert is not None and key is not None and cert.is_file() and key.is_file():
        # The empty password keeps OpenSSL from asking for that of an encrypted key on the terminal.
        why = _failure(lambda: context.load_cert_chain(cert, key, password=""))
        if why:
            yield "cert_file", why


def _failure(load: Callable[[], None]) -> str | None:
    try:
        load()
    except ssl.SSLError as error:
        return error.reason or str(error)
    except OSError:
        return None
    return None
