"""Actuators that are part of a reader: the reader they name, and how long they can keep a door open."""

from __future__ import annotations

from gateway.config.faults import Complain, Table, did_you_mean, entries
from gateway.registry import Driver, load_driver
from gateway.settings import Point
from gateway.text import Text

_OPEN_S: float = Point.model_fields["open_s"].default


def check_outputs(table: Table, options: dict[tuple[str, str], Table], complain: Complain) -> None:
    """`options`: those that the drivers could read, by section and name."""
    seen: dict[tuple[object, ...], str] = {}
    for (section, name), given in options.items():
        if section != "actuators":
            continue
        driver_name = table[section][name]["driver"]
        driver = load_driver("actuator", driver_name)
        _goes_off_in_time(table, name, driver, complain)
        if driver.through is None:
            continue
        _leads_to_a_reader(table, name, given["reader"], driver.through, complain)
        whole = driver.Options.model_validate(given).model_dump()
        place = driver_name, *whole.items()
        if place in seen:
            words = Text(
                "与 actuators.{other} 是同一个输出；请改 {keys}，或让两个通行点共用 {other}",
                "is the same output as actuators.{other}; change {keys}, or let both points name {other}",
            )
            complain((section, name), words.with_(other=seen[place], keys=" / ".join(whole)))
        seen.setdefault(place, name)


def _leads_to_a_reader(table: Table, name: str, reader: str, wanted: str, complain: Complain) -> None:
    readers = dict(entries(table, "readers"))
    fitting = [known for known, entry in readers.items() if entry.get("driver") == wanted]
    if reader in fitting:
        return
    if reader in readers:
        words = Text(
            "读卡器“{reader}”的驱动是 {given}，须为 {wanted}；{allowed}",
            "the driver of reader '{reader}' is {given}, it must be {wanted}; {allowed}",
        )
    else:
        words = Text("没有名为“{reader}”的读卡器；{allowed}", "there is no reader '{reader}'; {allowed}")
    complain(
        ("actuators", name, "reader"),
        words.with_(
            reader=reader,
            given=readers.get(reader, {}).get("driver"),
            wanted=wanted,
            allowed=did_you_mean(reader, fitting),
        ),
    )


def _goes_off_in_time(table: Table, name: str, driver: Driver, complain: Complain) -> None:
    longest = driver.longest_on_s
    if longest is None:
        return
    for point, entry in entries(table, "points"):
        open_s = entry.get("open_s", _OPEN_S)
        if entry.get("actuator") == name and isinstance(open_s, int | float) and open_s > longest:
            words = Text(
                "{open_s} 超出 {name} 能保持的 {longest} 秒", "{open_s} is longer than {name} can stay on, {longest} s"
            )
            complain(("points", point, "open_s"), words.with_(open_s=open_s, name=name, longest=longest))
