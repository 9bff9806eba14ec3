"""The demo's platform side, a process of its own: `python -m gateway.demo.subscriber PORT TOPIC`.

Prints one JSON line when subscribed and one for each message, and knows nothing of the gateway but its topics.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


def _print(line: dict[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


def main(port: int, topic: str) -> None:
    def on_connect(client: mqtt.Client, *_: Any) -> None:
        client.subscribe(topic, qos=1)

    def on_subscribe(*_: Any) -> None:
        _print({"subscribed": topic})

    def on_message(_client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        _print({"topic": message.topic, "payload": message.payload.decode(), "retained": message.retain})

    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="demo-platform", protocol=mqtt.MQTTv311)
    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_message = on_message
    client.reconnect_delay_set(1, 1)
    client.connect_async("127.0.0.1", port, keepalive=10)
    client.loop_forever(retry_first_connection=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
