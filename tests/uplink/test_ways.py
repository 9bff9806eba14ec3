"""The way to a broker: several tried in turn, through a proxy, from one address of the box, into an old session."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.facts import BOOT, event
from tests.real import Mosquitto, free_port, needed, wait_until
from tests.uplink.parts import ALL, PREFIX, House, certificate, subscriber
from tests.uplink.test_faults import assert_complete


@contextmanager
def program(name: str, package: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([needed(name, package), *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_first_broker_is_dead_and_the_second_dies_later(house: House, tmp_path: Path) -> None:
    third = Mosquitto(tmp_path / "third")
    with Mosquitto(tmp_path / "second") as second, third, subscriber(second.port) as one, subscriber(third.port) as two:
        hosts = [f"127.0.0.1:{second.port}", f"127.0.0.1:{third.port}"]
        house.journal.append([event(n) for n in range(10)], BOOT)
        with house.running(house.uplink(1, hosts=hosts)):  # nothing listens at port 1
            wait_until(lambda: len(one.events()) == 10)
            wait_until(lambda: house.state()["host"] == hosts[0])
            wait_until(lambda: house.journal.pending("city", ALL).count == 0)
            second.stop(signal.SIGKILL)
            wait_until(lambda: house.state()["host"] == hosts[1] and house.is_online(), what="the third is tried")
            house.journal.append([event(n) for n in range(10, 20)], BOOT)
            wait_until(lambda: set(range(11, 21)) <= set(two.sequences()))
            assert two.last("status")["status"] == "online"
            third.stop(signal.SIGKILL)
            wait_until(lambda: not house.is_online())
            second.start()
            house.journal.append([event(20)], BOOT)
            wait_until(lambda: 21 in one.sequences(), what="and round again")


@pytest.mark.parametrize("kind", ["socks5", "http"])
def test_tls_through_a_proxy_that_alone_can_resolve_and_wants_a_password(
    house: House, tmp_path: Path, kind: str
) -> None:
    """The broker's name is resolved by the proxy; the certificate is still that of the broker, not of the proxy."""
    ca = certificate(tmp_path, "ca")
    certificate(tmp_path, "server", ca)
    port, proxy = free_port(), free_port()
    (tmp_path / "secret").write_text("pass\n")
    (tmp_path / "wrong").write_text("word\n")
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", f"cafile {tmp_path}/ca.crt"]
    lines += [f"certfile {tmp_path}/server.crt", f"keyfile {tmp_path}/server.key"]
    (tmp_path / "tinyproxy.conf").write_text(
        f"Port {proxy}\nListen 127.0.0.1\nTimeout 60\nBasicAuth box pass\nConnectPort {port}\nMaxClients 10\n"
    )
    start = {
        "socks5": ("microsocks", "microsocks", "-i", "127.0.0.1", "-p", str(proxy), "-u", "box", "-P", "pass"),
        "http": ("tinyproxy", "tinyproxy-bin", "-d", "-c", str(tmp_path / "tinyproxy.conf")),
    }[kind]
    way = {"proxy": f"{kind}://box@127.0.0.1:{proxy}", "ca_file": tmp_path / "ca.crt"}
    house.journal.append([event(n) for n in range(20)], BOOT)
    with Mosquitto(tmp_path / "broker", *lines, port=port, own_listener=True), program(*start):
        with house.running(house.uplink(port, proxy_password_file=tmp_path / "wrong", **way)):
            wait_until(lambda: "no connection" in house.state().get("reason", ""))
            assert str(proxy) in house.state()["reason"]
            assert "\n" not in house.state()["reason"]  # one line each in `check --live`
        with house.running(house.uplink(port, proxy_password_file=tmp_path / "secret", **way)):
            wait_until(lambda: house.journal.pending("city", ALL).count == 0)
            assert house.count("acknowledged") == 20


def test_it_connects_from_the_address_that_the_operator_names(house: House, broker: Mosquitto, tmp_path: Path) -> None:
    with house.running(house.uplink(broker.port, bind_address="127.0.0.9")):
        wait_until(house.is_online)
        log = tmp_path / "broker" / "mosquitto.log"
        wait_until(lambda: "from 127.0.0.9:" in log.read_text(encoding="utf-8"))
    with house.running(house.uplink(broker.port, bind_address="192.0.2.7")):  # of no machine
        wait_until(lambda: "no connection" in house.state().get("reason", ""))


@pytest.mark.parametrize(("protocol", "expiry"), [("5", 60), ("3.1.1", 60), ("5", 0)])
def test_a_session_that_lasts_keeps_what_was_said_meanwhile(
    house: House, broker: Mosquitto, protocol: str, expiry: int
) -> None:
    house.journal.append([event(n) for n in range(4)], BOOT)
    options = {"ack_required": True, "protocol": protocol, "session_expiry": expiry}
    with subscriber(broker.port) as platform:
        with house.running(house.uplink(broker.port, **options)):
            wait_until(lambda: len(platform.events()) == 4)
        platform.publish(f"{PREFIX}/ack", json.dumps({"seq": 3}).encode())
        with house.running(house.uplink(broker.port, **options)):
            wait_until(house.is_online)
            if expiry:
                wait_until(lambda: house.journal.pending("city", ALL).count == 1)
            time.sleep(0.3)
        assert house.journal.pending("city", ALL).count == (1 if expiry else 4)


def test_a_new_uplink_begins_where_the_operator_says(house: House, broker: Mosquitto) -> None:
    house.journal.append([event(n) for n in range(5)], BOOT)
    house.uplink(1, "late", start="now")  # killed before it ever connected
    house.journal.append([event(5), event(6, "alarm.tamper")], BOOT)
    with subscriber(broker.port) as platform:
        with house.running(house.uplink(broker.port, "late", start="now")):
            wait_until(lambda: sorted(platform.sequences()) == [6, 7])
            wait_until(lambda: house.journal.pending("late", ALL).count == 0)
            assert platform.last("catalog")["begins_after"] == 5
        with house.running(house.uplink(broker.port, "late", start="now")):
            wait_until(lambda: house.is_online("late"))
            assert platform.last("catalog")["begins_after"] == 5
        platform.messages.clear()
        with house.running(house.uplink(broker.port, "later", start="oldest")):
            assert_complete(platform, 7)
            assert platform.last("catalog")["begins_after"] == 0
