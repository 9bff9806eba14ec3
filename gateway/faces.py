"""The face templates of consenting holders: encrypted, in a file apart from the roster, under a key of their own.

The rule: no template without a consent, and neither a name nor a picture in this file; a subject is the holder's keyed
hash. Templates of another model are never handed out: their distances would mean nothing.
"""

from __future__ import annotations

import os
import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from math import isfinite
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import Rejected, StoreError
from gateway.face_tables import open_base
from gateway.text import Text

FILE_NAME = "faces.db"  # in the data directory
WARN_PEOPLE = 80_000  # warn from here: past the next figure the law asks for a filing
MOST_PEOPLE = 100_000

_NONCE = 12


@dataclass(frozen=True, slots=True)
class Consent:
    """A person's separate, withdrawable consent. `guardian` consented for a child under 14."""

    version: str
    channel: str
    evidence_ref: str
    time: datetime
    guardian: str | None = None

    def __post_init__(self) -> None:
        if not (self.version.strip() and self.channel.strip() and self.evidence_ref.strip()):
            raise Rejected(
                Text("同意记录不完整", "the consent record is incomplete"),
                hint=Text(
                    "版本、渠道和凭证编号都要填写", "give its version, its channel and the reference of its proof"
                ),
            )
        if self.time.tzinfo is None:
            raise Rejected("the time of the consent has no offset", hint="write it like 2026-01-31T09:00:00+08:00")


@dataclass(frozen=True, slots=True)
class ModelId:
    """Which net made a vector."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Template:
    """One vector of one subject: little-endian float32 values, never printed."""

    subject: str
    values: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is enrolled, without the templates."""

    ref: str
    model: ModelId
    templates: int
    consent_version: str
    enrolled_at: datetime


