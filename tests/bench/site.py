"""The house that is measured: the daemon of the tests, with one door, four, or with cameras."""

from __future__ import annotations

from pathlib import Path

from tests.house import DOOR, HEAD, ROSTER, UPLINK, House

ROOT = Path(__file__).resolve().parent.parent.parent
KNOWN = bytes.fromhex("62E3086CED")


def door_house(folder: Path, tty: str, port: int, *, hold_s: int = 0, more: str = "") -> House:
    """One reader, one relay (`log`), one uplink, one holder with one card."""
    folder.mkdir(parents=True, exist_ok=True)
    door = DOOR.format(port=tty).replace("hold_s = 0", f"hold_s = {hold_s}")
    return settle_in(House(folder, HEAD + door + UPLINK.format(port=port) + more), ROSTER)


def settle_in(house: House, roster: str) -> House:
    """Import the roster."""
    (house.folder / "roster.csv").write_text(roster, encoding="utf-8")
    house.command("roster", "import", str(house.folder / "roster.csv"))
    return house
