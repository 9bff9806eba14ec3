"""Builds everything from `Settings` and runs it in layers; the only file that starts threads.

Rule: doors first. They wait for no disk at the start, and at the end the journal is the last thing to go.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from gateway import __version__
from gateway.accounts import device_event
from gateway.asked_cards import AskedCards
from gateway.board import Board
from gateway.captures import FOLDER as CAPTURES
from gateway.captures import Captures
from gateway.clock import boot_id
from gateway.cloudevent import Identity
from gateway.doorkeeper import Doorkeeper
from gateway.downlink import Downlink, open_downlink
from gateway.errors import StoreError
from gateway.faces import FILE_NAME as FACES
from gateway.faces import FaceStore
from gateway.health import Health
from gateway.housekeeping import Housekeeping, LiveRegister
from gateway.inspection import Inspection
from gateway.journal import Journal
from gateway.keys import Keys
from gateway.passage import Passages
from gateway.recorder import Recorder
from gateway.registry import connector
from gateway.report import Report
from gateway.roster import Roster
from gateway.settings import Settings
from gateway.spool import FOLDER as SPOOL
from gateway.spool import Spool
from gateway.status_socket import StatusSocket
from gateway.supervisor import Supervisor
from gateway.systemd import StatusLine, Watchdog, notify
from gateway.text import Text
from gateway.types import FaceSeen, PictureDone, PlateSeen
from gateway.uplink import Uplink
from gateway.worker import ActuatorWorker, ReaderWorker

log = logging.getLogger(__name__)

Work = Callable[[threading.Event], None]


@dataclass(slots=True)
class Layer:
    """Parts that start and stop together."""

    name: str
    parts: Sequence[tuple[str, Work]]
    patience: float  # seconds its threads may take to end, all of them together
    stop: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for name, work in self.parts:
            thread = threading.Thread(target=work, args=(self.stop,), name=name, daemon=True)
            self.threads.append(thread)
            thread.start()

    def end(self) -> None:
        self.stop.set()
        deadline = time.monotonic() + self.patience
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                log.error("%s did not end within %.1f s", thread.name, self.patience)


class House:
    """All parts, built and wired, not yet running.

    Doors and devices wait for no disk: they run first and whatever the disk does. The journal and all that lives on it
    follow when it opens, which after damage can take minutes; until then the recorder keeps events in memory.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._data = settings.gateway.data_dir
        self._zone = ZoneInfo(settings.site.timezone)
        language = settings.site.language
        self._make_data_dir()
        self.board = Board()
        self.keys = Keys(self._data)
        self.captures = Captures(
            self._data / CAPTURES, settings.captures, min_free=settings.journal.min_free, board=self.board
        )
        wanted = {kind for uplink in settings.uplinks.values() for kind in uplink.classes}
        self.recorder = Recorder(
            None, self.board, settings.journal, language=language, wanted=wanted, captures=self.captures
        )
        self.inspection = Inspection(settings.points, self._zone, self.recorder.record, self.board)
        self.board.on_device(lambda state: self.recorder.record(device_event(state)))
        self.register = LiveRegister(Roster(self._data / "roster.db", self.keys), self.board, language)
        self.register.refresh()
        self.actuators = {name: self._actuator(name) for name in settings.actuators}
        self.supervisor = Supervisor(settings, self._observe, self.board)
        self.doorkeeper = Doorkeeper(
            points=settings.points,
            register=self.register,
            actuators=self.actuators,
            record=self.inspection.record,
            passages=Passages(),
            plate=settings.plate,
            face_opens=self._opens_by_face,
            keys=self.keys,
            zone=self._zone,
            board=self.board,
            settle=self.supervisor.settle,
        )
        self.asked_cards = AskedCards(self.doorkeeper.submit, self.board)
        self.journal: Journal | None = None
        self.uplinks: dict[str, Uplink] = {}
        self.report = Report(settings, self.board)
        self._layers = [self._checks(), self._doors(), self._devices(), self._watchers()]

    def start(self) -> None:
        """Everything that needs no disk."""
        for layer in self._layers:
            layer.start()

    def open_journal(self) -> None:
        """Open the journal and start what lives on it. Raises `StoreError`: try again, except for `FolderInUse`."""
        journal = Journal(self._data / "journal" / "journal.db")
        try:
            layers = self._on_journal(journal)
        except StoreError:
            journal.close()
            raise
        self.journal = self.report.journal = journal
        self._layers[:0] = layers[:-1]
        self._layers.insert(-1, layers[-1])  # orders, like the devices, go before what they ask of
        for layer in layers:
            layer.start()

    def _on_journal(self, journal: Journal) -> list[Layer]:
        """What lives on the journal, from the ground up."""
        self.recorder.attach(journal)
        downlink = open_downlink(
            self.settings,
            in_force=lambda: self.settings,
            journal=journal,
            keys=self.keys,
            register=self.register,
            actuators=self.actuators,
            record=self.inspection.record,
            board=self.board,
            captures=self.captures,
        )
        orders = Layer("orders", [("downlink", downlink.run), ("errands", downlink.errands.run)], 1.5)
        return [self._forwarding(journal, downlink), self._keeping(), orders]

    def end(self) -> None:
        """Stop downwards; what was observed is still decided, what was decided still kept and, if it can be, sent."""
        notify("STOPPING=1")
        for layer in reversed(self._layers):
            layer.end()
        if self.journal is not None:
            self.journal.close()

    # ── layers, from the ground up ────────────────────────────────────────────────────────────────────────

    def _forwarding(self, journal: Journal, downlink: Downlink) -> Layer:
        site, options = self.settings.site, self.settings.uplinks
        identity = Identity(site.compound_id, self.settings.gateway.id, boot_id(), __version__)
        around = (identity, journal, self.board, self.keys, self._zone, self.report.catalog)
        self.uplinks = {
            name: Uplink(name, one, *around, obey=downlink.obey, language=site.language)
            for name, one in options.items()
        }
        classes = {name: one.classes for name, one in options.items()}
        health = Health(journal, self.board, classes, self._data, self._zone)
        threads = [(f"uplink:{name}", uplink.run) for name, uplink in self.uplinks.items()]
        return Layer("forwarding", [*threads, ("health", health.run)], 2.5)

    def _keeping(self) -> Layer:
        housekeeping = Housekeeping(
            register=self.register,
            spool=Spool(self._data / SPOOL),
            recorder=self.recorder,
            faces=FaceStore(self._data / FACES, self.keys.face_key),
            zone=self._zone,
            board=self.board,
            captures=self.captures,
        )
        return Layer("keeping", [("recorder", self.recorder.run), ("housekeeping", housekeeping.run)], 2.0)

    def _checks(self) -> Layer:
        """Below the doors: the last whom they refuse may ask for a check, which then ends with the gateway."""
        parts = [("inspection", self.inspection.run)] if self.inspection.is_wanted else []
        return Layer("checks", parts, 0.5)

    def _doors(self) -> Layer:
        actuators = [(f"actuator:{name}", worker.run) for name, worker in self.actuators.items()]
        return Layer("doors", [("doorkeeper", self.doorkeeper.run), *actuators], 1.5)

    def _devices(self) -> Layer:
        workers = {
            name: ReaderWorker(
                name,
                table,
                connector("reader", table, {}),
                self.asked_cards.observe,
                self.board,
                self.settings.site.language,
            )
            for name, table in self.settings.readers.items()
        }
        readers = [(f"reader:{name}", worker.run) for name, worker in workers.items()]
        return Layer("devices", [*readers, ("supervisor", self.supervisor.run)], 3.0)

    def _watchers(self) -> Layer:
        deeds = {
            "retry": self._retry,
            "checks": self.inspection.listed,
            "answer": self.inspection.answer,
            "next_card": self.asked_cards.answer,
        }
        status = StatusSocket(self._data, self.report.snapshot, self.board, deeds)
        words = StatusLine(self.report.words)
        watchdog = Watchdog(self.board)
        return Layer("watchers", [("watchdog", watchdog.run), ("words", words.run), ("status", status.run)], 1.0)

    def _retry(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Somebody at the box wants an uplink's dead letters tried again."""
        uplink = self.uplinks.get(str(asked.get("uplink")))
        if uplink is not None:
            uplink.retry()
        return {"retried": uplink is not None}

    # ── wiring ────────────────────────────────────────────────────────────────────────────────────────────

    def _make_data_dir(self) -> None:
        try:
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                Text("数据目录 {path} 无法建立：{error}", "the data folder {path} cannot be made: {error}").with_(
                    path=self._data, error=error.strerror
                ),
                hint=Text("检查 gateway.data_dir 及其权限", "check gateway.data_dir and its permissions"),
            ) from error

    def _opens_by_face(self, point: str) -> bool:
        """As the settings are now: `systemctl reload` may have changed them."""
        face = self.settings.face
        return face.enabled and point in face.open_alone

    def _observe(self, observation: PlateSeen | FaceSeen | PictureDone) -> bool:
        return self.doorkeeper.submit(observation)

    def _actuator(self, name: str) -> ActuatorWorker:
        connect = connector("actuator", self.settings.actuators[name], self.settings.readers)
        return ActuatorWorker(name, self._point_of(name), connect, self.board, self.settings.site.language)

    def _point_of(self, actuator: str) -> str | None:
        return next((name for name, point in self.settings.points.items() if point.actuator == actuator), None)
