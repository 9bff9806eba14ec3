"""Drivers by name, found through entry points: those of this program and those of any other installed package.

Its rule: the program imports no driver by itself; `compound_gateway.readers`, `.cameras` and `.actuators` name them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from pydantic import BaseModel

from gateway.errors import Rejected
from gateway.extras import install
from gateway.settings import DeviceTable, Settings
from gateway.text import Text
from gateway.wording import DEVICE_WORDS

Kind = Literal["reader", "camera", "actuator"]
SECTIONS: dict[str, Kind] = {"readers": "reader", "cameras": "camera", "actuators": "actuator"}


_SLIPS = (ImportError, AttributeError, NameError, SyntaxError, TypeError, ValueError)  # of whoever wrote a driver

_WHERE = Text("python -c 'import {module}' 会指出在哪一行", "python -c 'import {module}' shows in which line")


def _nothing(_options: Any) -> Iterable[Any]:
    return ()


@dataclass(frozen=True, slots=True)
class Driver:
    """What a driver module offers. `connect` raises `DeviceLost` where the device is not there."""

    Options: type[BaseModel]
    connect: Callable[..., Any]  # of the options; of those of its reader as well, where it works `through` one
    shares_port: str = ""  # several devices may name the same port: those of all drivers that say the same here
    told_apart_by: tuple[str, ...] = ()  # keys by which its devices on one port differ; none: by any key
    plays_recording: bool = False  # its `path` is there from the beginning, or it is a mistake
    through: str | None = None  # the driver of the readers one of which its `reader` names
    longest_on_s: float | None = None  # an actuator that goes off by itself after so long
    unusable: Callable[[Any], Iterable[tuple[str, Text]]] = _nothing  # options: keys whose files are of no use, and why
    advice: Callable[[Any], Iterable[Text]] = _nothing  # options: what to know though nothing is wrong


def names(kind: Kind) -> list[str]:
    """The drivers there are, sorted."""
    return sorted(_found(kind))


def load_driver(kind: Kind, name: str) -> Driver:
    """Import a driver. Raises `Rejected` for an unknown name or a module that is no driver."""
    entry = _found(kind).get(name)
    if entry is None:
        raise _unknown(kind, name)
    try:
        module = entry.load()
        options, connect = module.Options, module.connect
    except _SLIPS as error:
        raise Rejected(
            Text("驱动“{name}”无法载入：{error}", "driver '{name}' cannot be loaded: {error}").with_(
                name=name, error=str(error)
            ),
            hint=_what_to_install(entry) if isinstance(error, ImportError) else _WHERE.with_(module=entry.module),
        ) from error
    if not (isinstance(options, type) and issubclass(options, BaseModel) and callable(connect)):
        raise Rejected(
            Text("{value} 不是驱动", "{value} is no driver").with_(value=entry.value),
            hint=Text("驱动须有 Options 与 connect", "a driver has Options, a pydantic model, and connect"),
        )
    return Driver(
        options,
        connect,
        shares_port=getattr(module, "SHARES_PORT", ""),
        told_apart_by=getattr(module, "TOLD_APART_BY", ()),
        plays_recording=bool(getattr(module, "PLAYS_RECORDING", False)),
        through=getattr(module, "THROUGH", None),
        longest_on_s=getattr(module, "LONGEST_ON_S", None),
        unusable=getattr(module, "unusable", _nothing),
        advice=getattr(module, "advice", _nothing),
    )


def devices(settings: Settings) -> Iterator[tuple[Kind, str, DeviceTable]]:
    """Every device of a configuration, with its name."""
    for name, reader in settings.readers.items():
        yield "reader", name, reader
    for name, actuator in settings.actuators.items():
        yield "actuator", name, actuator
    for name, camera in settings.cameras.items():
        yield "camera", name, camera


def connector(kind: Kind, table: DeviceTable, readers: Mapping[str, DeviceTable]) -> Callable[[], Any]:
    """How to open a device: its driver with its checked options, and with those of the reader that it works through."""
    driver = load_driver(kind, table.driver)
    connect = partial(driver.connect, driver.Options.model_validate(table.options))
    if driver.through is None:
        return connect
    reader = readers[table.options["reader"]]
    return partial(connect, load_driver("reader", reader.driver).Options.model_validate(reader.options))


@cache
def _found(kind: Kind) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=f"compound_gateway.{kind}s")}


def _unknown(kind: Kind, name: str) -> Rejected:
    close = get_close_matches(name, names(kind), n=1)
    known = ", ".join(names(kind))
    hint = Text("可用：{known}", "there are: {known}").with_(known=known)
    if close:
        hint = Text("是不是 {close}？可用：{known}", "did you mean {close}? There are: {known}").with_(
            close=close[0], known=known
        )
    if not known:
        hint = Text("程序未安装：pip install .", "the program is not installed: pip install .")
    return Rejected(
        Text("没有名为“{name}”的{kind}驱动", "there is no {kind} driver '{name}'").with_(
            name=name, kind=DEVICE_WORDS[kind]
        ),
        hint=hint,
    )


def _what_to_install(entry: EntryPoint) -> Text:
    extras = ",".join(entry.extras)
    if extras:
        return Text("请执行：{command}", "run: {command}").with_(command=install(extras))
    return Text("请重新安装提供它的软件包", "install again the package that brings it")
