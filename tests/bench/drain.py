"""Out of the journal: twenty thousand waiting rows to the broker, by an uplink without its rate cap.

The floor is paho alone with the same window (messages in flight) and bodies that were encoded beforehand. It is handed
a message as soon as one is answered, as must a sender that keeps its queue on the disk and not in memory.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Sequence
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
from tests.bench.figures import Figure, Report
from tests.bench.keep import card_event
from tests.real import Mosquitto, wait_until

ROWS = 20_000
ROUNDS = 2
WINDOW = 20
_GROUP = 500
_ZONE = ZoneInfo("Asia/Shanghai")
_WHO = Identity("fenglinwan", "box-1", "5f0c1e2a-0000-4000-8000-000000000001", "0")


def bench(folder: Path, progress: Progress) -> Report:
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "journal.db")
    keys = Keys(folder)
    for _ in range(ROWS // _GROUP):
        journal.append([card_event() for _ in range(_GROUP)], _WHO.boot_id)
    rows = journal.read_after(0, set(EventClass), ROWS)
    bodies = [encode(row, _WHO.source, row.seq - 1, True, {}, keys, _ZONE) for row in rows]
    rates: list[float] = []
    floors: list[float] = []
    try:
        with Mosquitto(folder / "broker", "max_queued_messages 0") as broker:
            for number in progress.track(range(ROUNDS), description="draining, and bare paho in turn"):
                rates.append(ROWS / _drain(journal, keys, broker.port, f"drain-{number}"))
                floors.append(ROWS / _publish_bare(bodies, broker.port))
    finally:
        journal.close()
    return Report(
        [Figure("drain of the journal", statistics.median(rates), "events/s", statistics.median(floors))],
        [f"{ROWS} rows of {len(bodies[-1])} bytes, window {WINDOW}, a quarter of it left to live events"],
    )


def _drain(journal: Journal, keys: Keys, port: int, name: str) -> float:
    """Seconds from the start of a new uplink until the broker has acknowledged every row."""
    board = Board()
    options = Options(host="127.0.0.1", port=port, window=WINDOW, backlog_rate=1e9)
    uplink = Uplink(name, options, _WHO, journal, board, keys, _ZONE, dict)
    stop = threading.Event()
    thread = threading.Thread(target=uplink.run, args=(stop,))
    began = time.perf_counter()
    thread.start()
    try:
        wait_until(lambda: board.counters().get(f"uplink.{name}.acknowledged", 0) >= ROWS, 120, "the drain")
        return time.perf_counter() - began
    finally:
        stop.set()
        thread.join()


def _publish_bare(bodies: Sequence[bytes], port: int) -> float:
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
