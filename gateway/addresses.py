"""How the configuration writes where a broker or a proxy is: `host`, `host:port`, `[::1]:port`, `socks5://user@host:port`."""

from __future__ import annotations

import ipaddress
import re
from typing import Literal, NamedTuple, get_args
from urllib.parse import urlsplit

from gateway.text import Text

_HOST_PORT = re.compile(r"(?P<host>[^\s:/@\[\]]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?")
ProxyKind = Literal["socks5", "socks4", "http"]


class Address(NamedTuple):
    """One broker."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Proxy(NamedTuple):
    """What a connection goes through. It resolves the broker's name, for a box behind one often cannot."""

    kind: ProxyKind
    address: Address
    username: str | None
    has_password: bool  # in the text, where it does not belong: rules.py refuses it


def read_address(text: str, port: int) -> Address:
    """Parse `host` or `host:port`; `port` where it names none. Raises `ValueError`."""
    if _is_ip(text):  # also a bare IPv6 address, whose colons name no port
        return Address(text, port)
    found = _HOST_PORT.fullmatch(text)
    if found is None:
        raise ValueError(Text('应写作 "主机:端口" 或 "[IPv6]:端口"', 'write "host", "host:port" or "[IPv6]:port"'))
    host, named = found["host"].strip("[]"), int(found["port"] or port)
    if not 1 <= named <= 65535 or (":" in host and not _is_ip(host)):
        words = Text(
            "端口为 1 至 65535，[ ] 内为 IPv6 地址", "the port is 1 to 65535, and in [ ] stands an IPv6 address"
        )
        raise ValueError(words)
    return Address(host, named)


def read_proxy(text: str) -> Proxy:
    """Parse `socks5://[user@]host:port`, `socks4://…` or `http://…` (CONNECT). Raises `ValueError`."""
    words = Text(
        '应写作 "socks5://主机:端口"、"socks4://主机:端口" 或 "http://主机:端口"，需要时加 用户@',
        'write "socks5://host:port", "socks4://host:port" or "http://host:port", with user@ if need be',
    )
    fault = ValueError(words)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise fault from None
    kind = next((kind for kind in get_args(ProxyKind) if kind == parts.scheme), None)
    if kind is None or not host or not port or parts.path.strip("/") or parts.query or parts.fragment:
        raise fault
    return Proxy(kind, Address(host, port), parts.username or None, parts.password is not None)


def as_broker(text: str) -> str:
    """The text, where it is the address of a broker. Raises `ValueError`, as the next ones do."""
    read_address(text, 1883)
    return text


def as_host(text: str) -> str:
    """The text, where it is a name or an IP address alone."""
    try:
        alone = read_address(text, 1883).host == text
    except ValueError:
        alone = False
    if not alone:
        raise ValueError(Text("只写域名或 IP，端口写在 port", "write name or IP address alone, the port in `port`"))
    return text


def as_proxy(text: str) -> str:
    """The text, where it says what a connection goes through."""
    read_proxy(text)
    return text


def as_ip(text: str) -> str:
    """The IP address, in its shortest form."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise ValueError(Text("请写本机的 IP，如 10.0.0.2", "write an IP address of this box")) from error


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
