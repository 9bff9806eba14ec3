"""An OSDP reader and its output as the daemon runs them: workers over a real line, and what staff are told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway import presence
from gateway.board import Board
from gateway.cli import cli
from gateway.registry import connector
from gateway.settings import Actuator as ActuatorSettings
from gateway.settings import Reader as ReaderSettings
from gateway.types import CardRead, DeviceStatus
from gateway.worker import ActuatorWorker, ReaderWorker
from tests.osdp.bus import KEY, Bus
from tests.osdp.reading import word
from tests.real import wait_until
from tests.workers.parts import running

CONFIG = """
[site]
compound_id = "east"
name = "East"
language = "en"
[gateway]
id = "box-1"
data_dir = "data"
[points.door]
name = "door"
kind = "pedestrian"
direction = "in"
actuator = "lock"
[readers.east]
driver = "osdp"
port = "{port}"
scbk_file = "key"
point = "door"
[actuators.lock]
driver = "osdp-output"
reader = "east"
output = 1
"""


@pytest.fixture
def readers(bus: Bus, tmp_path: Path) -> dict[str, ReaderSettings]:
    (tmp_path / "key").write_text(KEY, encoding="ascii")
    table = {"driver": "osdp", "point": "door", "port": bus.path, "scbk_file": str(tmp_path / "key")}
    return {"east": ReaderSettings.model_validate(table)}


def status_of(board: Board, name: str) -> tuple[DeviceStatus | None, str]:
    return next(((device.status, device.detail) for device in board.devices() if device.name == name), (None, ""))


def test_a_card_is_observed_and_the_output_pulses(bus: Bus, readers: dict[str, ReaderSettings], board: Board) -> None:
    device, seen = bus.reader(), list[CardRead]()
    reader = ReaderWorker("east", readers["east"], connector("reader", readers["east"], {}), seen.append, board)
    table = ActuatorSettings.model_validate({"driver": "osdp-output", "reader": "east", "output": 1})
    lock = ActuatorWorker("lock", "door", connector("actuator", table, readers), board)
    with running(reader), running(lock):
        wait_until(lambda: status_of(board, "east")[0] is DeviceStatus.ONLINE)
        wait_until(lambda: status_of(board, "lock")[0] is DeviceStatus.ONLINE)
        device.show(*word(61, 4822))
        wait_until(lambda: seen)
        assert seen[0].credential.written() == "w26:61-4822"
        assert lock.pulse(0.3).sent(2.0)
        controls = [device.command()["control_code"] for _ in range(3)]
        assert controls == [1, 5, 1]  # off at first, on for its time, off
    assert device.command()["control_code"] == 1


def test_a_reader_that_is_tampered_with_is_a_fault_and_still_reads(
    bus: Bus, readers: dict[str, ReaderSettings], board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "STEADY_S", 0.2)
    device, seen, told = bus.reader(), list[CardRead](), list[str]()
    board.on_device(lambda state: told.append(state.status.value))
    reader = ReaderWorker("east", readers["east"], connector("reader", readers["east"], {}), seen.append, board)
    with running(reader):
        wait_until(lambda: status_of(board, "east")[0] is DeviceStatus.ONLINE)
        device.tell(event=4, type=2, report="0100")
        wait_until(lambda: status_of(board, "east")[0] is DeviceStatus.FAULT)
        assert "tampered" in status_of(board, "east")[1]
        device.show(*word(61, 1))
        wait_until(lambda: seen)
        assert status_of(board, "east")[0] is DeviceStatus.FAULT
        device.tell(event=4, type=2, report="0000")
        wait_until(lambda: status_of(board, "east") == (DeviceStatus.ONLINE, ""))
        assert [status for status in told if status != "offline"] == ["online", "fault", "online"]


def test_a_reader_whose_case_rattles_is_told_of_once(
    bus: Bus, readers: dict[str, ReaderSettings], board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each change of mind was an event at every platform."""
    monkeypatch.setattr(presence, "STEADY_S", 2.0)
    device, told = bus.reader(), list[str]()
    board.on_device(lambda state: told.append(state.status.value))
    reader = ReaderWorker("east", readers["east"], connector("reader", readers["east"], {}), lambda _: True, board)
    with running(reader):
        wait_until(lambda: status_of(board, "east")[0] is DeviceStatus.ONLINE)
        for report in ("0100", "0000") * 3:
            device.tell(event=4, type=2, report=report)
            time.sleep(0.4)  # a worker looks four times a second
        wait_until(lambda: status_of(board, "east") == (DeviceStatus.ONLINE, ""))
        assert [status for status in told if status != "offline"] == ["online", "fault", "online"]


def test_check_live_says_who_answers_and_who_does_not(bus: Bus, readers: dict[str, ReaderSettings]) -> None:
    folder = Path(readers["east"].options["scbk_file"]).parent
    config = folder / "gateway.toml"
    config.write_text(CONFIG.format(port=bus.path), encoding="utf-8")
    device = bus.reader()
    result = CliRunner().invoke(cli, ["check", "--live", "--config", str(config)])
    assert result.exit_code == 0, result.output
    reader, lock = (line for line in result.output.splitlines() if line.startswith("✔"))
    assert "vendor CAFEBA, model 7, serial DEADBEAF, firmware 1.2.3; secure channel" in reader
    assert "vendor CAFEBA" in lock
    assert not device.commands()  # nothing was switched
    bus.remove(0)
    result = CliRunner().invoke(cli, ["check", "--live", "--config", str(config)])
    assert result.exit_code == 1
    assert "nothing answers at address 0" in result.output
