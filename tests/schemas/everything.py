"""A gateway that says everything it can say, and a platform's stranger who listens."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.accounts import device_event, verify_event
from gateway.cli.face import _audit, _consent_data
from gateway.cli.trail import roster_audit
from gateway.clock import ClockTrust, Stamp, now
from gateway.credentials import parse_credential
from gateway.doorkeeper import Doorkeeper
from gateway.errors import StoreError
from gateway.faces import Consent
from gateway.health import Health
from gateway.journal import Journal
from gateway.journal.chain import clock_set
from gateway.passage import Passages
from gateway.report import Report
from gateway.roster import Changes
from gateway.settings import Journal as Policy
from gateway.standing import StandingAlarm
from gateway.types import Box, CardRead, DeviceStatus, Event, FaceSeen, PictureDone, Plate, PlateSeen
from gateway.witness import Mismatch
from tests.downlink.parts import CARD, Gateway, soon
from tests.facts import BOOT, NOON, stamp
from tests.journal.test_damage import overwrite
from tests.real import wait_until
from tests.running import running
from tests.stranger import Stranger
from tests.uplink.parts import ZONE

_MENDED = {"state": "raised", "severity": 2, "cause": "damage"}
_NEW = {"device": "old-reader", "kind": "reader", "point": None, "status": "online", "detail": ""}


class Everything(Gateway):
    """The downlink's gateway with a doorkeeper, health and the real catalog, on a journal that was damaged before."""

    def __init__(self, folder: Path, port: int) -> None:
        path = folder / "data" / "journal" / "journal.db"
        journal = Journal(path)
        journal.append([Event("device.online", "old-reader", stamp(), _NEW) for _ in range(300)], BOOT)
        journal.append([Event("alarm.journal_damaged", "journal", stamp(), _MENDED)], BOOT)  # old enough to go
        journal.close()
        overwrite(path, 4 * 4096, 3 * 4096)
        super().__init__(folder, port)
        report = Report(self.settings, self.board, self.journal)
        self.uplink._around = replace(self.uplink._around, catalog=report.catalog)
        self.board.on_device(lambda state: self.recorder.record(device_event(state)))
        classes = {"city": self.settings.uplinks["city"].classes}
        self.health = Health(self.journal, self.board, classes, self.data, ZONE)
        self.doorkeeper = Doorkeeper(
            points=self.settings.points,
            register=self.register,
            actuators=self.workers,
            record=self.inspection.record,
            passages=Passages(),
            plate=self.settings.plate,
            face_opens=lambda _point: False,
            keys=self.keys,
            zone=ZONE,
            board=self.board,
            settle=lambda *_: None,
        )

    @contextmanager
    def speaking(self) -> Iterator[None]:
        with self.running(), running(self.doorkeeper, self.health):
            yield

    def see_everything(self) -> None:
        """Cards, plates and a face, known and unknown."""
        self.register.refresh()
        for written in (CARD, *(f"w26:9-{number}" for number in range(6))):
            self.doorkeeper.submit(CardRead("door", "door-reader", now(), parse_credential(written)))
        for number, confidence in (("鄂J12345", 0.97), ("鄂J99999", 0.97), ("鄂J1234S", 0.4), ("鄂A0Q111", 0.9)):
            marks = {"corrected": True, "colour_mismatch": True} if number == "鄂A0Q111" else {}
            read = Plate(number, number, "02", "5", confidence, (0.991,) * 7, **marks)
            seen = PlateSeen("gate", "cam", now(), read, 4, Box(10.4, 20, 110, 50), source_file=f"{number}.jpg")
            self.doorkeeper.submit(replace(seen, first_seen=seen.stamp, last_seen=now()))
        second = Plate("鄂J12345", "鄂J12345", "02", "5", 0.97, (0.991,) * 7)
        for camera in ("cam", "rear-cam"):
            self.doorkeeper.submit(PlateSeen("gate", camera, now(), second, 4))
        self.doorkeeper.submit(PlateSeen("gate", "cam", now(), None, 1))
        subject = self.keys.holder_ref("r-0502")
        self.doorkeeper.submit(FaceSeen("door", "cam", now(), subject, 0.8, 0.6, 30, "low", "none"))
        year = timedelta(days=365)  # it was uploaded before this boot
        old = Stamp(now().time - year, now().mono - year.total_seconds(), ClockTrust.SYNCED)
        self.doorkeeper.submit(PictureDone("gate", "cam", old, "broken.jpg", 7, fault="no picture"))
        self._contradict()

    def answer_check(self) -> None:
        """Staff turn away the first of those who wait; the others wait for whatever ends their check."""
        wait_until(lambda: self.inspection.listed({})["checks"], what="somebody whom the gate does not know")
        first = self.inspection.listed({})["checks"][0]
        assert self.inspection.answer({"check": first["check"], "outcome": "refused", "by": "li"})["checks"]

    def _contradict(self) -> None:
        """What takes the doorkeeper ten seconds of silence: a card with somebody else's face."""
        read = CardRead("door", "door-reader", now(), parse_credential(CARD))
        ann, ben = (self.register().by_ref(self.keys.holder_ref(holder)) for holder in ("r-0502", "r-0601"))
        assert ann is not None
        assert ben is not None
        seen = FaceSeen("door", "cam", now(), ben.ref, 0.8, 0.6, 30, "medium", "passive:net:0.97")
        finding = Mismatch(read, seen, ann, ben, None)
        point, ref = self.settings.points["door"], self.keys.credential_ref(read.credential)
        self.recorder.record(verify_event(finding, point, ref))

    def worry(self) -> None:
        """What the box says of itself when disk and clock are in trouble."""
        for state in (
            StandingAlarm("alarm.storage_low", "storage").set(2, now(), free=1 << 20),
            StandingAlarm("alarm.clock_drift", "clock").set(2, now(), offset_s=6.2, cause="jump"),
        ):
            for event in state:
                self.recorder.record(event)
        self.recorder.record(clock_set(BOOT, now(), datetime.now(UTC), 3, 5_000_000))

    def fail_and_recover(self, patch: pytest.MonkeyPatch) -> None:
        """Devices go, the disk refuses for a while, an event is refused, an old one was never sent."""
        for status in DeviceStatus:
            self.board.device("door-reader", "reader", "door", status, "unplugged")
        self.recorder.record(Event("access.granted", "door", now(), {"embedding": [0.5]}))

        def refuse(*_: object) -> None:
            raise StoreError("the disk is full")

        with patch.context() as broken:
            broken.setattr(self.journal, "keep", refuse)
            self.recorder.record(Event("device.online", "old-reader", now(), _NEW))
            wait_until(lambda: self.board.facts().get("journal.fault"))
        wait_until(lambda: not self.board.facts().get("journal.fault"))
        self.journal.register("nobody", self.settings.uplinks["city"].classes)  # never came, so nothing is sent
        later = Stamp(max(datetime.now(UTC), NOON) + timedelta(days=367), 0.0, ClockTrust.SYNCED)
        assert self.journal.purge(Policy(max_bytes=1 << 40, min_free=0), later)

    def audit_faces(self) -> None:
        consent = Consent("1", "paper", "X-1", datetime.now(UTC))
        data = {"consent": _consent_data(consent), "model": "m", "enrolled": 1}
        self.enrol("r-0601")
        _audit(self.settings, "audit.face_enrolled", self.keys.holder_ref("r-0601"), data)
        roster_audit(self.settings, self.keys.holder_ref)(Changes(added=("r-0601",)))


class Orders:
    """What a stranger orders, by the page."""

    def __init__(self, stranger: Stranger) -> None:
        self._stranger = stranger
        self._numbers = itertools.count(1)

    def give(self, command: str, **args: Any) -> str:
        """Order and wait for the end; return its code."""
        request_id = f"s{next(self._numbers)}"
        body = {"command": command, "expires_at": soon(), "args": args}
        self._stranger.publish(f"cmd/{request_id}", body)
        leaf = f"reply/{request_id}"
        wait_until(lambda: (self._stranger.last.get(leaf) or {}).get("ok") is not None, what=f"a reply to {command}")
        return str(self._stranger.last[leaf]["code"])

    def set_roster(self, body: dict[str, Any]) -> str:
        self._stranger.last.pop("roster/holders/ack", None)
        self._stranger.publish("roster/holders/set", body)
        wait_until(lambda: (self._stranger.last.get("roster/holders/ack") or {}).get("ok") is not None)
        return str(self._stranger.last["roster/holders/ack"]["code"])
