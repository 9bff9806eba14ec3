"""From nothing to the first accepted card, while cameras open and models load beside it.

A card lies on the reader from the first moment (a frame every 30 ms, as readers do it). Measured is the time from the
start of the process until that card's event is on the disk, and until the platform has it. Before each start the daemon
was killed, as by a power cut; files are in the page cache. The floor is the start of `bare.py` and its first card.
"""

from __future__ import annotations

import statistics
import time
from contextlib import closing
from pathlib import Path

from rich.progress import Progress

from gateway.demo.pictures import drive
from gateway.errors import ModelError, StoreError
from gateway.journal import JournalReader
from gateway.settings import PlateReading
from gateway.types import EventClass
from gateway.vision.catalogue import find, model_dirs
from tests.bench.bare import Bare
from tests.bench.figures import Aim, Figure, Report
from tests.bench.site import KNOWN, door_house
from tests.house import House, SerialLine, Subscriber
from tests.real import Mosquitto

STARTS = 5
_FRAME_S = 0.03
_LONGEST_S = 30.0
_CAMERAS = """
[points.gate]
name = "东门车行"
kind = "vehicle"
direction = "in"

[cameras.gate-cam]
driver = "replay"
path = "gate"
loop = true
point = "gate"
recognise = ["plate"]

[cameras.door-cam]
driver = "replay"
path = "gate"
loop = true
point = "east-door"
recognise = ["face"]
sign_posted = true

[face]
enabled = true
purpose = "bench"
necessity = "bench"
pia_ref = "BENCH"
"""


def bench(folder: Path, progress: Progress) -> Report:
    kept: list[float] = []
    arrived: list[float] = []
    floor: list[float] = []
    with (
        Mosquitto(folder / "broker") as broker,
        closing(SerialLine()) as line,
        closing(SerialLine()) as bare_line,
        Subscriber(broker.port) as platform,
    ):
        house = _house(folder / "house", line.path, broker.port)
        missing = _missing(folder / "house" / "data")
        _first_card(house, line, platform)  # makes the files
        for _ in progress.track(range(STARTS), description="starts, and the floor's in turn"):
            on_disk, at_platform = _first_card(house, line, platform)
            kept.append(on_disk)
            arrived.append(at_platform)
            floor.append(_bare_first_card(folder / "bare", bare_line, broker.port))
    floor_s = statistics.median(floor)
    aim = Aim("value", "≤", 1.5)
    return Report(
        [
            Figure("start → first card accepted", statistics.median(kept), "s", floor_s, aim),
            Figure("start → first card at the platform", statistics.median(arrived), "s", floor_s),
            Figure("slowest of them", max(kept), "s", max(floor)),
        ],
        [f"median of {STARTS} starts after a kill, with two cameras", *missing],
    )


def _house(folder: Path, tty: str, port: int) -> House:
    drive("鄂J12345", (52, 52, 150), folder / "gate", start=0)
    house = door_house(folder, tty, port, hold_s=60, more=_CAMERAS)
    house.command("models", "prepare")
    return house


def _missing(data: Path) -> list[str]:
    """Models that cannot be loaded, and so did not take their share of the processor."""
    notes, plate = [], PlateReading()
    for name in (plate.detector, plate.refiner, plate.reader, "mtcnn", "dlib-resnet"):
        try:
            find(name, model_dirs(data)).verify()
        except ModelError as error:
            notes.append(f"WITHOUT the model {name}: {error.message}")
    return notes


def _first_card(house: House, line: SerialLine, platform: Subscriber) -> tuple[float, float]:
    """Start, present until the platform has the event, kill. Seconds to the disk and to the platform."""
    journal = JournalReader(house.folder / "data" / "journal" / "journal.db")
    known = _ids(platform)
    before = _kept_cards(journal)
    on_disk = at_platform = next_frame = 0.0
    began = time.monotonic()
    house.start()
    try:
        while not at_platform:
            at = time.monotonic() - began
            if at > _LONGEST_S:
                raise TimeoutError(f"no card within {_LONGEST_S:g} s:\n{house.log()}")
            if at >= next_frame:
                line.present(KNOWN)
                next_frame = at + _FRAME_S
            if not on_disk and _kept_cards(journal) > before:
                on_disk = time.monotonic() - began
            if _ids(platform) - known:
                at_platform = time.monotonic() - began
            time.sleep(0.005)
    finally:
        house.kill()
        journal.close()
    return on_disk, at_platform


def _ids(platform: Subscriber) -> set[str]:
    return {event["id"] for event in platform.events("access")}


def _kept_cards(journal: JournalReader) -> int:
    try:
        return journal.count_after(0, {EventClass.ACCESS})
    except StoreError:  # there is no file yet
        return 0


def _bare_first_card(folder: Path, line: SerialLine, port: int) -> float:
    with Bare(line.path, folder, port) as bare:
        bare.wait_ready()
        line.present(KNOWN)
        return bare.next_kept() - bare.began
