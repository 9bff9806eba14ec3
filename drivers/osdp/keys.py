"""The key of a reader's secure channel (SCBK): 32 hexadecimal digits in a file of their own.

The rule: the published default SCBK-D is no key. Whoever knows the standard could listen, and could be the reader.
"""

from __future__ import annotations

import re
from pathlib import Path

from gateway.secret_file import read_secret
from gateway.text import Text

SCBK_D = bytes(range(0x30, 0x40))


def read_key(path: Path) -> bytes:
    """The 16 bytes. Raises `OSError` for a file that cannot be read, `ValueError` of a `Text` for what is no key."""
    try:
        written = read_secret(path)
    except UnicodeDecodeError:
        written = ""
    digits = re.sub(r"[\s:-]", "", written)
    if not re.fullmatch(r"[0-9A-Fa-f]{32}", digits):
        raise ValueError(
            Text(
                "{path} 应为 32 个十六进制数字（128 位密钥），可用 openssl rand -hex 16 生成",
                "{path} should hold 32 hexadecimal digits (a key of 128 bits); openssl rand -hex 16 makes one",
            ).with_(path=path)
        )
    key = bytes.fromhex(digits)
    if key == SCBK_D:
        raise ValueError(
            Text(
                "{path} 中是公开的出厂密钥 SCBK-D，等于没有密钥；请用读卡器厂家的工具写入自己的密钥",
                "{path} holds SCBK-D, the published key of new readers, which protects nothing: "
                "set a key of your own with the tool of the reader's maker",
            ).with_(path=path)
        )
    return key
