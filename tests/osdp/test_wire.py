"""What libosdp is given: whole frames, no exception, nothing that it would keep."""

from __future__ import annotations

from collections import deque

from drivers.osdp.line import Line
from drivers.osdp.peripheral import Bits, Peripheral
from drivers.osdp.wire import Wire
from drivers.serial_port import SerialPort
from tests.osdp.vectors import FRAMES
from tests.wire import Tty


def test_a_reply_is_given_when_it_is_whole_and_in_the_pieces_that_libosdp_asks_for() -> None:
    id_command, pdid = FRAMES[1][0], FRAMES[6][0]
    with Tty() as device:
        wire = Wire()
        wire.port = SerialPort(device.path, 9600, wait_s=0.01)
        wire.peripherals = {0: Peripheral(0, None)}
        wire.write(b"\xff" + id_command)
        for byte in pdid[:-1]:
            device.send(bytes((byte,)))
            wire.receive()
            assert wire.read(64) == b""
        device.send(pdid[-1:])
        wire.receive()
        assert [wire.read(8), wire.read(64), wire.read(64)] == [pdid[:8], pdid[8:], b""]
        wire.port.close()


def test_what_came_before_a_command_is_no_reply_to_it() -> None:
    id_command, pdid = FRAMES[1][0], FRAMES[6][0]
    with Tty() as device:
        wire = Wire()
        wire.port = SerialPort(device.path, 9600, wait_s=0.01)
        wire.peripherals = {0: Peripheral(0, None)}
        wire.write(id_command)
        device.send(pdid + pdid[:9])
        wire.receive()
        wire.write(id_command)
        device.send(pdid[9:])
        wire.receive()
        assert wire.read(64) == b""
        wire.port.close()


def test_a_lost_port_is_kept_for_whoever_drives_and_no_exception_reaches_libosdp() -> None:
    """A short write or an exception would cost the reader 300 s."""
    with Tty() as device:
        wire = Wire()
        wire.port = SerialPort(device.path, 9600)
        device.unplug()
        command = FRAMES[1][0]
        assert wire.write(command) == len(command)
        assert wire.fault is not None
        wire.flush()
        assert wire.read(64) == b""
        assert wire.write(b"no frame") == 8
        wire.port.close()


def test_libosdp_keeps_no_card() -> None:
    """It never lets go of the dictionary that it tells a card in."""
    line = Line("loop://", 9600)
    member = Peripheral(0, None, inbox=deque(), up=True, settled=True)
    line._members = [member]
    event = {"event": 1, "reader_no": 0, "format": 1, "direction": 0, "length": 26, "data": b"\x8f\x44\x96\x80"}
    line._take(0, event)
    assert event == {}
    assert member.inbox == deque([Bits(26, b"\x8f\x44\x96\x80")])
    assert "8f" not in repr(member.inbox)
