"""Why a camera cannot be reached and what to do: the same words, whatever it is asked for.

Rule: no password is in them, and no word of whoever answers there.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

from gateway.errors import DeviceLost
from gateway.text import Text

URL: Final = Text("检查 url（主机名和路径见摄像机说明书）", "check `url`: the camera's manual names the path")
CABLE: Final = Text("检查网线、供电和 IP 地址", "check cable, power and IP address")
PORT: Final = Text("检查 url 的端口，摄像机是否已启动", "check the port in `url`, and that the camera has started")
_LOGIN = Text("检查 username 和 password_file 的内容", "check `username` and what is in `password_file`")
_NO_LOGIN = Text("请配置 username 和 password_file", "set `username` and `password_file`")
_HTTP = Text("在本地网络中可改用 http", "within one's own network `http` will do")


def lost(zh: str, en: str, hint: Text, **values: object) -> DeviceLost:
    return DeviceLost(Text(zh, en).with_(**values), hint=hint)


def unreachable(error: Exception, host: str, port: int) -> DeviceLost:
    """In words, what went wrong on the way to it."""
    match error:
        case ConnectionRefusedError():
            return lost("{host} 拒绝连接端口 {port}", "{host} refuses port {port}", PORT, host=host, port=port)
        case socket.gaierror():
            return lost("找不到主机 {host}", "there is no host {host}", URL, host=host)
        case TimeoutError():
            return lost("{host} 没有应答", "{host} does not answer", CABLE, host=host)
        case ssl.SSLCertVerificationError():
            return lost("{host} 的证书不可信", "the certificate of {host} cannot be trusted", _HTTP, host=host)
        case _:
            return lost("{host} 中断了连接", "{host} broke the connection", CABLE, host=host)


def refused(host: str, *, with_login: bool) -> DeviceLost:
    """It wants another login than it was given."""
    hint = _LOGIN if with_login else _NO_LOGIN
    return lost("{host} 拒绝登录", "{host} refuses the login", hint, host=host)
