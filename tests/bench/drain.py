"""Out of the journal: twenty thousand waiting rows to the broker, by an uplink without its rate cap.

The floor is paho alone with the same window (messages in flight) and bodies that were encoded beforehand. It is handed
a message as soon as one is answered, as must a sender that keeps its queue on the disk and not in memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from rich.progress import Progress

from gateway.board import Board
from gateway.cloudevent import Identity, encode
from gateway.journal import Journal
from gateway.keys import Keys
from gateway.settings import Uplink as Options
from gateway.types import EventClass
from gateway.uplink import Uplink
from tests.bench.figures import Aim, Figure, Report, percentile
from tests.bench.keep import GROUP, card_event
from tests.real import Mosquitto, wait_until

ROWS = 20_000
ROUNDS = 3
WINDOW = 20
_ZONE = ZoneInfo("Asia/Shanghai")
_WHO = Identity("fenglinwan", "box-1", "5f0c1e2a-0000-4000-8000-000000000001", "0")


def bench(folder: Path, progress: Progress) -> Report:
    folder.mkdir(parents=True, exist_ok=True)
    keys = Keys(folder)
    rates: list[float] = []
    floors: list[float] = []
    with (
        closing(Journal(folder / "journal.db")) as journal,
        Mosquitto(folder / "broker", "max_queued_messages 0") as broker,
    ):
        for _ in range(ROWS // GROUP):
            journal.append([card_event() for _ in range(GROUP)], _WHO.boot_id)
        ready = bodies(journal, keys, ROWS)
        for number in progress.track(range(ROUNDS), description="draining, and bare paho in turn"):
            rates.append(ROWS / drain(journal, keys, broker.port, f"drain-{number}", ROWS))
            floors.append(ROWS / publish_bare(ready, broker.port))
    rate, floor = percentile(rates, 0.5), percentile(floors, 0.5)
    return Report(
        [Figure("drain of the journal", rate, "events/s", floor, Aim("ratio", "≥", 0.8))],
        [f"{ROWS} rows of {len(ready[-1])} bytes, window {WINDOW}, a quarter of it left to live events"],
    )


def bodies(journal: Journal, keys: Keys, count: int) -> list[bytes]:
    """The first messages of a journal, encoded."""
    rows = journal.read_after(0, set(EventClass), count)
    return [encode(row, _WHO.source, row.seq - 1, True, {}, keys, _ZONE) for row in rows]


def drain(journal: Journal, keys: Keys, port: int, name: str, count: int) -> float:
    """Seconds from the start of a new uplink until the broker has acknowledged so many rows."""
    board = Board()
    options = Options(host="127.0.0.1", port=port, window=WINDOW, backlog_rate=1e9)
    uplink = Uplink(name, options, _WHO, journal, board, keys, _ZONE, dict)
    stop = threading.Event()
    thread = threading.Thread(target=uplink.run, args=(stop,))
    began = time.perf_counter()
    thread.start()
    try:
        wait_until(lambda: board.counters().get(f"uplink.{name}.acknowledged", 0) >= count, 600, "the drain")
        return time.perf_counter() - began
    finally:
        stop.set()
        thread.join()


def publish_bare(bodies: Sequence[bytes], port: int) -> float:
    """Seconds from the connect until the last PUBACK."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bare", protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(WINDOW)
    places = threading.Semaphore(WINDOW)
    client.on_publish = lambda *_: places.release()
    began = time.perf_counter()
    client.connect("127.0.0.1", port)
    client.loop_start()
    for body in bodies:
        places.acquire()
        client.publish("compound/v1/fenglinwan/box-1/event/access", body, qos=1)
    for _ in range(WINDOW):  # until the last is answered
        places.acquire()
    seconds = time.perf_counter() - began
    client.disconnect()
    client.loop_stop()
    return seconds
