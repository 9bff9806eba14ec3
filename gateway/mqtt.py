"""One connection to a broker; the only importer of paho.

Rule: a `Link` lives from one connect to its first failure and is then replaced, so that nothing waits in paho's memory
for a second chance: the journal is the queue. paho's thread only appends to a list here and wakes the owner; it
decides nothing and cannot fail. Message numbers (16 bit, reused) are looked up by the owner's thread alone, after
`publish` has returned, so an acknowledgement that overtakes the return is not lost.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.broker_access import read_password, tls_context
from gateway.errors import Unreachable
from gateway.settings import Uplink
from gateway.text import Text

_WAITING = 1000  # incoming messages that may wait for the owner; beyond that the oldest goes
_CONNECT_TIMEOUT = 5.0
_MAX_PACKET = 268_435_455  # of MQTT itself
_MAX_HEARD = 9 << 20  # of a message to us; an MQTT 5 broker keeps larger ones
_HEADERS = 512  # topic, properties and fixed header of any of our messages
_HINTS = {
    0x84: Text("请把 protocol 设为 3.1.1", 'set protocol = "3.1.1"'),
    0x85: Text("平台不接受此客户端标识", "the broker refuses this client id"),
    0x86: Text("检查用户名和密码", "check username and password_file"),
    0x87: Text("检查用户名、密码和证书", "check username, password and certificate"),
    0x8C: Text("检查认证方式", "check the way of authentication"),
}
_NO_CERTIFICATE = Text(  # TLS 1.3 tells it after the handshake, and only by hanging up
    "平台若要求客户端证书，请填写 cert_file 和 key_file",
    "where the broker asks for a client certificate, give cert_file and key_file",
)
TRANSIENT = {0x80, 0x83, 0x91, 0x97}  # of a PUBACK: the broker is busy or full, the message is not at fault


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker accepted us. It takes at most `window` unacknowledged messages of at most `max_bytes` each."""

    window: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no connection, or no longer. `hint` may say what to do."""

    reason: str | Text
    hint: str | Text = ""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker answered one message. `code` below 0x80 means that it has it."""

    number: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message from the platform."""

    topic: str
    payload: bytes
    retained: bool
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Deaf:
    """The broker refuses a subscription: what is sent to us there does not come."""

    reason: str


News = Connected | Lost | Acknowledged | Message | Deaf


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for us when we vanish; retained, QoS 1."""

    topic: str
    payload: bytes


class _Client(Client):
    """Remembers why it could not connect; paho tells nobody."""

    failure = ""  # its text only: the exception would keep this client alive

    def reconnect(self) -> MQTTErrorCode:
        try:
            return super().reconnect()
        except OSError as error:
            self.failure = str(error)
            raise
        except ValueError as error:  # a host name that cannot be one would end paho's thread without a word
            self.failure = str(error)
            raise ConnectionError(str(error)) from error


