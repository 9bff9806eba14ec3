"""TLS is verified, always; a broker that refuses is reported with a hint; what an ACL denies becomes a dead letter."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.facts import BOOT, event
from tests.real import Mosquitto, free_port, needed, wait_until
from tests.uplink.parts import ALL, PREFIX, House, Wire, certificate, subscriber


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Certificates: ca, server, client; expired (of the same CA); stranger (a CA of its own)."""
    folder = tmp_path / "tls"
    ca = certificate(folder, "ca")
    certificate(folder, "server", ca)
    certificate(folder, "client", ca)
    certificate(folder, "expired", ca, days=-1)
    certificate(folder, "stranger")
    return folder


@pytest.fixture
def secure(folder: Path, tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that wants a client certificate on `port` and lets the test listen on `port_inside`."""
    port = free_port()
    lines = [
        "allow_anonymous true",
        f"listener {port} 127.0.0.1",
        f"cafile {folder}/ca.crt",
        f"certfile {folder}/server.crt",
        f"keyfile {folder}/server.key",
        "require_certificate true",
    ]
    with Mosquitto(tmp_path / "broker", *lines, port=port, own_listener=True) as broker:
        yield broker


def tls(folder: Path, ca: str = "ca", client: str | None = "client") -> dict[str, Any]:
    options: dict[str, Any] = {"ca_file": folder / f"{ca}.crt"}
    if client:
        options |= {"cert_file": folder / f"{client}.crt", "key_file": folder / f"{client}.key"}
    return options


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_tls_with_a_client_certificate_delivers(house: House, secure: Mosquitto, folder: Path, protocol: str) -> None:
    house.journal.append([event(n) for n in range(200)], BOOT)
    with house.running(house.uplink(secure.port, protocol=protocol, **tls(folder))):
        wait_until(lambda: house.journal.pending("city", ALL).count == 0)
        assert house.count("acknowledged") == 200


@pytest.mark.parametrize(
    ("ca", "client", "word"),
    [
        ("stranger", "client", "verify failed"),
        ("ca", None, ""),
        ("ca", "expired", ""),
        ("ca", "stranger", ""),
    ],
)
def test_nothing_is_sent_where_a_certificate_does_not_hold(
    house: House, secure: Mosquitto, folder: Path, ca: str, client: str | None, word: str
) -> None:
    house.journal.append([event(1)], BOOT)
    with house.running(house.uplink(secure.port, **tls(folder, ca, client))):
        wait_until(lambda: house.state().get("reason", "not connected yet") != "not connected yet")
        assert word in house.state()["reason"]
        assert ("cert_file" in house.state()["hint"]) == (client is None)
        assert not house.is_online()
    assert house.count("published") == 0


def test_a_host_name_that_is_not_in_the_certificate_is_refused(house: House, secure: Mosquitto, folder: Path) -> None:
    with house.running(house.uplink(secure.port, host="localhost", **tls(folder))):
        wait_until(lambda: "mismatch" in house.state().get("reason", ""))


def test_without_ca_file_the_store_of_the_system_decides(house: House, secure: Mosquitto, folder: Path) -> None:
    options = tls(folder)
    del options["ca_file"]
    with house.running(house.uplink(secure.port, **options)):
        wait_until(lambda: "verify failed" in house.state().get("reason", ""))


def test_a_missing_certificate_is_named_and_used_once_it_is_there(
    house: House, secure: Mosquitto, folder: Path
) -> None:
    (folder / "client.crt").rename(folder / "away")
    with house.running(house.uplink(secure.port, **tls(folder))):
        wait_until(lambda: "certificates cannot be used" in house.state().get("reason", ""))
        assert "cert_file" in house.state()["hint"]
        (folder / "away").rename(folder / "client.crt")
        wait_until(house.is_online)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker with passwords that does not let box-1 publish alarms."""
    folder = tmp_path / "broker"
    folder.mkdir()
    (folder / "passwords").write_text("box-1:secret\nplatform:secret\n")
    allow(folder, "access", "device")

    subprocess.run([needed("mosquitto_passwd", "mosquitto"), "-U", str(folder / "passwords")], check=True)
    lines = [f"acl_file {folder}/acl", f"password_file {folder}/passwords"]
    with Mosquitto(folder, *lines) as broker:
        yield broker


def allow(folder: Path, *classes: str) -> None:
    leaves = [*(f"event/{name}" for name in classes), "status", "catalog", "health", "device/#"]
    mine = "".join(f"topic write {PREFIX}/{leaf}\n" for leaf in leaves)
    (folder / "acl").write_text(f"user box-1\n{mine}user platform\ntopic read #\n")


def login(tmp_path: Path, password: str = "secret") -> dict[str, Any]:
    (tmp_path / "password").write_text(password + "\n")
    return {"username": "box-1", "password_file": tmp_path / "password"}


def test_a_port_that_speaks_tls_only_is_reported_with_a_hint(house: House, secure: Mosquitto) -> None:
    with house.running(house.uplink(secure.port)):
        wait_until(lambda: "TLS" in house.state().get("hint", ""))


def test_a_wrong_password_is_reported_with_a_hint(house: House, guarded: Mosquitto, tmp_path: Path) -> None:
    with house.running(house.uplink(guarded.port, **login(tmp_path, "wrong"))):
        wait_until(lambda: "Not authorized" in house.state().get("reason", ""))
        assert "password" in house.state()["hint"]
        login(tmp_path)
        wait_until(house.is_online)


def test_a_password_from_an_editor_that_marks_its_files_is_the_password(
    house: House, guarded: Mosquitto, tmp_path: Path
) -> None:
    with house.running(house.uplink(guarded.port, **login(tmp_path, "\ufeffsecret\r"))):
        wait_until(house.is_online)


def test_a_credential_of_systemd_is_the_password(
    house: House, guarded: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "city").write_text("secret")
    with house.running(house.uplink(guarded.port, username="box-1", credential="city")):
        wait_until(house.is_online)


def test_what_an_acl_denies_is_a_dead_letter_until_it_is_allowed(
    house: House, guarded: Mosquitto, tmp_path: Path
) -> None:
    wire = Wire(guarded.port)
    names = ["access.granted", "alarm.tamper", "access.denied", "alarm.tamper", "access.granted"]
    house.journal.append([event(n, name) for n, name in enumerate(names)], BOOT)
    with (
        subscriber(guarded.port, username="platform", password="secret") as platform,
        house.running(house.uplink(wire.port, **login(tmp_path))),
    ):
        wait_until(lambda: platform.sequences() == [1, 3, 5])
        wait_until(lambda: house.journal.count_dead("city") == 2)
        assert house.is_online()
        assert house.count("acknowledged") == 3
        allow(tmp_path / "broker", "access", "alarm")
        guarded.reload()
        wire.refuse()
        wait_until(lambda: not house.is_online())
        wire.open()
        wait_until(lambda: platform.sequences() == [1, 3, 5, 2, 4])
        wait_until(lambda: house.journal.count_dead("city") == 0)
    wire.close()


def test_an_event_that_is_too_long_for_the_broker_does_not_hold_up_the_others(house: House, tmp_path: Path) -> None:
    house.journal.append([event(1), event(2, data={"text": "word " * 1000}), event(3)], BOOT)
    with (
        Mosquitto(tmp_path / "narrow", "max_packet_size 3000") as broker,
        subscriber(broker.port) as platform,
        house.running(house.uplink(broker.port)),
    ):
        wait_until(lambda: platform.sequences() == [1, 3])
        wait_until(lambda: house.journal.count_dead("city") == 1)
        assert house.count("connects") == 1


def test_a_catalog_that_is_too_long_for_the_broker_does_not_hold_up_the_events(house: House, tmp_path: Path) -> None:
    house.journal.append([event(1), event(2)], BOOT)
    house.board.note("health", {"words": "word " * 1000})
    with (
        Mosquitto(tmp_path / "narrow", "max_packet_size 1500") as broker,
        subscriber(broker.port) as platform,
        house.running(house.uplink(broker.port)),
    ):
        wait_until(lambda: platform.sequences() == [1, 2])
        assert platform.last("status")["status"] == "online"
        assert house.count("too_large") == 2
        assert house.count("connects") == 1


@pytest.mark.parametrize(("line", "word"), [("retain_available false", "retained"), ("max_qos 0", "QoS 1")])
def test_a_broker_that_lacks_what_we_need_is_named_with_the_fix(
    house: House, tmp_path: Path, line: str, word: str
) -> None:
    with Mosquitto(tmp_path / "poor", line) as broker, house.running(house.uplink(broker.port)):
        wait_until(lambda: word in house.state().get("hint", ""))
