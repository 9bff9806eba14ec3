"""The keys of this gateway: keyed hashes stand for persons, cards and plates wherever an event goes.

Rule: a key is made once, lies apart from the data in `data_dir/keys`, is readable by the owner only and never travels.
A damaged key file is refused, never replaced: new references would cut every person off from their history.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from pathlib import Path

from gateway.credentials import Credential
from gateway.errors import StoreError
from gateway.ownership import give
from gateway.text import Text

_BYTES = 32
_DIGITS = 16  # hexadecimal digits of a reference
_OTHER_REFERENCES = Text(
    "从备份恢复 {path}；换新密钥后，所有人在事件中的代号都会改变",
    "put {path} back from a backup; a new key would give every person a new reference",
)
_OTHER_FACES = Text(  # in no backup
    "密钥损坏，人脸模板已无法使用：移走 {path} 和 faces.db，所有人重新登记",
    "without it the face templates are of no use: move {path} and faces.db away and enrol everyone again",
)


class Keys:
    """Hands out references (`h:…` holder, `c:…` credential, `p:…` plate, `r:…` room) and the key of the faces."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / "keys"
        self._reference = _load_or_make(self._folder / "ref.key", _OTHER_REFERENCES)

    def holder_ref(self, holder_id: str) -> str:
        return self._hash("h", holder_id.encode())

    def credential_ref(self, credential: Credential) -> str:
        """The same card read by two kinds of reader has one reference where both send the same bytes."""
        family = "number" if credential.tail is not None else credential.format.value
        return self._hash("c", family.encode() + b"\0" + credential.value)

    def plate_ref(self, plate: str) -> str:
        return self._hash("p", plate.encode())

    def room_ref(self, room: str) -> str:
        return self._hash("r", room.encode())

    def face_key(self) -> bytes:
        """32 bytes for the face templates; made at the first call, so a site without faces has none."""
        return _load_or_make(self._folder / "face.key", _OTHER_FACES)

    def _hash(self, kind: str, value: bytes) -> str:
        digest = hmac.new(self._reference, kind.encode() + b"\0" + value, hashlib.sha256)
        return f"{kind}:{digest.hexdigest()[:_DIGITS]}"


def _load_or_make(path: Path, without: Text) -> bytes:
    """`without`: what to do where it is damaged."""
    try:
        if not path.exists():
            _make(path)
        key = path.read_bytes()
    except OSError as error:
        raise StoreError(
            Text("密钥 {name} 无法使用：{error}", "the key {name} cannot be used: {error}").with_(
                name=path.name, error=error
            ),
            hint=Text("检查 {folder} 的属主", "check the owner of {folder}").with_(folder=path.parent),
        ) from error
    if len(key) != _BYTES:
        raise StoreError(
            Text(
                "密钥 {name} 有 {found} 字节，应为 {wanted}", "the key {name} has {found} bytes instead of {wanted}"
            ).with_(name=path.name, found=len(key), wanted=_BYTES),
            hint=without.with_(path=path),
        )
    return key


def _make(path: Path) -> None:
    """Write the key beside its place, sync it, then link it there: two processes agree on the first one."""
    for place in (path.parent.parent, path.parent):  # `parents` alone would leave the upper one open to all
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    give(path.parent, path.parent.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, os.urandom(_BYTES))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    give(draft, path.parent.parent)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
