"""Relay boards: their published orders, and boards on a real tty that answer, refuse and keep silent."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import ValidationError

from drivers import modbus_rtu
from drivers.actuators import lcus1, log, modbus_relay
from gateway.errors import BadFrame, DeviceLost
from gateway.text import Language
from tests.standstill import awake
from tests.wire import Tty

# LCUS-1 product pages (identical at several shops); Waveshare "Modbus RTU Relay", its examples
LCUS_ON, LCUS_OFF = bytes.fromhex("a00101a2"), bytes.fromhex("a00100a1")
MODBUS_ON, MODBUS_OFF = bytes.fromhex("01050000ff008c3a"), bytes.fromhex("010500000000cdca")


@contextmanager
def answering(device: Tty, reply: Callable[[bytes], bytes], orders: list[bytes]) -> Iterator[None]:
    """A Modbus board on the other end of the tty."""
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if order := device.received(8, 0.1):
                orders.append(order)
                device.send(reply(order))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_published_orders() -> None:
    assert (lcus1.order(1, on=True), lcus1.order(1, on=False)) == (LCUS_ON, LCUS_OFF)
    assert (modbus_relay.order(1, 1, on=True), modbus_relay.order(1, 1, on=False)) == (MODBUS_ON, MODBUS_OFF)


@pytest.mark.shared
def test_collected_orders(shared: Path) -> None:
    collection = json.loads((shared / "serial-vectors.json").read_text(encoding="utf-8"))["vectors"]
    checked = 0
    for entry in collection:
        wire, message = bytes.fromhex(entry["hex"]), entry.get("message", {})
        if entry["protocol"] == "lcus_relay":
            assert lcus1.order(message["relay"], message["on"]) == wire
        elif entry["protocol"] == "modbus_rtu" and "coil" in message:
            assert modbus_relay.order(message["unit"], message["coil"] + 1, message["on"]) == wire
        elif entry["protocol"] == "modbus_rtu" and entry.get("error") == "checksum":
            with pytest.raises(BadFrame) as caught:
                modbus_rtu.confirm(MODBUS_ON, wire)
            assert caught.value.reason == "checksum"
        elif entry["protocol"] == "modbus_rtu":
            assert modbus_rtu.crc(wire[:-2]) == wire[-2:]
        else:
            continue
        checked += 1
    assert checked >= 8


def test_lcus_orders_go_out_on_the_wire() -> None:
    with Tty() as device:
        relay = lcus1.connect(lcus1.Options(port=device.path, channel=2))
        relay.switch(on=True)
        relay.switch(on=False)
        assert device.received(8) == bytes.fromhex("a00201a3 a00200a2")
        device.unplug()
        with pytest.raises(DeviceLost):
            relay.switch(on=True)
        relay.close()
        relay.close()


def test_two_relays_of_one_board_share_its_port() -> None:
    with Tty() as device:
        one, two = (lcus1.connect(lcus1.Options(port=device.path, channel=channel)) for channel in (1, 2))
        one.switch(on=True)
        one.close()
        two.switch(on=True)
        assert device.received(8) == bytes.fromhex("a00101a2 a00201a3")
        with pytest.raises(DeviceLost, match="same baud"):
            lcus1.connect(lcus1.Options(port=device.path, baud=19200))
        two.close()
        lcus1.connect(lcus1.Options(port=device.path, baud=19200)).close()


def test_relays_that_share_a_lost_board_come_back_together(tmp_path: Path) -> None:
    link = tmp_path / "board"
    with Tty() as first, Tty() as second:
        link.symlink_to(first.path)
        options = [lcus1.Options(port=str(link), channel=channel) for channel in (1, 2)]
        relays = [lcus1.connect(each) for each in options]
        first.unplug()
        for relay in relays:
            with pytest.raises(DeviceLost):
                relay.switch(on=True)
        link.unlink()
        link.symlink_to(second.path)
        for relay, each in zip(relays, options, strict=True):
            relay.close()
            again = lcus1.connect(each)
            again.switch(on=False)
        assert second.received(8) == bytes.fromhex("a00100a1 a00200a2")


def test_a_serial_server_that_does_not_answer_holds_up_no_other_relay() -> None:
    with socket.socket() as server, socket.socket() as first, Tty() as device:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        first.connect(server.getsockname())  # the only one it has room for
        absent = lcus1.Options(port=f"socket://127.0.0.1:{server.getsockname()[1]}")

        def wait_for_it() -> None:
            with pytest.raises(DeviceLost):
                lcus1.connect(absent)

        thread = threading.Thread(target=wait_for_it)
        thread.start()
        time.sleep(0.1)
        lcus1.connect(lcus1.Options(port=device.path)).close()
        assert thread.is_alive(), "the other relay waited for it"
        thread.join()


def test_a_relay_that_joins_a_line_just_given_up_opens_it_anew(tmp_path: Path) -> None:
    link = tmp_path / "board"
    with Tty() as first, Tty() as second:
        link.symlink_to(first.path)
        one, two = (lcus1.connect(lcus1.Options(port=str(link), channel=channel)) for channel in (1, 2))
        first.unplug()
        with pytest.raises(DeviceLost):
            one.switch(on=True)
        link.unlink()
        link.symlink_to(second.path)
        lcus1.connect(lcus1.Options(port=second.path, channel=1)).switch(on=False)
        with pytest.raises(DeviceLost):
            two.switch(on=True)
        assert second.received(4) == LCUS_OFF


def test_a_modbus_board_confirms_by_its_echo() -> None:
    orders: list[bytes] = []
    with Tty() as device:
        relay = modbus_relay.connect(modbus_relay.Options(port=device.path))
        device.send(b"\x00\xff")  # stale bytes must not be taken for the reply
        with answering(device, lambda order: order, orders):
            relay.switch(on=True)
            relay.switch(on=False)
        assert orders == [MODBUS_ON, MODBUS_OFF]
        relay.close()


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"", "0 of 8"),
        (MODBUS_ON[:5], "5 of 8"),
        (MODBUS_OFF, "not the echo"),
        (MODBUS_ON[:-1] + b"\x3b", "not the echo"),
        (bytes.fromhex("018502c351"), "code 2"),
        (bytes.fromhex("018502c352"), "5 of 8"),
    ],
)
def test_a_modbus_board_that_does_not_confirm_is_lost(reply: bytes, why: str) -> None:
    with Tty() as device:
        relay = modbus_relay.connect(modbus_relay.Options(port=device.path))
        start = awake()
        with answering(device, lambda _: reply, []), pytest.raises(DeviceLost, match=why) as caught:
            relay.switch(on=True)
        assert why not in caught.value.say(Language.ZH)
        assert awake() - start < 1.0
        relay.close()


def test_a_dead_modbus_board_leaves_the_line_to_the_others() -> None:
    with Tty() as device:
        alive, dead = (
            modbus_relay.connect(modbus_relay.Options(port=device.path, address=address)) for address in (1, 2)
        )
        with answering(device, lambda order: order if order[0] == 1 else b"", []):
            for _ in range(2):
                with pytest.raises(DeviceLost, match="0 of 8"):
                    dead.switch(on=False)
                alive.switch(on=True)
        alive.close()
        dead.close()


def test_the_dry_run_says_each_change_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    relay = log.connect(log.Options())
    for on in (False, True, True, False, False):
        relay.switch(on)
    relay.close()
    assert [record.message.rsplit(" ", 1)[1] for record in caplog.records] == ["on", "off"]


@pytest.mark.parametrize("wrong", [{"channel": 0}, {"channel": 17}, {"address": 2}, {"chanel": 1}])
def test_lcus_options_that_cannot_work(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        lcus1.Options.model_validate({"port": "/dev/ttyUSB0", **wrong})
