"""paho's client without paho's thread: dialled on a thread that ends with the dialling, then driven by its owner.

Rule: what a broker sends is hostile. Bytes that paho cannot read end this one connection and are told of; they must not
end a thread without a word, nor the house that watches its threads.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any, Literal

from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_NOTHING = Properties(PacketTypes.PUBACK)  # type: ignore[no-untyped-call]
_SUCCESS = ReasonCode(PacketTypes.PUBACK, identifier=0x00)
_NO_SUBSCRIBER = ReasonCode(PacketTypes.PUBACK, identifier=0x10)
_PLAIN = {b"": _SUCCESS, b"\x00": _SUCCESS, b"\x10": _NO_SUBSCRIBER}  # what follows the number


class GuardedClient(Client):
    """Remembers why it could not connect, and tells why it went to ruin; paho tells nobody."""

    failure = ""  # its text only: the exception would keep this client alive

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.on_ruin: Any = None  # called as (client, text) when what came cannot be read
        self.suppress_exceptions = True

    def reconnect(self) -> MQTTErrorCode:
        try:
            return super().reconnect()
        except OSError as error:
            self.failure = str(error).partition("\n")[0]  # of a proxy's words PySocks makes lines
            raise
        except ValueError as error:  # a host name that cannot be one
            self.failure = str(error)
            raise ConnectionError(str(error)) from error

    def dial(self) -> None:
        """Look the name up, connect, shake hands: all that may block. On a thread of its own, once."""
        try:
            self.reconnect()
            self._soften()
        except OSError:
            self.on_connect_fail(self, None)  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001 - a proxy's odd bytes raise whatever the parser trips over
            self.on_ruin(self, f"{type(error).__name__}: {error}")

    def hear(self) -> None:
        """Write what did not fit, read what has come, keep the connection alive. Never blocks; the owner's thread."""
        try:
            if self.want_write():
                self.loop_write()
            self.loop_read()
            self.loop_misc()
        except Exception as error:  # noqa: BLE001 - a malformed packet raises whatever paho's parser trips over
            self.on_ruin(self, f"{type(error).__name__}: {error}")

    def acknowledge_at_once(self) -> None:
        """Have the kernel confirm the next bytes without delay; it forgets this soon.

        A broker with Nagle's algorithm holds back all PUBACKs but the first until we have confirmed that one, which the
        kernel otherwise does 40 ms later.
        """
        self._tune(socket.TCP_QUICKACK, True)

    def cork(self, is_corked: bool) -> None:
        """While corked, messages gather in the kernel until a packet is full."""
        self._tune(socket.TCP_CORK, is_corked)

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        """Nearly every answer says yes and no more; paho spends 8 to 12 µs on three objects for it."""
        packet = self._in_packet["packet"]
        is_plain = len(packet) == 2 or (len(packet) == 3 and self._protocol == MQTTv5)
        code = _PLAIN.get(bytes(packet[2:])) if is_plain else None
        if code is None:
            return super()._handle_pubackcomp(cmd)
        number = int.from_bytes(packet[:2])
        with self._out_message_mutex:
            if number in self._out_messages:
                return self._do_on_publish(number, code, _NOTHING)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _soften(self) -> None:
        """An alarm must not wait until the message before it is confirmed (Nagle's algorithm on our side)."""
        self._tune(socket.TCP_NODELAY, True)

    def _tune(self, option: int, value: bool) -> None:
        wire = self.socket()
        if isinstance(wire, socket.socket):
            with suppress(OSError):  # the connection is gone: reading tells it
                wire.setsockopt(socket.IPPROTO_TCP, option, value)
