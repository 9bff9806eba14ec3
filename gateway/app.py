"""Builds everything from `Settings`, starts it upwards and stops it downwards; the only file that starts threads.

Rule: the journal is there before anything can happen, and the last thing to go. A thread that ends by a bug ends the
daemon (exit 1) and systemd starts it afresh: half a house is worse than a second without one.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gateway import __version__
from gateway.accounts import device_event
from gateway.board import Board
from gateway.clock import boot_id
from gateway.cloudevent import Identity
from gateway.config import load
from gateway.doorkeeper import Doorkeeper
from gateway.errors import ConfigError
from gateway.faces import FILE_NAME as FACES
from gateway.faces import FaceStore
from gateway.health import Health
from gateway.housekeeping import Housekeeping, LiveRegister
from gateway.journal import Journal
from gateway.keys import Keys
from gateway.passage import Passages
from gateway.recorder import Recorder
from gateway.registry import Kind, load_driver
from gateway.report import Report
from gateway.roster import Roster
from gateway.settings import DeviceTable, Settings
from gateway.settings import Uplink as UplinkSettings
from gateway.spool import Spool
from gateway.status_socket import StatusSocket
from gateway.supervisor import Supervisor
from gateway.systemd import StatusLine, Watchdog, notify
from gateway.uplink import Uplink
from gateway.worker import ActuatorWorker, ReaderWorker

log = logging.getLogger(__name__)

Work = Callable[[threading.Event], None]
_OF_VISION = ("cameras", "face", "vision")  # tables that a running house can take up anew


@dataclass(slots=True)
class Layer:
    """Parts that start and stop together."""

    name: str
    parts: Sequence[tuple[str, Work]]
    patience: float  # seconds its threads may take to end
    stop: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for name, work in self.parts:
            thread = threading.Thread(target=work, args=(self.stop,), name=name, daemon=True)
            self.threads.append(thread)
            thread.start()

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(self.patience)
            if thread.is_alive():
                log.error("%s did not end within %.1f s", thread.name, self.patience)


class House:
    """All parts, built and wired, not yet running."""

    def __init__(self, settings: Settings) -> None:
        data = settings.gateway.data_dir
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.settings = settings
        self.board = Board()
        self.keys = Keys(data)
        self.journal = Journal(data / "journal" / "journal.db")
        self.recorder = Recorder(self.journal, self.board, settings.journal)
        self.board.on_device(lambda state: self.recorder.record(device_event(state)))
        self.register = LiveRegister(Roster(data / "roster.db", self.keys), self.board)
        self.register.refresh()
        self.actuators = {
            name: ActuatorWorker(name, self._point_of(name), _connector("actuator", table), self.board)
            for name, table in settings.actuators.items()
        }
        self.supervisor = Supervisor(settings, self._observe, self.board)
        self.doorkeeper = Doorkeeper(
            points=settings.points,
            register=self.register,
            actuators=self.actuators,
            record=self.recorder.record,
            passages=Passages(),
            plate=settings.plate,
            keys=self.keys,
            zone=ZoneInfo(settings.site.timezone),
            board=self.board,
            settle=self.supervisor.settle,
        )
        self.report = Report(settings, self.board, self.journal)
        self.layers = self._build_layers(data)

    def _observe(self, observation: Any) -> bool:
        return self.doorkeeper.submit(observation)

    def _point_of(self, actuator: str) -> str | None:
        return next((name for name, point in self.settings.points.items() if point.actuator == actuator), None)

    def _uplink(self, name: str, options: UplinkSettings) -> Uplink:
        site = self.settings.site
        identity = Identity(site.compound_id, self.settings.gateway.id, boot_id(), __version__)
        zone = ZoneInfo(site.timezone)
        return Uplink(name, options, identity, self.journal, self.board, self.keys, zone, self.report.catalog)

    def _build_layers(self, data: Path) -> list[Layer]:
        """Bottom first: what keeps, what forwards, what decides, what sees; then who watches them all."""
        settings, board = self.settings, self.board
        housekeeping = Housekeeping(
            register=self.register,
            spool=Spool(data / "spool"),
            recorder=self.recorder,
            faces=FaceStore(data / FACES, self.keys.face_key()) if settings.face.enabled else None,
            board=board,
        )
        readers = [
            (
                f"reader:{name}",
                ReaderWorker(name, table, _connector("reader", table), self.doorkeeper.submit, board).run,
            )
            for name, table in settings.readers.items()
        ]
        actuators = [(f"actuator:{name}", worker.run) for name, worker in self.actuators.items()]
        uplinks = [(f"uplink:{name}", self._uplink(name, options).run) for name, options in settings.uplinks.items()]
        classes = {name: options.classes for name, options in settings.uplinks.items()}
        health = Health(self.journal, board, classes, data, ZoneInfo(settings.site.timezone))
        status = StatusSocket(data, self.report.snapshot, board)
        return [
            Layer("uplinks", [*uplinks, ("health", health.run), ("status", status.run)], 2.5),
            Layer("journal", [("recorder", self.recorder.run), ("housekeeping", housekeeping.run)], 2.0),
            Layer("doors", [("doorkeeper", self.doorkeeper.run), *actuators], 1.5),
            Layer("devices", [*readers, ("supervisor", self.supervisor.run)], 3.0),
            Layer("watchdog", [("watchdog", Watchdog(board).run), ("words", StatusLine(self.report.words).run)], 0.5),
        ]

    def start(self) -> None:
        for layer in self.layers:
            layer.start()

    def end(self) -> None:
        notify("STOPPING=1")
        for layer in reversed(self.layers):
            layer.end()
        self.journal.close()


def _connector(kind: Kind, table: DeviceTable) -> Callable[[], Any]:
    """How to open a device: its driver with its checked options."""
    driver = load_driver(kind, table.driver)
    return partial(driver.connect, driver.Options.model_validate(table.options))


def run(settings: Settings, path: Path) -> int:
    """Run until SIGTERM or SIGINT; return the exit code. SIGHUP reads the file at `path` again."""
    stop, reload, broken = threading.Event(), threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, lambda *_: reload.set())
    threading.excepthook = partial(_report_bug, broken)
    house = House(settings)
    house.start()
    log.info("%s runs: %s", settings.gateway.id, house.report.words())
    notify("READY=1", f"STATUS={house.report.words()}")
    while not stop.wait(0.2) and not broken.is_set():
        if reload.is_set():
            reload.clear()
            _reload(house, path)
    log.info("stopping")
    house.end()
    return 1 if broken.is_set() else 0


def _reload(house: House, path: Path) -> None:
    """Take up what a running house can: the roster, and everything the vision child works by."""
    house.register.refresh()
    try:
        fresh = load(path)
    except ConfigError as error:
        log.error("SIGHUP: the file has faults, the old settings stay: %s", error)
        return
    changed = [name for name in Settings.model_fields if getattr(fresh, name) != getattr(house.settings, name)]
    later = [name for name in changed if name not in _OF_VISION]
    if later:
        log.warning("SIGHUP: changes in %s need a restart: systemctl restart compound-gateway", ", ".join(later))
    if set(changed) - set(later):
        taken = {name: getattr(fresh, name) for name in _OF_VISION}
        house.settings = house.settings.model_copy(update=taken)
        house.supervisor.replace(house.settings)
        log.info("SIGHUP: the cameras start afresh with the new settings")


def _report_bug(broken: threading.Event, args: threading.ExceptHookArgs) -> None:
    """A thread ended by an exception nobody expected."""
    name = args.thread.name if args.thread else "?"
    log.critical(
        "%s ended by a bug", name, exc_info=(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
    )
    broken.set()
