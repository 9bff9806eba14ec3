"""What goes together on a serial port: one device, or those of drivers that share a line; and asking often enough."""

from __future__ import annotations

import os
from dataclasses import dataclass

from gateway.config.faults import Complain, Table
from gateway.registry import SECTIONS, Driver, load_driver
from gateway.settings import Reader
from gateway.text import Text


@dataclass(frozen=True, slots=True)
class _User:
    """A device on a port. `given` is what its driver reads, with what was left out."""

    section: str
    name: str
    driver_name: str
    driver: Driver
    given: Table

    def __str__(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def keys(self) -> tuple[str, ...]:
        """By which devices of its driver are told apart on one port."""
        return self.driver.told_apart_by or tuple(key for key in self.given if key != "port")

    def is_called_as(self, other: _User) -> bool:
        same = self.driver_name == other.driver_name
        return same and all(self.given[key] == other.given[key] for key in self.keys)


def check_ports(table: Table, options: dict[tuple[str, str], Table], complain: Complain) -> None:
    lines: dict[str, list[_User]] = {}
    for (section, name), given in options.items():
        driver_name = table[section][name]["driver"]
        driver = load_driver(SECTIONS[section], driver_name)
        user = _User(section, name, driver_name, driver, driver.Options.model_validate(given).model_dump())
        _is_asked_in_time(user, table[section][name].get("hold_s"), complain)
        port = given.get("port")
        if not isinstance(port, str) or port.startswith("loop://"):
            continue
        others = lines.setdefault(port if "://" in port else os.path.realpath(port), [])
        for other in others:
            if _do_not_fit(user, other, complain):
                break
        others.append(user)


def _do_not_fit(user: _User, other: _User, complain: Complain) -> bool:
    """Whether two devices cannot be on one port; the reason is complained of."""
    mine, theirs, where = user.given, other.given, (user.section, user.name)
    if not user.driver.shares_port or user.driver.shares_port != other.driver.shares_port:
        words = Text(
            "串口 {port} 已由 {other} 使用；一个串口只能接一个设备",
            "{port} is used by {other}; a port serves one device",
        )
        complain((*where, "port"), words.with_(port=mine["port"], other=other))
    elif mine["baud"] != theirs["baud"]:
        words = Text(
            "{baud} 与 {other} 的波特率 {theirs} 不同；同一串口的设备须相同",
            "{baud} is not the baud of {other}, {theirs}; devices on one port need the same",
        )
        complain((*where, "baud"), words.with_(baud=mine["baud"], other=other, theirs=theirs["baud"]))
    elif user.is_called_as(other) and user.section == "actuators":
        words = Text(
            "与 {other} 是同一个继电器；请改 {keys}，或让两个通行点共用 {other}",
            "is the same relay as {other}; change {keys}, or let both points name {other}",
        )
        complain((*where, user.keys[0]), words.with_(other=other, keys=" / ".join(user.keys)))
    elif user.is_called_as(other):
        words = Text("与 {other} 是同一个读卡器；请改 {keys}", "is the same reader as {other}; change {keys}")
        complain((*where, user.keys[0]), words.with_(other=other, keys=" / ".join(user.keys)))
    else:
        return False
    return True


def _is_asked_in_time(user: _User, hold_s: object, complain: Complain) -> None:
    """A card that lies at a polled reader is seen at each question: one that is missed must not make it a new one."""
    hold = hold_s if isinstance(hold_s, int | float) else Reader.model_fields["hold_s"].default
    poll = user.given.get("poll_s")
    if user.section == "readers" and poll is not None and hold < 2 * poll:
        words = Text(
            "{hold} 小于 poll_s（{poll}）的两倍：放着不动的卡会被当作反复刷卡；请加大 hold_s",
            "{hold} is less than twice poll_s ({poll}): a card lying there would count again and again; make it longer",
        )
        complain((user.section, user.name, "hold_s"), words.with_(hold=hold, poll=poll))
