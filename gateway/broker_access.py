"""How an uplink knows its broker and is known to it: certificates and password, read anew at each connection.

Rule: certificates and host name are always verified; there is no way to leave that out.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from gateway.errors import ConfigError
from gateway.secret_file import read_secret
from gateway.settings import Uplink
from gateway.text import Text


def tls_context(options: Uplink) -> ssl.SSLContext:
    """Certificates and host name are always verified, against `ca_file` or the system's store. Raises `ConfigError`."""
    try:
        context = ssl.create_default_context(cafile=str(options.ca_file) if options.ca_file else None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if options.cert_file is not None:
            # The empty password keeps OpenSSL from asking for that of an encrypted key on the terminal.
            context.load_cert_chain(options.cert_file, options.key_file, password="")
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            Text("证书无法使用：{error}", "the certificates cannot be used: {error}").with_(error=error),
            hint=Text(
                "检查平台的 ca_file、cert_file 和 key_file", "check ca_file, cert_file and key_file of the uplink"
            ),
        ) from error
    return context


def read_password(options: Uplink) -> str | None:
    """The password, from `password_file` or systemd's credential. Raises `ConfigError`."""
    if options.credential is not None:
        path = Path(os.environ.get("CREDENTIALS_DIRECTORY", "/run/credentials/compound-gateway.service"))
        path /= options.credential
    elif options.password_file is not None:
        path = options.password_file
    else:
        return None
    return _read(path)


def read_proxy_password(options: Uplink) -> str | None:
    """The password for the proxy. Raises `ConfigError`."""
    return _read(options.proxy_password_file) if options.proxy_password_file else None


def _read(path: Path) -> str:
    try:
        return read_secret(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            Text("密码无法读取", "the password cannot be read"),
            hint=Text("检查 {path} 及其属主", "check {path} and its owner").with_(path=path),
        ) from error
