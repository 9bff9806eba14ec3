"""The quiet work of the door process, once a second on one thread: no door, no uplink ever waits for it.

It notices a roster that another process changed, takes in events that commands left in the spool, deletes captures
that are old enough, and erases the faces of people whose time here is over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import tzinfo
from functools import partial

from gateway.board import Board
from gateway.captures import Captures
from gateway.clock import ClockTrust, Stamp, now
from gateway.errors import GatewayError, StoreError
from gateway.faces import FaceStore
from gateway.recorder import Recorder
from gateway.register import Register
from gateway.roster import ABSENT, Roster
from gateway.spool import Spool, Waiting
from gateway.text import Language, Text
from gateway.types import Event, Holder

log = logging.getLogger(__name__)

_PERIOD_S = 1.0
_FACES_EVERY_S = 3600.0
_CAPTURES_EVERY_S = 3600.0
_GONE = Text("名册文件不见了", "the roster has gone")
_IMPORT = Text("重新导入名册；在此之前沿用原名册", "import it again; until then it counts as it was")


class LiveRegister:
    """The register that the doorkeeper asks: replaced as a whole when the roster has changed."""

    def __init__(self, roster: Roster, board: Board, language: Language = Language.EN) -> None:
        self._roster = roster
        self._board = board
        self._language = language  # of what the board says; the log is English
        self._version = ""
        self._fault = ""
        self._register = Register((), (), ())

    def __call__(self) -> Register:
        return self._register

    @property
    def is_sound(self) -> bool:
        """Whether what is in force was read from a roster that somebody wrote."""
        return self._version not in ("", ABSENT)

    def refresh(self) -> bool:
        """Load the roster where it changed; True if it had.

        A roster that has gone or cannot be read leaves the one in force, at the start that of the last good copy.
        """
        try:
            version = self._roster.version()
            if version == self._version:
                return False
            if version == ABSENT and len(self._register):  # the folder was unmounted, say
                raise StoreError(_GONE, hint=_IMPORT)
            self._register, self._version = self._roster.snapshot(), version
        except StoreError as error:
            self._fall_back(error)
            return False
        self._fault = ""
        self._board.note("roster", {"holders": len(self._register)})
        log.info("roster: %d holders", len(self._register))
        return True

    def _fall_back(self, error: StoreError) -> None:
        if not len(self._register):
            self._register = self._roster.last_good() or self._register
        self._version = ""  # whatever comes next is news
        if str(error) != self._fault:
            self._fault = str(error)
            log.critical("%s; %d holders of the last good roster may pass", error, len(self._register))
            self._board.note("roster", {"holders": len(self._register), "fault": error.say(self._language)})


class Housekeeping:
    """One round a second."""

    def __init__(
        self,
        *,
        register: LiveRegister,
        spool: Spool,
        recorder: Recorder,
        faces: FaceStore,
        zone: tzinfo,
        board: Board,
        stamp: Callable[[], Stamp] = now,
        captures: Captures | None = None,
    ) -> None:
        self._captures = captures
        self._captures_due = 0.0
        self._register = register
        self._spool = spool
        self._recorder = recorder
        self._faces = faces
        self._zone = zone
        self._stamp = stamp
        self._board = board
        self._faces_due = 0.0
        self._taken: set[str] = set()  # on their way to the journal

    def run(self, stop: threading.Event) -> None:
        fault = ""
        while not stop.wait(_PERIOD_S):
            self._board.beat("housekeeping", allowed_age=60.0)
            try:
                self.round()
                fault = ""
            except GatewayError as error:  # the disk: said loudly, though once, and tried again
                if str(error) != fault:
                    log.error("housekeeping: %s", error)
                fault = str(error)
                self._board.count("housekeeping.failed")

    def round(self) -> None:
        """Everything once."""
        changed = self._register.refresh()
        for waiting in self._spool.take():
            if waiting.event.id not in self._taken:
                self._taken.add(waiting.event.id)
                self._recorder.record(waiting.event, partial(self._kept, waiting))
        if self._captures is not None and time.monotonic() >= self._captures_due:
            self._captures_due = time.monotonic() + _CAPTURES_EVERY_S
            self._board.count("captures.expired", self._captures.expire(self._stamp()))
        if changed or time.monotonic() >= self._faces_due:
            self._faces_due = time.monotonic() + _FACES_EVERY_S
            if self._register.is_sound:
                self._erase_faces_of_the_gone(self._register())

    def _erase_faces_of_the_gone(self, register: Register) -> None:
        """Whose time here is over leaves the face store too, within the hour (the law gives 24).

        Also while faces are not recognised: who was enrolled before still is.
        """
        at = self._stamp()
        for subject in self._faces.subjects():
            reason = self._why_gone(register.by_ref(subject.ref), at)
            if reason:
                event = Event("audit.face_erased", "faces", at, {"reason": reason, "holder": {"ref": subject.ref}})
                self._faces.erase(subject.ref, audit=partial(self._spool.put, event))
                log.info("a face template was erased: %s", reason)

    def _why_gone(self, holder: Holder | None, at: Stamp) -> str:
        """Why somebody's time here is over; empty where it is not. A wrong clock ends nobody's time."""
        if holder is None:
            return "left the roster"
        if holder.valid_until is None or at.trust is ClockTrust.UNSYNCED:
            return ""
        return "no longer valid" if holder.valid_until < at.time.astimezone(self._zone).date() else ""

    def _kept(self, waiting: Waiting) -> None:
        """The journal has a spooled event (on the recorder's thread)."""
        self._spool.remove(waiting)
        self._taken.discard(waiting.event.id)
