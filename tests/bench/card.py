"""From the last byte of a card to the broker's PUBACK, through the real daemon.

Two pseudo-terminals get a card in turn, ten a second each: one is the daemon's reader, the other that of `bare.py`.
Both publish through one relay before Mosquitto, which notes the moment at which the broker's PUBACK leaves it. So the
time is: byte written → read, judged, door ordered open, synced to disk, published → answered by the broker; the relay
costs both the same. The floor is one read of a pty, one synced commit and one bare QoS 1 round trip.
"""

from __future__ import annotations

import random
import time
from contextlib import closing
from pathlib import Path

from rich.progress import Progress

from tests.bench.bare import TOPIC, Bare
from tests.bench.figures import Aim, Figure, Report, percentile
from tests.bench.relay import Relay
from tests.bench.site import KNOWN, door_house
from tests.house import SerialLine
from tests.real import Mosquitto, wait_until

CARDS = 300
PERIOD_S = 0.1
_WARM = 400  # cards at a faster pace first, until the journal's write-ahead log has its full size
_WARM_PERIOD_S = 0.03


def bench(folder: Path, progress: Progress) -> Report:
    with (
        Mosquitto(folder / "broker") as broker,
        Relay(broker.port) as relay,
        closing(SerialLine()) as line,
        closing(SerialLine()) as bare_line,
    ):
        house = door_house(folder / "house", line.path, relay.port)
        with house, Bare(bare_line.path, folder / "bare", relay.port) as bare:
            bare.wait_ready()
            house.wait_online("reader")
            sent, bare_sent = _present_in_turn(line, bare_line, progress)
            wait_until(lambda: len(relay.answers("box-1/event/access")) >= len(sent), what="each card's PUBACK")
            wait_until(lambda: len(relay.answers(TOPIC)) >= len(bare_sent), what="each bare PUBACK")
            took = _took(sent, relay.answers("box-1/event/access"))
            floor = _took(bare_sent, relay.answers(TOPIC))
            opened = [event["data"]["latency_ms"] for event in house.events() if "access" in event["type"]][_WARM:]
    return Report(
        [
            Figure("card → PUBACK, median", percentile(took, 0.5), "ms", percentile(floor, 0.5)),
            Figure("card → PUBACK, p99", percentile(took, 0.99), "ms", percentile(floor, 0.99), Aim("ratio", "≤", 2)),
            Figure("card → order to the relay, p99", percentile(opened, 0.99), "ms"),
        ],
        [f"{len(took)} cards at {1 / PERIOD_S:g}/s through the daemon, as many through the floor, in turn"],
    )


def _present_in_turn(line: SerialLine, bare_line: SerialLine, progress: Progress) -> tuple[list[float], list[float]]:
    """Cards on both lines, half a period apart and a little irregular; returns when each was written."""
    dice = random.Random(7)
    sent: list[float] = []
    bare_sent: list[float] = []
    for number in progress.track(range(_WARM + CARDS), description="cards, and the floor in turn"):
        period = _WARM_PERIOD_S if number < _WARM else PERIOD_S
        for wire, times in ((line, sent), (bare_line, bare_sent)):
            time.sleep(period / 2 * dice.uniform(0.8, 1.2))
            times.append(time.monotonic())
            wire.present(KNOWN)
    return sent, bare_sent


def _took(sent: list[float], answered: list[float]) -> list[float]:
    """Milliseconds of each card after the first few; one card, one answer, in order."""
    pairs = list(zip(sent, answered, strict=True))[_WARM:]
    return [(end - begin) * 1000 for begin, end in pairs]
