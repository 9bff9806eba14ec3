"""One connection of an uplink, from the CONNACK to the first failure.

Rule: every message that wants an answer is listed under its number until the answer comes, and only the answer moves a
lane. A broker that does not answer for twice the keepalive while something is under way, or leaves out one message, is
left, however alive its socket looks.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import replace

from gateway.addresses import Address
from gateway.bell import Bell
from gateway.cloudevent import CONTENT_TYPE, encode
from gateway.errors import Rejected, StoreError, Unreachable
from gateway.mqtt import TRANSIENT, Acknowledged, Connected, Deaf, Link, Lost, Message, Will
from gateway.text import Text
from gateway.types import EventClass
from gateway.uplink.allowance import Allowance
from gateway.uplink.lanes import Lanes, Parcel
from gateway.uplink.notices import Notices
from gateway.uplink.orders import Order, Reply, Resend, Retry
from gateway.uplink.surroundings import Surroundings
from gateway.uplink.under_way import Carried, UnderWay

log = logging.getLogger(__name__)

_CONNECT_WITHIN = 20.0
_SILENT = Text("平台没有应答", "the broker does not answer")
_BUSY = Text("平台暂不接收：{why}", "the broker takes no messages now: {why}")
_NO_PUBACK = Text("{s:.0f} 秒没有收到平台确认（PUBACK）", "no PUBACK for {s:.0f} s")
_NO_WATERMARK = Text("{s:.0f} 秒没有收到平台水位（ack）", "no watermark for {s:.0f} s")
_CONFIRM = Text("平台须发布 ack，且不作为保留消息", "the platform must publish `ack`, and not retained")
_CHECK = Text("检查平台的 host、port 和 TLS 设置", "check host, port and TLS of the uplink")
_JSON = "application/json"
_SAVE_EVERY, _SAVE_AFTER = 1.0, 256  # seconds; rows, for whoever is killed again and again does not live so long
_MOST_TRIES = 3  # connections that a reply may end
_WATERMARK_WITHIN = 120.0  # ack_required: rows that the platform has not confirmed by then are sent again


class Conversation:
    """Owned by the uplink's thread: `step` until it raises `Unreachable`."""

    def __init__(self, around: Surroundings, lanes: Lanes, bell: Bell, address: Address | None = None) -> None:
        self._around = around
        self._options = around.options
        self._lanes = lanes
        will = Will(f"{around.topic}/status", around.status("offline"))
        client_id = f"{around.identity.compound_id}-{around.identity.gateway_id}-{around.name}"
        self._link = Link(client_id, around.options, will, bell, address)
        self._link.open()
        self.is_open = False
        self._connect_before = time.monotonic() + _CONNECT_WITHIN
        self._window = 1
        self._max_bytes = 0
        self._topics = {kind: f"{around.topic}/event/{kind.value}" for kind in EventClass}
        self._source = around.identity.source
        self._counter = f"uplink.{around.name}"
        self._under_way = UnderWay()
        self._notices = Notices(around)
        self._confirmed = time.monotonic()
        self._save_due = 0.0
        self._allowance = Allowance(around.options.backlog_rate)

    def step(self) -> float:
        """Do what is to be done now; return how many seconds it can wait for the next. Raises `Unreachable`."""
        for news in self._link.take():
            match news:
                case Connected():
                    self._greet(news)
                case Lost():
                    raise Unreachable(news.reason, hint=news.hint)
                case Acknowledged():
                    self._hear_answer(news)
                case Message():
                    self._hear_message(news)
                case Deaf():  # by its ACL: orders or watermarks do not come, events go on
                    self._count("refused_subscriptions")
                    log.warning("uplink %s: the broker refuses a subscription: %s", self._around.name, news.reason)
        if not self.is_open:
            if time.monotonic() > self._connect_before:
                raise Unreachable(_SILENT, hint=_CHECK)
            return 0.5
        self._notices.look()
        self._speak()
        self._send_rows()
        self._check_progress()
        if time.monotonic() >= self._save_due or self._lanes.unsaved >= _SAVE_AFTER:
            self._save_due = time.monotonic() + _SAVE_EVERY
            self.save()
        return self._allowance.wait if self._allowance.is_spent else 0.5

    def wait(self, seconds: float) -> None:
        """Until there is something to do, or `seconds` have passed."""
        self._link.wait(seconds)

    def save(self) -> None:
        """Write down how far the lanes have come."""
        try:
            self._lanes.save()
        except StoreError as error:  # delivery goes on; an old save only sends again
            self._count("unsaved")
            log.debug("uplink %s: %s", self._around.name, error)

    def say_goodbye(self) -> None:
        """Wait for what is under way, say that this is a stop and no failure, and disconnect; 2 s at most."""
        try:
            self._wait_for_answers(0.8)
            self._notices.part()
            self._speak()
            self._wait_for_answers(0.7)
            if self._under_way or self._notices:  # a clean goodbye would leave "online" standing
                raise Unreachable(_SILENT)
            self._link.close()
            self._wait_for_answers(0.5, until_lost=True)
        except Unreachable as error:
            log.info("uplink %s: stopped without goodbye: %s", self._around.name, error)

    def leave(self) -> None:
        """Cut the connection. Replies that may not have arrived go out on the next one."""
        self._link.abandon()
        for carried in self._under_way:
            if isinstance(carried, Reply):
                self._say_again(carried)

    # ── hearing ───────────────────────────────────────────────────────────────────────────────────────────

    def _greet(self, connected: Connected) -> None:
        self.is_open = True
        self._window = connected.window
        self._max_bytes = connected.max_bytes
        self._confirmed = time.monotonic()
        self._lanes.begin()
        self._listen()
        self._notices.greet(self._lanes.reach.begins_after)

    def _listen(self) -> None:
        leaves = ["ack"] if self._options.ack_required else []
        leaves += ["cmd/+", "roster/+/set"] if self._around.obey else []
        if leaves:
            self._link.subscribe(*(f"{self._around.topic}/{leaf}" for leaf in leaves))

    def _hear_answer(self, answer: Acknowledged) -> None:
        carried = self._under_way.answer(answer.number)
        failed = answer.code >= 0x80
        if failed and answer.code in TRANSIENT:
            raise Unreachable(_BUSY.with_(why=answer.reason))
        if isinstance(carried, Parcel):
            if failed:
                self._bury(carried, answer.reason)
            else:
                self._lanes.answered(carried.lane, carried.row.seq)
                self._count("acknowledged")
        elif failed and carried:
            topic = carried.topic if isinstance(carried, Reply) else carried
            log.warning("uplink %s: the broker refuses the topic %s: %s", self._around.name, topic, answer.reason)
            self._count("refused_topics")

    def _hear_message(self, message: Message) -> None:
        around = self._around
        if message.topic != f"{around.topic}/ack":
            if around.obey and message.topic.startswith(f"{around.topic}/"):
                self._count("orders")
                around.obey(Order(around.name, around.topic, message, around.outbox))
            return
        try:
            seq = json.loads(message.payload)["seq"]
        except (ValueError, TypeError, KeyError, RecursionError):
            seq = None
        # A retained one may be of a journal that was lost since, whose sequences are not ours.
        if type(seq) is int and not message.retained and self._lanes.stored(seq):
            self._confirmed = time.monotonic()
        else:
            self._count("odd_watermarks")

    # ── speaking ──────────────────────────────────────────────────────────────────────────────────────────

    def _speak(self) -> None:
        self._answer()
        while len(self._under_way) < self._window and (notice := self._notices.take()):
            if self._fits(*notice):
                topic, payload = notice
                self._list(self._link.publish(topic, payload, retain=True, content_type=_JSON), topic)
        if (sample := self._notices.sample()) and self._fits(*sample):
            self._link.publish(*sample, qos=0, content_type=_JSON)

    def _answer(self) -> None:
        """Send what the downlink has to say; before everything else, for somebody waits for it."""
        while len(self._under_way) < self._window and (item := self._around.outbox.take()):
            if isinstance(item, Resend):
                self._lanes.resend(item.after, item.upto)
                self.save()  # before the reply that promises it
                continue
            if isinstance(item, Retry):
                self._lanes.retry_dead()
                continue
            if not self._fits(item.topic, item.payload):
                continue
            room = self._max_bytes - len(item.payload)
            correlation = item.correlation if len(item.correlation or b"") <= room else None
            try:
                number = self._link.publish(item.topic, item.payload, content_type=_JSON, correlation=correlation)
            except Unreachable:
                self._say_again(item)
                raise
            self._list(number, item)
            self._count("replies")

    def _say_again(self, reply: Reply) -> None:
        """On the next connection; not for ever, for its topic may be why this one ended: the sender chose it."""
        if reply.tries < _MOST_TRIES:
            self._around.outbox.put(replace(reply, tries=reply.tries + 1))
        else:
            log.warning("uplink %s: a reply is given up: connections end with it", self._around.name)

    def _fits(self, topic: str, payload: bytes) -> bool:
        """Whether the broker takes so much; sent all the same, it would end every connection."""
        if len(payload) <= self._max_bytes:
            return True
        name, size, most = self._around.name, len(payload), self._max_bytes
        log.warning("uplink %s: %s has %d bytes, the broker takes %d: not sent", name, topic[:200], size, most)
        self._count("too_large")
        return False

    def _send_rows(self) -> None:
        self._allowance.refill()
        with self._link.together():
            while parcel := self._next():
                self._send(parcel)

    def _next(self) -> Parcel | None:
        free = self._window - len(self._under_way)
        return self._lanes.next(free, self._window, self._allowance.take)

    def _send(self, parcel: Parcel) -> None:
        row, around = parcel.row, self._around
        previous = self._lanes.reach.previous(row)
        fields = self._options.fields
        try:
            body = encode(row, self._source, previous, parcel.replay, fields, around.keys, around.zone)
        except Rejected as error:
            self._bury(parcel, str(error))
            return
        if len(body) > self._max_bytes:  # sent all the same, it would end every connection
            self._bury(parcel, f"{len(body)} bytes are more than the broker takes")
            return
        self._list(self._link.publish(self._topics[row.event_class], body, content_type=CONTENT_TYPE), parcel)
        self._count("published")
        self._count("bytes", len(body))

    def _list(self, number: int, carried: Carried) -> None:
        if number in self._under_way:
            raise Unreachable("message numbers have run out")
        self._under_way.add(number, carried)

    def _bury(self, parcel: Parcel, reason: str) -> None:
        self._lanes.refused(parcel.lane, parcel.row.seq, reason)
        self._count("dead_letters")
        seq, name = parcel.row.seq, parcel.row.name
        log.warning("uplink %s: event %d (%s) is a dead letter: %s", self._around.name, seq, name, reason)

    # ── watching ──────────────────────────────────────────────────────────────────────────────────────────

    def _check_progress(self) -> None:
        at = time.monotonic()
        if (silence := self._under_way.silence) > 2 * self._options.keepalive_s:
            raise Unreachable(_NO_PUBACK.with_(s=silence))
        if self._options.ack_required and at - self._confirmed > _WATERMARK_WITHIN:
            if self._lanes.awaits_watermark:
                raise Unreachable(_NO_WATERMARK.with_(s=at - self._confirmed), hint=_CONFIRM)
            self._confirmed = at

    def _wait_for_answers(self, seconds: float, *, until_lost: bool = False) -> None:
        deadline = time.monotonic() + seconds
        while (self._under_way or until_lost) and time.monotonic() < deadline:
            for news in self._link.take():
                if isinstance(news, Acknowledged):
                    self._hear_answer(news)
                elif isinstance(news, Message):
                    self._hear_message(news)
                elif isinstance(news, Lost):
                    if until_lost:
                        return
                    raise Unreachable(news.reason)
            self._link.wait(0.01)

    def _count(self, what: str, by: int = 1) -> None:
        self._around.board.count(f"{self._counter}.{what}", by)
