"""paho's client, whose thread cannot end in silence.

Rule: what a broker sends is hostile. Bytes that paho cannot read end this one connection and are told of; they must not
end a thread without a word, nor the house that watches its threads.
"""

from __future__ import annotations

from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode


class GuardedClient(Client):
    """Remembers why it could not connect, and why its thread ended; paho tells nobody."""

    failure = ""  # its text only: the exception would keep this client alive

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.on_ruin: Any = None  # called as (client, text) when the thread ends by an exception
        self.suppress_exceptions = True

    def reconnect(self) -> MQTTErrorCode:
        try:
            return super().reconnect()
        except OSError as error:
            self.failure = str(error)
            raise
        except ValueError as error:  # a host name that cannot be one would end paho's thread without a word
            self.failure = str(error)
            raise ConnectionError(str(error)) from error

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        """What paho's thread does."""
        try:
            return super().loop_forever(timeout, retry_first_connection)
        except Exception as error:  # noqa: BLE001 - a malformed packet raises whatever paho's parser trips over
            self.on_ruin(self, f"{type(error).__name__}: {error}")
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
