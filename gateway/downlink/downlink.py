"""One thread: an order of the platform is judged, carried out once, audited and answered within 2 s.

Rule: promise 5 of the contract. Deny by default; nothing without an expiry, nothing while the clock is not synced,
nothing that is retained, nothing twice. Whatever a message says, the answer is a message, never an exception.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from gateway.board import Board
from gateway.clock import ClockTrust, now, trust
from gateway.cloudevent import local_time
from gateway.doorkeeper import Record
from gateway.downlink.answers import BUSY, STOPPING, UNDER_WAY, Answer, Code, Refusal
from gateway.downlink.calls import DATASET, is_request_id, read_arguments, read_call
from gateway.downlink.deeds import Deeds, Later, check_dataset
from gateway.downlink.errands import Errand, Errands
from gateway.downlink.ledger import Ledger
from gateway.downlink.rules import refuse_unless_allowed, refuse_unless_synced, refuse_unless_timely
from gateway.errors import StoreError
from gateway.settings import Settings
from gateway.text import Text
from gateway.types import CommandName, Event
from gateway.uplink import Order

log = logging.getLogger(__name__)

FILE_NAME = "downlink.db"  # in the data directory
_WAITING = 64
_PATIENCE_S = 1.5  # after so long an order that is not finished is answered "under way"
_MOST_BYTES = 8 << 20  # of a roster: 30,000 holders
_LONGEST = 64  # characters of a request id, of the name of a dataset
_MOST_HELD = 24 << 20  # of all orders that wait or are under way


@dataclass(slots=True, eq=False)
class _Case:
    """One order and how its answer is made. `begun`: the ledger has it."""

    order: Order
    about: dict[str, Any]  # what the answer names, and the audit
    begun: bool = False
    told: bool = False  # that it is under way
    is_sent_out: bool = False  # an errand has it
    held: int = 0  # bytes of it in memory


class Downlink:
    """`obey` is called on the uplinks' threads; `run` is one thread's work, and so is `errands.run`."""

    def __init__(
        self,
        *,
        settings: Settings,
        deeds: Deeds,
        record: Record,
        board: Board,
        errands: Errands | None = None,
        read_trust: Callable[[], ClockTrust] = trust,
    ) -> None:
        self._settings = settings
        self._deeds = deeds
        self._record = record
        self._board = board
        self.errands = errands or Errands(board)
        self._read_trust = read_trust
        self._zone = ZoneInfo(settings.site.timezone)
        self._ledger = Ledger(settings.gateway.data_dir / FILE_NAME)
        self._orders: queue.Queue[_Case] = queue.Queue(_WAITING)
        self._lock = threading.Lock()
        self._held = 0
        self._under_way: list[_Case] = []
        self._is_over = False

    def obey(self, order: Order) -> None:
        """Take an order; never blocks. One too many is answered at once: busy."""
        if order.message.retained:
            # Who left it there, and when? It would come again at each connect.
            self._count(order, "retained_orders")
            log.warning("uplink %s: a retained order is ignored", order.uplink)
            return
        case = _Case(order, _about(order))
        try:
            self._hold(case)
            self._orders.put_nowait(case)
        except queue.Full:
            self._release(case)
            self._count(order, "refused_orders")
            self._answer(case, BUSY)
        if self._is_over:
            self._turn_away()

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop`."""
        while not stop.is_set():
            self._board.beat("downlink")
            self._say_what_takes_longer()
            self._ledger.forget_now_and_then(self._read_trust)
            try:
                case = self._orders.get(timeout=0.2)
            except queue.Empty:
                continue
            self._serve(case)
        self._is_over = True
        self._turn_away()
        self._ledger.close()
        self._board.retire("downlink")

    def _turn_away(self) -> None:
        """Nobody serves any more: who still waits is told so, for his broker has our word that the order arrived."""
        with suppress(queue.Empty):
            while True:
                case = self._orders.get_nowait()
                self._release(case)
                self._count(case.order, "refused_orders")
                self._answer(case, STOPPING)

    def _hold(self, case: _Case) -> None:
        """Raises `queue.Full` where the orders together are too large."""
        size = len(case.order.message.payload)
        with self._lock:
            if self._held + size > _MOST_HELD:
                raise queue.Full
            self._held += size
            case.held = size

    def _release(self, case: _Case) -> None:
        with self._lock:
            self._held -= case.held
            case.held = 0

    def _serve(self, case: _Case) -> None:
        try:
            is_command = case.order.leaf.startswith("cmd/")
            found = self._command(case) if is_command else self._roster_set(case)
        except Refusal as refusal:
            found = Answer(refusal.code, refusal.words)
        except StoreError as error:
            log.error("an order of the platform failed: %s", error)
            found = Answer(Code.STORE_FAILED, Text("网关存储故障", "the gateway's disk refuses"))
        if found is not None:
            self._finish(case, found)
        if not case.is_sent_out:
            self._release(case)

    # ── commands ──────────────────────────────────────────────────────────────────────────────────────────

    def _command(self, case: _Case) -> Answer | None:
        """Judge and carry out. None where the answer was given, or follows."""
        order = case.order
        request_id = order.leaf.removeprefix("cmd/")
        name, call = read_call(order.message.payload, request_id)
        case.about["command"] = name.value
        refuse_unless_allowed(name, self._settings.commands.allow)
        digest = hashlib.sha256(order.message.payload).hexdigest()
        if self._is_answered(case, digest):
            return None
        refuse_unless_synced(self._read_trust())
        refuse_unless_timely(name, call.expires_at, datetime.now(UTC))
        args = read_arguments(name, call)
        case.about["facts"] = self._deeds.facts(args)
        self._ledger.begin(order.uplink, request_id, digest, call.expires_at)
        case.begun = True
        found = self._deeds.do(name, args, order, request_id)
        return self._send_out(case, found, b"") if isinstance(found, Later) else found

    def _is_answered(self, case: _Case, digest: str) -> bool:
        """Whether this request was taken before; then it is answered as it was."""
        order = case.order
        entry = self._ledger.recall(order.uplink, order.leaf.removeprefix("cmd/"))
        if entry is None:
            return False
        self._count(order, "repeated_orders")
        if entry.digest != digest:
            words = Text("此请求编号已用于另一条指令", "this request id was used for another command")
            raise Refusal(Code.REQUEST_ID_REUSED, words)
        if entry.reply is not None:
            order.answer(_leaf(order), entry.reply)
        elif self._is_under_way(order):
            self._answer(case, UNDER_WAY)
        else:
            words = Text("网关曾中断，结果不明", "the gateway was interrupted; nobody knows how it ended")
            self._answer(case, Answer(Code.UNKNOWN_OUTCOME, words))
        return True

    def _is_under_way(self, order: Order) -> bool:
        with self._lock:
            return any((case.order.uplink, case.order.leaf) == (order.uplink, order.leaf) for case in self._under_way)

    # ── the roster ────────────────────────────────────────────────────────────────────────────────────────

    def _roster_set(self, case: _Case) -> Answer | None:
        """A delta, or a whole roster: parsed and applied by the errand."""
        refuse_unless_allowed(CommandName.ROSTER_SYNC, self._settings.commands.allow)
        refuse_unless_synced(self._read_trust())
        check_dataset(str(case.about["dataset"]))
        payload = case.order.message.payload
        if len(payload) > _MOST_BYTES:
            raise Refusal(Code.TOO_LARGE, Text("名册大于 8 MiB", "a roster has at most 8 MiB"))
        points = list(self._settings.points)
        return self._send_out(case, Later({"do": "set", "dataset": DATASET, "points": points}), payload)

    def _send_out(self, case: _Case, later: Later, body: bytes) -> Answer | None:
        head = {**later.head, "data_dir": str(self._settings.gateway.data_dir)}
        with self._lock:
            self._under_way.append(case)
        case.is_sent_out = self.errands.submit(Errand(head, body, partial(self._finish_errand, case), later.first))
        return None if case.is_sent_out else BUSY

    def _finish_errand(self, case: _Case, answer: Answer) -> None:
        self._finish(case, answer)
        self._release(case)

    # ── answering ─────────────────────────────────────────────────────────────────────────────────────────

    def _finish(self, case: _Case, answer: Answer) -> None:
        """Remember, audit and answer; on this thread or that of the errands."""
        order = case.order
        self._count(order, "obeyed_orders" if answer.ok else "refused_orders")
        body = self._body(case, answer)
        if case.begun:
            try:
                self._ledger.finish(order.uplink, order.leaf.removeprefix("cmd/"), body)
            except StoreError as error:
                log.error("%s", error)
        self._record(self._audit(case, answer))
        with self._lock:
            if case in self._under_way:
                self._under_way.remove(case)
            order.answer(_leaf(order), body)

    def _answer(self, case: _Case, answer: Answer) -> None:
        case.order.answer(_leaf(case.order), self._body(case, answer))

    def _say_what_takes_longer(self) -> None:
        with self._lock:
            for case in self._under_way:
                if not case.told and time.monotonic() - case.order.arrived > _PATIENCE_S:
                    case.told = True
                    self._answer(case, UNDER_WAY)

    def _body(self, case: _Case, answer: Answer) -> bytes:
        head = {key: value for key, value in case.about.items() if key != "facts"}
        if "dataset" in head:
            head["version"] = answer.result.get("version", self._version())
        head["time"] = local_time(now().time, self._zone)
        return answer.body(head, self._settings.site.language)

    def _version(self) -> int | None:
        try:
            return self._deeds.roster.dataset(DATASET)
        except StoreError:
            return None

    def _audit(self, case: _Case, answer: Answer) -> Event:
        about = dict(case.about)
        facts: Mapping[str, Any] = {**about.pop("facts", {}), **answer.facts}
        if "dataset" in about:
            about = {"command": "roster.set", "dataset": DATASET if about["dataset"] == DATASET else "?"}
            facts = {key: value for key, value in answer.result.items() if key != "faults"}
        elif not is_request_id(about["request_id"]):
            about["request_id"] = "?"
        outcome = {"ok": bool(answer.ok), "code": answer.code.value, "ordered_by": case.order.uplink}
        return Event("audit.command", "downlink", now(), {**about, **facts, **outcome})

    def _count(self, order: Order, what: str) -> None:
        self._board.count(f"uplink.{order.uplink}.{what}")


def _about(order: Order) -> dict[str, Any]:
    """What an answer names of an order that nobody has understood yet."""
    kind, _, name = order.leaf.partition("/")
    if kind == "cmd":
        return {"request_id": name[:_LONGEST], "command": None}
    return {"dataset": name.removesuffix("/set")[:_LONGEST]}


def _leaf(order: Order) -> str:
    """Where the answer goes; under the beginning of a name that is longer than any may be."""
    kind, _, name = order.leaf.partition("/")
    return f"reply/{name[:_LONGEST]}" if kind == "cmd" else f"roster/{name.removesuffix('/set')[:_LONGEST]}/ack"
