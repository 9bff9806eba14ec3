"""References are stable, keyed and say nothing; key files are private and never silently replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.credentials import Credential, Format
from gateway.errors import StoreError
from gateway.keys import Keys


def test_references_are_stable_per_gateway_and_differ_between_gateways(tmp_path: Path) -> None:
    card = Credential(Format.EM4100, bytes.fromhex("62E3086CED"))
    first, again, other = Keys(tmp_path / "a"), Keys(tmp_path / "a"), Keys(tmp_path / "b")
    for one in (first, again, other):
        assert one.holder_ref("r-0502").startswith("h:")
        assert len(one.holder_ref("r-0502")) == 18
    assert first.holder_ref("r-0502") == again.holder_ref("r-0502") != other.holder_ref("r-0502")
    assert first.credential_ref(card) == again.credential_ref(card) != other.credential_ref(card)
    references = {first.holder_ref("x")[2:], first.plate_ref("x")[2:], first.room_ref("x")[2:]}
    assert len(references) == 3


def test_the_format_of_a_number_card_does_not_change_its_reference(tmp_path: Path) -> None:
    keys, value = Keys(tmp_path), bytes.fromhex("62E3086CED")
    assert keys.credential_ref(Credential(Format.EM4100, value)) == keys.credential_ref(Credential(Format.HEX, value))
    text = Credential(Format.TEXT, value[:3])
    assert keys.credential_ref(text) != keys.credential_ref(Credential(Format.HEX, value[:3]))


def test_key_files_are_private_apart_and_made_when_needed(tmp_path: Path) -> None:
    keys = Keys(tmp_path)
    assert not (tmp_path / "keys" / "face.key").exists()
    key = keys.face_key()
    assert len(key) == 32
    assert key == Keys(tmp_path).face_key() != (tmp_path / "keys" / "ref.key").read_bytes()
    for file in (tmp_path / "keys").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0


def test_a_data_folder_that_is_made_on_the_way_is_private_too(tmp_path: Path) -> None:
    Keys(tmp_path / "data")
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


def test_a_cut_off_key_is_refused_not_replaced(tmp_path: Path) -> None:
    Keys(tmp_path)
    file = tmp_path / "keys" / "ref.key"
    file.write_bytes(b"short")
    with pytest.raises(StoreError, match="5 bytes"):
        Keys(tmp_path)
    assert file.read_bytes() == b"short"
