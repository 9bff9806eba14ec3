"""The error tree, split by who acts next.

GatewayError
├── ConfigError   the operator edits the file; exit code 78, systemd does not restart
├── DeviceLost    the worker reconnects
├── BadFrame      dropped and counted
├── ModelError    that recogniser is off, cards go on
├── StoreError    loud: an event, roster or template could not be kept
├── Unreachable   the uplink waits and tries again
└── Rejected      refused for good: dead letter, or the caller's input is wrong

Each error carries a `hint`: the next move, for the person who reads it.
No exception of a library (serial, cv2, sqlite3, paho, onnxruntime) crosses a floor: each border raises one of
these `from` it.
"""

from __future__ import annotations

from pathlib import Path

from gateway.text import Language, Text, spoken


class GatewayError(Exception):
    """Base of every error this program raises on purpose."""

    def __init__(self, message: str | Text, *, hint: str | Text = "") -> None:
        super().__init__(str(message))
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.say(Language.EN)

    def say(self, language: Language) -> str:
        """What is wrong and the next move, in one language."""
        message, hint = spoken(self.message, language), spoken(self.hint, language)
        if not hint:
            return message
        return f"{message}（{hint}）" if language is Language.ZH else f"{message} ({hint})"


class ConfigError(GatewayError):
    """The configuration cannot be used; the operator edits it."""


class DeviceLost(GatewayError):
    """A device cannot be opened or has gone; the worker reconnects."""


class BadFrame(GatewayError):
    """Bytes from a wire that are no valid frame; dropped and counted. `reason` is one word for the counter."""

    def __init__(self, message: str | Text, *, reason: str = "framing", hint: str | Text = "") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class ModelError(GatewayError):
    """A model is missing, altered or of the wrong shape; its recogniser stays off."""


class StoreError(GatewayError):
    """SQLite or the disk refused; nothing was written."""


class Unreachable(GatewayError):
    """The other side of a network link does not answer; wait and try again."""


class Rejected(GatewayError):
    """Input or an event that is refused for good."""


def unwritten(path: Path, error: OSError) -> StoreError:
    """What to raise where the disk refuses a file or folder."""
    return StoreError(
        Text("{path} 无法写入：{why}", "{path} cannot be written: {why}").with_(path=path, why=error.strerror),
        hint=Text("检查磁盘空间和权限", "check disk space and permissions"),
    )
