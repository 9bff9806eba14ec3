"""A fob without a printed number is enrolled from outside: its number comes from a reader, and goes nowhere else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.board import Board
from gateway.status_socket import StatusSocket
from tests.house import DOOR, HEAD, KNOWN, ROSTER, House, SerialLine, Subscriber, door_house
from tests.real import PATIENCE_S, Mosquitto, wait_until

FOB = bytes.fromhex("0B00C0FFEE")
WRITTEN = "em4100:0B00C0FFEE"
MORE_READERS = """
[readers.west-reader]
driver = "rdm6300"
port = "missing"
point = "east-door"

[readers.code-reader]
driver = "line"
port = "{port}"
pattern = '^(?P<text>.+)$'
point = "east-door"
"""


class Asker:
    """`compound-gateway roster read …` that waits for a card."""

    def __init__(self, house: House, *words: str) -> None:
        line = [sys.executable, "-m", "gateway", "roster", "read", *words, "--config", str(house.config)]
        self.process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
        )
        assert self.process.stderr is not None
        self.prompt = self.process.stderr.readline()  # once the daemon knows that somebody asks

    def said(self, code: int = 0) -> tuple[str, str]:
        """Standard output and standard error, after the prompt."""
        out, error = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == code, (out, error)
        return out, error


@contextmanager
def asking(house: House, *words: str) -> Iterator[Asker]:
    asker = Asker(house, *words)
    try:
        yield asker
    finally:
        asker.process.kill()
        asker.process.communicate()


def passages(house: House) -> list[dict[str, Any]]:
    return [event for event in house.events() if event["type"].startswith("compound.access.")]


def present(line: SerialLine, house: House, card: bytes = FOB) -> None:
    """Returns when its event is kept."""
    before = house.kept("access")
    line.present(card)
    wait_until(lambda: house.kept("access") == before + 1)


def add(house: House, more: str) -> None:
    """To its configuration."""
    house.config.write_text(house.config.read_text("utf-8") + more, encoding="utf-8")


@pytest.fixture
def house(tmp_path: Path, line: SerialLine) -> House:
    """Without a platform."""
    house = House(tmp_path, HEAD + DOOR.format(port=line.path))
    (tmp_path / "roster.csv").write_text(ROSTER, encoding="utf-8")
    house.command("roster", "import", str(tmp_path / "roster.csv"))
    return house


def test_a_fob_without_a_number_is_read_enrolled_and_opens(tmp_path: Path, line: SerialLine, broker: Mosquitto) -> None:
    house = door_house(tmp_path, line, broker)
    with Subscriber(broker.port) as platform, house:
        house.wait_online("reader")
        with asking(house, "east-reader") as asker:
            assert "present the card at reader east-reader (东门人行1) within 30 s" in asker.prompt
            present(line, house)
            shown = json.dumps(house.status())
            out, error = asker.said()
        assert out == f"{WRITTEN}\n"
        assert f"roster add HOLDER_ID --name NAME --card {WRITTEN} --point '*'" in error
        wait_until(lambda: platform.events("access.denied"))
        for told in (house.log(), shown, json.dumps(house.events()), str(platform.messages)):
            assert "C0FFEE" not in told.upper()
        for file in (tmp_path / "data").rglob("*"):
            if file.is_file():
                content = file.read_bytes()
                assert FOB not in content, file
                assert b"C0FFEE" not in content.upper(), file
        assert [event["data"]["reason"] for event in passages(house)] == ["unknown"]
        house.command("roster", "add", "r-9", "--name", "乙", "--card", out.strip(), "--point", "*")
        wait_until(lambda: house.status()["roster"]["holders"] == 2)
        present(line, house)
        assert [event["data"]["granted"] for event in passages(house)] == [False, True]


def test_whose_a_card_is_already_is_told_and_the_command_that_frees_it_does(house: House, line: SerialLine) -> None:
    with house:
        house.wait_online("reader")
        house.command("roster", "add", "r-0502", "--update", "--status", "lost")
        for words in ((), ("--json",)):
            with asking(house, "east-reader", *words) as asker:
                present(line, house, KNOWN)
                out, error = asker.said()
            if words:
                holder = {"holder_id": "r-0502", "name": "甲", "room": "3-1-0502", "status": "lost"}
                assert json.loads(out) == {
                    "card": "em4100:62E3086CED",
                    "reader": "east-reader",
                    "holders": [holder],
                }
            else:
                assert out == "em4100:62E3086CED\n"
                assert "it is in the roster: r-0502 甲 3-1-0502 lost." in error
                assert "compound-gateway roster add r-0502 --update --card ''" in error
        house.command("roster", "add", "r-0502", "--update", "--card", "")
        house.command("roster", "add", "r-9", "--name", "乙", "--card", "em4100:62E3086CED", "--point", "*")


def test_one_asks_at_a_time_and_ctrl_c_makes_room_at_once(house: House, line: SerialLine) -> None:
    with house:
        house.wait_online("reader")
        with asking(house, "east-reader") as first:
            said = house.command("roster", "read", "east-reader", code=1)
            assert "somebody else reads a card at east-reader just now" in said
            first.process.send_signal(signal.SIGINT)
            assert first.said(130) == ("", "\n")
            present(line, house)  # between the two: nobody's
            house.config.write_text(house.config.read_text("utf-8").replace('"en"', '"zh"'), encoding="utf-8")
            with asking(house, "east-reader", "--seconds", "1") as second:
                assert "请在 1 秒内把卡放到“东门人行1”的读卡器 east-reader 上" in second.prompt
                out, error = second.said(1)
            assert out == ""
            assert "1 秒内读卡器 east-reader 没有读到卡" in error
            assert "先拿开再放上" in error


def test_what_gives_no_card_says_why_and_what_to_do(house: House) -> None:
    codes = SerialLine()
    said = house.command("roster", "read", "east-reader", code=1)
    assert "no daemon answers" in said
    assert "systemctl status compound-gateway" in said
    add(house, MORE_READERS.format(port=codes.path))
    with house:
        stand = {"east-reader": "online", "west-reader": "offline", "code-reader": "online"}
        wait_until(lambda: stand.items() <= {one["name"]: one["status"] for one in house.status()["devices"]}.items())
        said = house.command("roster", "read", "east-raeder", code=1)
        assert "there is no reader 'east-raeder'" in said
        assert "did you mean 'east-reader'?" in said
        said = house.command("roster", "read", "west-reader", code=1)
        assert "reader west-reader is off line: " in said
        assert "No such file" in said
        with asking(house, "code-reader") as asker:
            os.write(codes.master, b"A 17\r\n")
            out, error = asker.said(1)
        assert out == ""
        assert "the roster cannot hold it" in error
        assert "A 17" not in error
        add(house, '[readers.new-reader]\ndriver = "rdm6300"\nport = "other"\npoint = "east-door"\n')
        said = house.command("roster", "read", "new-reader", code=1)
        assert "the running daemon does not have reader new-reader yet" in said
        assert "systemctl restart compound-gateway" in said
    codes.close()


def test_a_daemon_from_before_an_upgrade_is_to_be_restarted(house: House) -> None:
    """It answers what it does not know with its status."""
    stop = threading.Event()
    server = StatusSocket(house.folder / "data", lambda: {"devices": []}, Board())
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    wait_until((house.folder / "data" / "status.sock").exists)
    said = house.command("roster", "read", "east-reader", code=1)
    stop.set()
    thread.join()
    assert "the running daemon cannot do this: another version" in said
    assert "systemctl restart compound-gateway" in said
