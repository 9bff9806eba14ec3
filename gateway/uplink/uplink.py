"""One uplink's life: connect, talk, wait, connect again. Uplinks know nothing of each other.

Rule: whatever goes wrong on the line ends the conversation and starts a new one after a pause, with the next broker
where the platform has several; the journal has all. A broken configuration (a certificate that is gone) is treated
likewise, because certificates are renewed while we run.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from gateway.bell import Bell
from gateway.board import Board
from gateway.clock import now
from gateway.cloudevent import Identity, local_time
from gateway.errors import ConfigError, GatewayError, StoreError, Unreachable
from gateway.journal import Journal
from gateway.keys import Keys
from gateway.settings import Uplink as Options
from gateway.text import Language, Text, spoken
from gateway.uplink.conversation import Conversation
from gateway.uplink.lanes import Lanes
from gateway.uplink.orders import Order, Outbox, Retry
from gateway.uplink.surroundings import Surroundings

log = logging.getLogger(__name__)

_STEADY = 10.0  # a conversation that lasted so long resets the pause
_BRIEF = 3  # so many that did not last, one after the other, are no accident
_TWINS = Text(  # few brokers say that another client took the id; all hang up
    "平台接受连接后很快又断开，已连续 {n} 次：检查是否有两台网关的 gateway.id 相同，或账号被盗用",
    "accepted and soon cut off, {n} times in a row: do two boxes have the same gateway.id, or is the account stolen?",
)
_BEAT = 30.0  # the longest round: a slow disk under the cursors


class Uplink:
    """`run` is one thread's work. `catalog` returns site, points and devices for the `catalog` message.

    `obey` takes the platform's orders, if anybody does; it is called on this thread and must not block.
    """

    def __init__(
        self,
        name: str,
        options: Options,
        identity: Identity,
        journal: Journal,
        board: Board,
        keys: Keys,
        zone: ZoneInfo,
        catalog: Callable[[], Mapping[str, Any]],
        *,
        obey: Callable[[Order], None] | None = None,
        shortest_pause: float = 0.5,
        longest_pause: float = 30.0,
        language: Language = Language.EN,
    ) -> None:
        self.name = name
        self._bell = Bell()
        outbox = Outbox(self._bell.ring)
        self._around = Surroundings(name, options, identity, journal, board, keys, zone, catalog, outbox, obey)
        self._board = board
        self._language = language  # of what the board says; the log is English
        self._lanes = Lanes(
            journal, name, options.classes, ack_required=options.ack_required, from_now=options.start == "now"
        )
        self._shortest_pause = shortest_pause
        self._longest_pause = longest_pause
        self._pause = shortest_pause
        self._addresses = options.addresses
        self._tried = 0  # brokers that failed since one of them served well
        self._turn = 0  # whose turn it is, of `addresses`
        self._online_since = math.inf  # infinity: not on line
        self._brief = 0  # conversations in a row that began and did not last
        self._said = ""
        journal.on_append(self._bell.ring)
        board.on_device(lambda _: self._bell.ring())

    def retry(self) -> None:
        """Try the dead letters now, or at the next connect. Any thread may ask."""
        self._around.outbox.put(Retry())

    def run(self, stop: threading.Event) -> None:
        """Keep a conversation going until `stop`; then say goodbye, within 5 s."""
        self._note("offline", "not connected yet")
        while not stop.is_set():
            self._online_since = math.inf
            try:
                self._talk(stop)
            except (Unreachable, ConfigError, StoreError) as error:
                self._judge(time.monotonic() - self._online_since)
                self._note("offline", spoken(error.message, self._language), error)
                self._rest(stop)
        self._note("stopped", "")
        self._board.retire(f"uplink:{self.name}")

    def _talk(self, stop: threading.Event) -> None:
        """One conversation, until `stop` or an error."""
        self._beat()
        address = self._addresses[self._turn]
        conversation = Conversation(self._around, self._lanes, self._bell, address)
        try:
            while not stop.is_set():
                wait = conversation.step()
                self._beat()
                if conversation.is_open and self._online_since == math.inf:
                    self._online_since = time.monotonic()
                    self._note("online", "")
                    self._board.count(f"uplink.{self.name}.connects")
                conversation.wait(wait)
            if conversation.is_open:
                conversation.say_goodbye()
        finally:
            conversation.leave()
            conversation.save()

    def _judge(self, lasted: float) -> None:
        """What a conversation of so many seconds says of the next; below 0: it never began."""
        self._brief = self._brief + 1 if 0 <= lasted <= _STEADY else 0
        if lasted > _STEADY:
            self._pause, self._tried = self._shortest_pause, 0

    def _rest(self, stop: threading.Event) -> None:
        """Wait before the next try, with jitter: a thousand gateways must not come back in one second.

        The next broker is tried soon; only a whole round of them without success makes the pause longer.
        """
        self._tried += 1
        self._turn = (self._turn + 1) % len(self._addresses)
        is_round_over = self._tried % len(self._addresses) == 0
        pause = self._pause if is_round_over else self._shortest_pause
        until = time.monotonic() + pause * random.uniform(0.5, 1.0)
        if is_round_over:
            self._pause = min(self._pause * 2, self._longest_pause)
        while time.monotonic() < until and not stop.wait(min(0.5, max(0.0, until - time.monotonic()))):
            self._beat()

    def _beat(self) -> None:
        self._board.beat(f"uplink:{self.name}", allowed_age=_BEAT)

    def _note(self, state: str, reason: str, error: GatewayError | None = None) -> None:
        """Show the state on the board; log it when it differs from the last."""
        hint = spoken(error.hint, self._language) if error else ""
        if error and not hint and self._brief >= _BRIEF:
            hint = _TWINS.with_(n=self._brief).say(self._language)
        if state + reason + hint == self._said:
            return
        self._said = state + reason + hint
        since = local_time(now().time, self._around.zone)
        host = str(self._addresses[self._turn])
        said = {"status": state, "since": since, "host": host, "reason": reason, "hint": hint}
        self._board.note(f"uplink.{self.name}", said)
        if error is None:
            log.info("uplink %s: %s", self.name, state)
        else:
            log.warning("uplink %s: %s", self.name, error)
