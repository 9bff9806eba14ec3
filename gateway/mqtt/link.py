"""One connection to a broker.

Rule: a `Link` lives from one connect to its first failure and is then replaced, so that nothing waits in paho's memory
for a second chance: the journal is the queue. A thread lives here only while it dials, since names, handshakes and
proxies block; then the owner's thread writes and reads by itself, and no message and no PUBACK changes threads.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache

import socks
from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.addresses import Address
from gateway.bell import Bell
from gateway.broker_access import read_password, read_proxy_password, tls_context
from gateway.errors import Unreachable
from gateway.mqtt.client import GuardedClient
from gateway.mqtt.ear import Ear
from gateway.mqtt.news import News, Will
from gateway.settings import Uplink

_CONNECT_TIMEOUT = 5.0
_MAX_HEARD = 9 << 20  # of a message to us; an MQTT 5 broker keeps larger ones
_PROXY_KINDS = {"socks5": socks.SOCKS5, "socks4": socks.SOCKS4, "http": socks.HTTP}


class Link:
    """Open it, publish while connected, read the news, close it. One thread owns it."""

    def __init__(
        self,
        client_id: str,
        options: Uplink,
        will: Will | None,
        bell: Bell,
        address: Address | None = None,
    ) -> None:
        """Prepare everything that needs the configuration. Raises `ConfigError`.

        `bell` ends a `wait`. `address` is the broker to call, the uplink's first where it is None.
        """
        self._options = options
        self._address = address or options.addresses[0]
        self._bell = bell
        self._ear = Ear(options, self._address)
        self._is_five = options.protocol == "5"
        self._dialling = _Dialling()
        self._forgets = options.session_expiry == 0
        self._client = GuardedClient(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if self._is_five else self._forgets,
            protocol=MQTTv5 if self._is_five else MQTTv311,
            reconnect_on_failure=False,
        )
        self._client.connect_timeout = _CONNECT_TIMEOUT
        self._client.max_inflight_messages_set(0)  # no bound of paho's own: the owner keeps to the window
        if will is not None:
            properties = _will() if self._is_five else None
            self._client.will_set(will.topic, will.payload, qos=1, retain=True, properties=properties)
        self._introduce()
        self._listen()

    def _introduce(self) -> None:
        """Who we are to the broker, and to the proxy on the way."""
        options = self._options
        if options.username is not None:
            self._client.username_pw_set(options.username, read_password(options))
        if options.tls:
            self._client.tls_set_context(tls_context(options))
        if through := options.through:
            self._client.proxy_set(
                proxy_type=_PROXY_KINDS[through.kind],
                proxy_addr=through.address.host,
                proxy_port=through.address.port,
                proxy_rdns=True,
                proxy_username=through.username,
                proxy_password=read_proxy_password(options),
            )

    def _listen(self) -> None:
        self._client.on_connect = self._ear.on_connect
        self._client.on_connect_fail = self._ear.on_connect_fail
        self._client.on_disconnect = self._ear.on_disconnect
        self._client.on_publish = self._ear.on_publish
        self._client.on_message = self._ear.on_message
        self._client.on_subscribe = self._ear.on_subscribe
        self._client.on_ruin = self._ear.on_ruin

    def open(self) -> None:
        """Start connecting; `Connected` or `Lost` follows as news."""
        options = self._options
        self._client.connect_async(
            self._address.host,
            self._address.port,
            keepalive=options.keepalive_s,
            bind_address=options.bind_address or "",
            clean_start=self._forgets if self._is_five else MQTT_CLEAN_START_FIRST_ONLY,
            properties=_wishes(options.session_expiry) if self._is_five else None,
        )
        thread = threading.Thread(
            target=_dial, args=(self._client, self._dialling, self._bell), name=f"dial {self._address}", daemon=True
        )
        thread.start()

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

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is published inside leaves in few packets: a burst wakes the broker once, not once a message."""
        self._client.cork(True)
        try:
            yield
        finally:
            self._client.cork(False)

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
        """What has happened since the last call: messages first, for whoever sent one was told that we have it.

        What ends a connection may come with it, and nothing after that is heard.
        """
        if self._dialling.is_over:
            self._client.hear()
        news: list[News] = []
        for source in (self._ear.messages, self._ear.news):
            while source:
                news.append(source.popleft())
        return news

    def wait(self, seconds: float) -> None:
        """Until there is something to take, the bell rings, or `seconds` have passed."""
        wire = self._client.socket() if self._dialling.is_over else None
        if isinstance(wire, ssl.SSLSocket) and wire.pending():  # has been read, and lies in the TLS layer
            return
        if wire is not None:
            self._client.acknowledge_at_once()
        self._bell.wait(seconds, wire, to_write=self._client.want_write())

    def close(self) -> None:
        """Say goodbye. Returns at once, also in the middle of the dialling."""
        self._dialling.is_unwanted = True
        if self._dialling.is_over:
            self._client.disconnect()

    def abandon(self) -> None:
        """Cut a connection that does not answer; the broker publishes the will."""
        self._dialling.is_unwanted = True
        if self._dialling.is_over:
            _cut(self._client)


@dataclass(slots=True)
class _Dialling:
    """Each side sets its own and then looks at the other's, so that one of them hangs up, or both."""

    is_over: bool = False  # the socket is the owner's from now on
    is_unwanted: bool = False


def _dial(client: GuardedClient, dialling: _Dialling, bell: Bell) -> None:
    """The dialling thread. It does not know the `Link` either."""
    client.dial()
    dialling.is_over = True
    if dialling.is_unwanted:  # a connection that nobody owns must not live on
        _cut(client)
    bell.ring()


def _cut(client: GuardedClient) -> None:
    wire = client.socket()
    if isinstance(wire, socket.socket):
        with suppress(OSError):
            socket.socket.shutdown(wire, socket.SHUT_RDWR)  # not wire.shutdown(): TLS would begin to say goodbye
    client.disconnect()


class _Packed(Properties):
    """Properties that many messages have: paho packs them anew for each."""

    def __init__(self, properties: Properties) -> None:
        self.__dict__["bytes"] = properties.pack()  # type: ignore[no-untyped-call]

    def pack(self) -> bytes:
        return bytes(self.__dict__["bytes"])


@lru_cache(maxsize=16)  # every event has the same
def _properties(content_type: str | None, correlation: bytes | None) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if content_type:
        properties.ContentType = content_type
    if correlation is not None:
        properties.CorrelationData = correlation
    return _Packed(properties)


def _wishes(session_expiry: int) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.MaximumPacketSize = _MAX_HEARD
    if session_expiry:
        properties.SessionExpiryInterval = session_expiry
    return properties


def _will() -> Properties:
    properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
    properties.ContentType = "application/json"
    return properties