class FaceStore:
    """One database. Each call opens it, so any thread and any process may use it. Raises `StoreError`.

    `key` is asked for where something is sealed or opened: who must be erased is, also where it is lost.
    """

    def __init__(self, path: Path, key: Callable[[], bytes], *, filing_no: str = "", most: int = MOST_PEOPLE) -> None:
        self._path, self._key = path, key
        self._most = None if filing_no else most

    def enrol(
        self,
        subject: str,
        vectors: Sequence[Sequence[float]],
        consent: Consent,
        model: ModelId,
        *,
        audit: Callable[[], None] = lambda: None,
    ) -> int:
        """Keep these vectors instead of all the subject had before; return how many people are enrolled then.

        `audit` is called before the commit; if it raises, nothing is kept. Raises `Rejected` past the legal limit.
        """
        sealed = [self._seal(subject, model, vector) for vector in vectors]
        if not sealed:
            raise Rejected("there is no vector to enrol")
        guardian = None if consent.guardian is None else b"".join(self._encrypt(consent.guardian.encode(), subject))
        with self._transaction() as base:
            base.execute("DELETE FROM consents WHERE subject = ?", (subject,))
            given = (consent.version, consent.channel, consent.evidence_ref, consent.time.isoformat())
            base.execute(
                "INSERT INTO consents VALUES (?, ?, ?, ?, ?, ?, ?)",
                (subject, *given, guardian, datetime.now(UTC).isoformat()),
            )
            base.executemany(
                "INSERT INTO templates VALUES (?, ?, ?, ?, ?)",
                [(subject, model.name, model.sha256, nonce, body) for nonce, body in sealed],
            )
            people = _count(base)
            if self._most is not None and people > self._most:
                raise _too_many(self._most)
            audit()
        return people

    def erase(self, subject: str, *, audit: Callable[[], None] = lambda: None) -> int:
        """Erase the subject's templates and consent; return how many templates there were (0: none enrolled).

        The freed pages are overwritten. `audit` is called before the commit; if it raises, nothing is erased.
        """
        with self._transaction() as base:
            (count,) = base.execute("SELECT count(*) FROM templates WHERE subject = ?", (subject,)).fetchone()
            base.execute("DELETE FROM consents WHERE subject = ?", (subject,))
            if count:
                audit()
        return int(count)

    def subjects(self) -> list[Subject]:
        """Everyone who is enrolled. No file is made by asking."""
        if not self._path.exists():
            return []
        with self._reading() as base:
            rows = base.execute(
                "SELECT subject, model, model_sha256, count(*), version, enrolled_at"
                " FROM consents JOIN templates USING (subject) GROUP BY 1, 2, 3 ORDER BY 1"
            ).fetchall()
        return [
            Subject(ref, ModelId(name, sha256), count, version, datetime.fromisoformat(at))
            for ref, name, sha256, count, version, at in rows
        ]

    def templates(self, model: ModelId) -> list[Template]:
        """All templates this very model made."""
        with self._reading() as base:
            rows = base.execute(
                "SELECT subject, nonce, sealed FROM templates WHERE model = ? AND model_sha256 = ? ORDER BY subject",
                (model.name, model.sha256),
            ).fetchall()
        return [
            Template(subject, self._decrypt(nonce, body, subject, model.name, model.sha256))
            for subject, nonce, body in rows
        ]

    def consent(self, subject: str) -> Consent | None:
        """The record a subject is enrolled under."""
        with self._reading() as base:
            row = base.execute(
                "SELECT version, channel, evidence_ref, given_at, guardian FROM consents WHERE subject = ?", (subject,)
            ).fetchone()
        if row is None:
            return None
        sealed = row[4]
        guardian = None if sealed is None else self._decrypt(sealed[:_NONCE], sealed[_NONCE:], subject).decode()
        return Consent(row[0], row[1], row[2], datetime.fromisoformat(row[3]), guardian)

    def people(self) -> int:
        """How many people are enrolled, with whatever model."""
        with self._reading() as base:
            return _count(base)

    def version(self) -> str:
        """Another text after each change, whichever process made it. No file is made by asking."""
        if not self._path.exists():
            return "none"
        with self._reading() as base:
            (count,) = base.execute("SELECT count FROM changes").fetchone()
            return f"{self._path.stat().st_ino}.{count}"

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self._key())

    def _seal(self, subject: str, model: ModelId, vector: Sequence[float]) -> tuple[bytes, bytes]:
        values = array("f", (float(value) for value in vector))
        if not values or not all(isfinite(value) for value in values) or not any(values):
            raise Rejected("a face vector must be finite numbers, not all of them zero")
        return self._encrypt(values.tobytes(), subject, model.name, model.sha256)

    def _encrypt(self, plain: bytes, *bound_to: str) -> tuple[bytes, bytes]:
        """A nonce and what only opens with the same words: moved to another subject or model it does not."""
        nonce = os.urandom(_NONCE)
        return nonce, self._cipher.encrypt(nonce, plain, "\0".join(bound_to).encode())

    def _decrypt(self, nonce: bytes, sealed: bytes, *bound_to: str) -> bytes:
        try:
            return self._cipher.decrypt(nonce, sealed, "\0".join(bound_to).encode())
        except InvalidTag as error:
            raise StoreError(
                Text("人脸库中有一条记录无法解密", "a record of the face database cannot be decrypted"),
                hint=Text(
                    "密钥 keys/face.key 被更换，或数据被改动；请恢复原密钥，或删除 faces.db 后重新登记",
                    "keys/face.key or the data was altered: put the key back, or move faces.db away and enrol again",
                ),
            ) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as base:
            base.execute("BEGIN IMMEDIATE")
            yield base
            base.execute("UPDATE changes SET count = count + 1")
            base.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        base: sqlite3.Connection | None = None
        try:
            base = open_base(self._path)
            yield base
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                Text("人脸库 {path} 无法读写：{error}", "the face database {path} cannot be used: {error}").with_(
                    path=self._path, error=error
                ),
                hint=Text("检查磁盘空间和权限", "check disk space and permissions"),
            ) from error
        finally:
            if base is not None:
                base.close()  # an open transaction is rolled back


def _count(base: sqlite3.Connection) -> int:
    return int(base.execute("SELECT count(*) FROM consents").fetchone()[0])


def _too_many(most: int) -> Rejected:
    return Rejected(
        Text("已登记 {most} 人，不能再登记", "{most} people are enrolled; no more may be").with_(most=most),
        hint=Text(
            "存储人脸信息达 10 万人须向网信部门备案，取得备案号后写入 [face] filing_no",
            "storing more faces needs a filing with the cyberspace authority: write its number to [face] filing_no",
        ),
    )
