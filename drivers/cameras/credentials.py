"""A camera's user name and password, and the Authorization header they make (Basic, Digest with MD5 or SHA-256).

Rule: a password comes from a file and appears nowhere but in what is sent to the camera.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from gateway.errors import DeviceLost
from gateway.secret_file import read_secret
from gateway.text import Text

_HASHES: Final = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to a camera. Prints without the password."""

    username: str = ""
    password: str = field(default="", repr=False)

    def __bool__(self) -> bool:
        return bool(self.username)

    def url_with(self, url: str) -> str:
        """The URL as FFmpeg wants it, with the login inside. Never to be shown."""
        parts = urlsplit(url)
        user = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if self else ""
        return urlunsplit(parts._replace(netloc=user + parts.netloc.rpartition("@")[2]))

    def answer(self, challenges: Iterable[str], method: str, uri: str) -> str | None:
        """The Authorization header for what a camera offers: no plain password where it also knows a digest."""
        digests_first = sorted(challenges, key=lambda challenge: not challenge.lower().startswith("digest"))
        answers = (self.authorization(challenge, method, uri) for challenge in digests_first)
        return next((one for one in answers if one), None)

    def authorization(self, challenge: str, method: str, uri: str) -> str | None:
        """The header that answers a `WWW-Authenticate`; None for a scheme that is not known."""
        scheme, _, rest = challenge.strip().partition(" ")
        if scheme.lower() == "basic":
            token = base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")
            return f"Basic {token}"
        if scheme.lower() != "digest":
            return None
        asked = {key.lower(): quoted or plain for key, quoted, plain in _PARAMETER.findall(rest)}
        return self._digest(asked, method, uri)

    def _digest(self, asked: dict[str, str], method: str, uri: str) -> str | None:
        algorithm = asked.get("algorithm", "MD5")
        make = _HASHES.get(algorithm.upper())
        if make is None or "nonce" not in asked:
            return None
        realm, nonce = asked.get("realm", ""), asked["nonce"]

        def digest(text: str) -> str:
            return make(text.encode()).hexdigest()

        secret, request = digest(f"{self.username}:{realm}:{self.password}"), digest(f"{method}:{uri}")
        fields = {"username": self.username, "realm": realm, "nonce": nonce, "uri": uri}
        if "opaque" in asked:
            fields["opaque"] = asked["opaque"]
        extra = f", algorithm={algorithm}" if "algorithm" in asked else ""
        if "auth" in asked.get("qop", "").replace(" ", "").split(","):
            once = secrets.token_hex(8)
            fields |= {"cnonce": once, "response": digest(f"{secret}:{nonce}:00000001:{once}:auth:{request}")}
            extra += ", qop=auth, nc=00000001"
        else:
            fields["response"] = digest(f"{secret}:{nonce}:{request}")
        return "Digest " + ", ".join(f'{key}="{value}"' for key, value in fields.items()) + extra


_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


def sound_url(url: str) -> str:
    """Check what a pattern cannot: a `#` or `/` in a password moves where the host ends. Raises `ValueError`."""
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")  # as the network will be asked for it
        sound = bool(parts.hostname) and parts.port != 0 and not parts.fragment
    except ValueError:
        sound = False
    if not sound:
        words = Text(
            "请写主机和端口（1 至 65535）；用户名和密码写在 username 和 password_file",
            "give host and port (1 to 65535); a login belongs into `username` and `password_file`",
        )
        raise ValueError(words)
    return url


def without_user(username: str, password_file: Path | None) -> Iterator[tuple[str, Text]]:
    """A password is nobody's, and would be left out in silence."""
    if password_file is not None and not username:
        yield "password_file", Text("还须填写 username", "needs username as well")


def login_of(url: str, username: str, password_file: Path | None) -> Login:
    """The login of a camera's options; one inside the URL counts where no user name is given. Raises `DeviceLost`."""
    parts = urlsplit(url)
    if not username:
        return Login(unquote(parts.username or ""), unquote(parts.password or ""))
    if password_file is None:
        return Login(username)
    try:
        return Login(username, read_secret(password_file))
    except (OSError, UnicodeDecodeError) as error:
        raise DeviceLost(
            Text("密码文件 {path} 无法读取", "the password file {path} cannot be read").with_(path=password_file),
            hint=Text("检查 password_file 及其属主", "check `password_file` and its owner"),
        ) from error