class _Ear:
    """What paho's thread calls. It does not know the `Link`: a dropped link is gone at once, sockets and all."""

    def __init__(self, options: Uplink, wake: Callable[[], None]) -> None:
        self._options = options
        self._wake = wake
        self.news: deque[News] = deque()
        self.messages: deque[Message] = deque(maxlen=_WAITING)
        self.is_closing = False

    def on_connect(
        self, client: Client, _: object, __: ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        if self.is_closing:  # closed while connecting: a connection that nobody owns must not live on
            client.disconnect()
            return
        if code.is_failure:
            reason = Text("平台拒绝连接：{code}", "the broker refuses: {code}").with_(code=code)
            self._tell(Lost(reason, _HINTS.get(code.value, "")))
            client.disconnect()
            return
        allowed = getattr(properties, "ReceiveMaximum", None) or self._options.window
        max_bytes = getattr(properties, "MaximumPacketSize", None) or _MAX_PACKET
        self._tell(Connected(min(allowed, self._options.window), max_bytes - _HEADERS))

    def on_connect_fail(self, client: Client, _: object) -> None:
        client.disconnect()
        where = f"{self._options.host}:{self._options.port}"
        hint = Text("检查网络、主机名、端口和证书", "check network, host, port and certificates")
        reason = Text("连接不上 {where}：{why}", "no connection to {where}: {why}")
        self._tell(Lost(reason.with_(where=where, why=getattr(client, "failure", None)), hint))

    def on_disconnect(
        self, _client: Client, _: object, __: DisconnectFlags, code: ReasonCode, ___: Properties | None
    ) -> None:
        hint = _NO_CERTIFICATE if self._options.tls and self._options.cert_file is None else ""
        self._tell(Lost(Text("连接断开：{code}", "disconnected: {code}").with_(code=code), hint))

    def on_publish(self, _client: Client, _: object, mid: int, code: ReasonCode, __: Properties) -> None:
        self._tell(Acknowledged(mid, code.value, str(code)))

    def on_subscribe(self, _client: Client, _: object, __: int, codes: list[ReasonCode], ___: object) -> None:
        for code in codes:
            if code.is_failure:
                self._tell(Deaf(str(code)))

    def on_message(self, _client: Client, _: object, message: MQTTMessage) -> None:
        properties = {}
        for name in ("ResponseTopic", "CorrelationData", "ContentType"):
            value = getattr(message.properties, name, None)
            if value is not None:
                properties[name] = value
        self.messages.append(Message(message.topic, bytes(message.payload), message.retain, properties))
        self._wake()

    def _tell(self, news: News) -> None:
        self.news.append(news)
        self._wake()


class Link:
    """Open it, publish while connected, read the news, close it. One thread owns it."""

    def __init__(self, client_id: str, options: Uplink, will: Will | None, wake: Callable[[], None]) -> None:
        """Prepare everything that needs the configuration. Raises `ConfigError`."""
        self._options = options
        self._ear = _Ear(options, wake)
        self._is_five = options.protocol == "5"
        self._client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if self._is_five else True,
            protocol=MQTTv5 if self._is_five else MQTTv311,
            reconnect_on_failure=False,
        )
        self._client.suppress_exceptions = True
        self._client.connect_timeout = _CONNECT_TIMEOUT
        self._client.max_inflight_messages_set(options.window)
        if will is not None:
            properties = _will() if self._is_five else None
            self._client.will_set(will.topic, will.payload, qos=1, retain=True, properties=properties)
        if options.username is not None:
            self._client.username_pw_set(options.username, read_password(options))
        if options.tls:
            self._client.tls_set_context(tls_context(options))
        self._client.on_connect = self._ear.on_connect
        self._client.on_connect_fail = self._ear.on_connect_fail
        self._client.on_disconnect = self._ear.on_disconnect
        self._client.on_publish = self._ear.on_publish
        self._client.on_message = self._ear.on_message
        self._client.on_subscribe = self._ear.on_subscribe

    def open(self) -> None:
        """Start connecting; `Connected` or `Lost` follows as news. What blocks meanwhile is paho's thread only."""
        limits = Properties(PacketTypes.CONNECT) if self._is_five else None  # type: ignore[no-untyped-call]
        if limits is not None:
            limits.MaximumPacketSize = _MAX_HEARD
        where, keepalive = (self._options.host, self._options.port), self._options.keepalive_s
        self._client.connect_async(*where, keepalive=keepalive, properties=limits)
        self._client.loop_start()

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 1,
        retain: bool = False,
        content_type: str | None = None,
        correlation: bytes | None = None,
    ) -> int:
        """Hand one message over and return its number, by which `Acknowledged` names it. Raises `Unreachable`.

        `content_type` and `correlation` (a request's correlation data, given back) exist in MQTT 5 only.
        """
        if not self._client.is_connected():
            raise Unreachable("the connection is gone")
        properties = _properties(content_type, correlation) if self._is_five else None
        try:
            info = self._client.publish(topic, payload, qos, retain, properties)
        except (ValueError, OSError) as error:
            raise Unreachable(f"the message cannot be sent: {error}") from error
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise Unreachable(f"the message cannot be sent: {info.rc.name}")
        return info.mid

    def subscribe(self, *filters: str) -> None:
        """Ask for messages, which follow as news. Raises `Unreachable`.

        On MQTT 5 a message that was published as retained says so even when it comes at once.
        """
        if self._is_five:
            options = SubscribeOptions(qos=1, retainAsPublished=True)
            code, _ = self._client.subscribe([(one, options) for one in filters])
        else:
            code, _ = self._client.subscribe([(one, 1) for one in filters])
        if code != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise Unreachable("the subscription cannot be sent")

    def take(self) -> list[News]:
        """What has happened since the last call."""
        news: list[News] = []
        for source in (self._ear.news, self._ear.messages):
            while source:
                news.append(source.popleft())
        return news

    def close(self) -> None:
        """Say goodbye. Returns at once; paho's thread ends by itself, also one that is stuck in a connect."""
        self._ear.is_closing = True
        self._client.disconnect()

    def abandon(self) -> None:
        """Cut a connection that does not answer; the broker publishes the will."""
        self._ear.is_closing = True
        wire = self._client.socket()
        if isinstance(wire, socket.socket):
            with suppress(OSError):
                # Not wire.shutdown(): that of a TLS socket drops the encryption first, under the feet of paho's thread.
                socket.socket.shutdown(wire, socket.SHUT_RDWR)
        self._client.disconnect()


@lru_cache(maxsize=16)  # every event has the same
def _properties(content_type: str | None, correlation: bytes | None) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if content_type:
        properties.ContentType = content_type
    if correlation is not None:
        properties.CorrelationData = correlation
    return properties


def _will() -> Properties:
    properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
    properties.ContentType = "application/json"
    return properties
