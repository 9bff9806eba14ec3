"""The secrets of an uplink, as people save them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.broker_access import read_password, read_proxy_password
from gateway.errors import ConfigError
from gateway.settings import Uplink


@pytest.mark.parametrize("saved", [b"s3cret", b"s3cret\n", b"s3cret\r\n", b"\xef\xbb\xbfs3cret\r\n"])
def test_a_password_is_the_same_whichever_editor_saved_it(tmp_path: Path, saved: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(saved)
    uplink = Uplink(host="127.0.0.1", username="box-1", password_file=file, proxy_password_file=file)
    assert (read_password(uplink), read_proxy_password(uplink)) == ("s3cret", "s3cret")


def test_a_token_of_thousands_of_characters_is_whole_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    uplink = Uplink(host="127.0.0.1", username="box-1", password_file=file)
    file.write_text("x" * 5000 + "\n", encoding="utf-8")
    assert read_password(uplink) == "x" * 5000
    file.write_text("x" * 70_000, encoding="utf-8")
    with pytest.raises(ConfigError):
        read_password(uplink)
