"""The demo's MQTT broker, a process of its own: `python -m gateway.demo.broker PORT`. In memory, loopback only."""

from __future__ import annotations

import asyncio
import logging
import sys

from amqtt.broker import Broker


async def serve(port: int) -> None:
    logging.disable(logging.CRITICAL)
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }
    await Broker(config).start()
    await asyncio.Event().wait()  # until killed


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
