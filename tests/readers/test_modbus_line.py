"""The line that Modbus readers share with others: whose turn it is, and what does no harm there."""

from __future__ import annotations

import threading
import time

import pytest

from drivers import modbus_rtu
from drivers.actuators import modbus_relay
from drivers.polled_reader import PolledReader
from drivers.readers.modbus_reader import connect
from drivers.shared_port import SharedPort
from gateway.errors import DeviceLost
from tests.readers.emulated import ModbusLine
from tests.readers.test_modbus_reader import CARD, NUMBER, options, reading
from tests.real import wait_until
from tests.wire import Tty, cards, faults, read_for


def test_an_adapter_that_echoes_does_no_harm() -> None:
    with Tty() as tty, ModbusLine(tty) as line:
        line.echoes = True
        reader = connect(options(tty.path, poll_s=0.05))
        line.show(NUMBER)
        found = read_for(reader, 0.3)
        assert set(cards(found)) == {CARD}
        assert faults(found) == []
        line.power(False)
        with pytest.raises(DeviceLost):
            read_for(reader, 30)
        reader.close()


def test_an_echo_alone_is_no_board() -> None:
    with Tty() as tty, ModbusLine(tty, addresses=(2,)) as line:
        line.echoes = True
        with pytest.raises(DeviceLost, match="0 of 9 bytes"):
            connect(options(tty.path))


def test_registers_that_are_not_there_are_refused_with_the_next_move() -> None:
    with Tty() as tty, ModbusLine(tty), pytest.raises(DeviceLost, match="refuses with code 2") as caught:
        connect(options(tty.path, first_register=40007))
    assert "40007 is 6" in str(caught.value.hint)


def test_the_answer_of_another_board_is_none() -> None:
    with reading() as (line, reader):
        line.show(NUMBER)
        line.spoil = lambda answer: [(body := b"\x02" + answer[1:-2]) + modbus_rtu.crc(body)]
        with pytest.raises(DeviceLost):
            read_for(reader, 30)


def test_a_relay_and_two_readers_on_one_line() -> None:
    with Tty() as tty, ModbusLine(tty, addresses=(1, 2, 3)) as line:
        relay = modbus_relay.connect(modbus_relay.Options(port=tty.path, address=3))
        readers = [connect(options(tty.path, address=address, poll_s=0.05)) for address in (1, 2)]
        found: list[list[str]] = [[], []]
        stop = threading.Event()

        def serve(at: int) -> None:
            while not stop.is_set():
                found[at] += [*cards(read := readers[at].read()), *faults(read)]

        threads = [threading.Thread(target=serve, args=(at,)) for at in range(2)]
        for thread in threads:
            thread.start()
        line.show(NUMBER, address=1)
        line.show(b"\x01\x02\x03\x04", address=2)
        for turn in range(40):
            relay.switch(on=turn % 2 == 0)
            assert line.coils[3][0] is (turn % 2 == 0)
        wait_until(lambda: all(found))
        stop.set()
        for thread in threads:
            thread.join()
        assert set(found[0]) == {CARD}
        assert set(found[1]) == {"hex:01020304"}
        for device in (relay, *readers):
            device.close()


def test_no_question_begins_while_an_order_waits() -> None:
    """Three readers whose boards are dead, and still an order waits for one question at most."""
    with Tty() as tty, ModbusLine(tty, addresses=(1, 2, 3, 4)) as line:
        relay = modbus_relay.connect(modbus_relay.Options(port=tty.path, address=4))
        readers = [connect(options(tty.path, address=address, poll_s=0.05)) for address in (1, 2, 3)]
        for address in (1, 2, 3):
            del line.registers[address]
        threads = [threading.Thread(target=until_lost, args=(reader,)) for reader in readers]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        for _ in range(3):
            asked = len(line.asked)
            relay.switch(on=True)
            assert len([question for question in line.asked[asked:] if question[1] == 3]) <= 1
        for thread in threads:
            thread.join()
        for device in (relay, *readers):
            device.close()


def until_lost(reader: PolledReader) -> None:
    with pytest.raises(DeviceLost):
        read_for(reader, 30)


def test_a_dead_board_leaves_the_line_to_the_others() -> None:
    with Tty() as tty, ModbusLine(tty, addresses=(1, 2)) as line:
        alive, dying = (connect(options(tty.path, address=address, poll_s=0.05)) for address in (1, 2))
        del line.registers[2]
        until_lost(dying)
        dying.close()
        with pytest.raises(DeviceLost):
            connect(options(tty.path, address=2))
        line.show(NUMBER)
        assert cards(read_for(alive, 0.3))
        alive.close()


def test_a_busy_line_is_no_fault_of_the_reader() -> None:
    with reading() as (line, reader):
        other = SharedPort(line.path, 9600)
        with other.turn():
            assert read_for(reader, 1.5) == []
        line.show(NUMBER)
        assert cards(read_for(reader, 0.3))
        other.close()
