"""Layers: threads that start and stop together. What a reload changes."""

from __future__ import annotations

import threading
from pathlib import Path

from gateway.app import House, Layer
from gateway.clock import now
from gateway.config import load
from gateway.daemon import take_up
from gateway.types import FaceSeen
from tests.house import DOOR, GATE, HEAD
from tests.house import House as Outside
from tests.real import wait_until
from tests.standstill import awake


def test_threads_that_do_not_end_share_the_patience_of_their_layer() -> None:
    """Six relays at a dead serial server took six times as long, and the stop was no longer a clean one."""
    release = threading.Event()

    def hang(_: threading.Event) -> None:
        release.wait(60)

    layer = Layer("doors", [(f"actuator:{number}", hang) for number in range(6)], 0.3)
    layer.start()
    began = awake()
    layer.end()
    assert awake() - began < 1.0
    release.set()


OPENS_ALONE = """
[face]
enabled = true
purpose = "p"
necessity = "n"
pia_ref = "r"
model = "strong"
liveness = "patch"
open_alone = {points}
"""
CARD = f"""
name = "strong"
task = "face.embed"
adapter = "face-chip"
version = "1"
assurance = "high"
licence = "none"
source = "none"
files = [{{ name = "strong.onnx", sha256 = "{"0" * 64}", bytes = 1 }}]
"""


def test_where_a_face_opens_alone_a_reload_decides_too(tmp_path: Path) -> None:
    """Taken out of `open_alone` and reloaded, a point went on to open for faces until the restart; nobody said so."""
    (tmp_path / "data" / "models" / "strong").mkdir(parents=True)
    (tmp_path / "data" / "models" / "strong" / "model.toml").write_text(CARD, encoding="utf-8")
    good = HEAD + DOOR.format(port="/dev/null")
    outside = Outside(tmp_path, good + OPENS_ALONE.format(points='["east-door"]'))
    outside.command("roster", "add", "r-0502", "--name", "甲", "--point", "*")
    house = House(load(outside.config))
    stop = threading.Event()
    thread = threading.Thread(target=house.doorkeeper.run, args=(stop,))
    thread.start()
    try:
        known = house.keys.holder_ref("r-0502")
        face = FaceSeen("east-door", "cam", now(), known, 0.9, 0.6, 3, "high", "passive:x:0.9")
        house.doorkeeper.submit(face)
        wait_until(lambda: house.board.counters().get("doorkeeper.grant") == 1)
        outside.config.write_text(good + OPENS_ALONE.format(points="[]"), encoding="utf-8")
        take_up(house, outside.config)
        house.doorkeeper.submit(face)
        wait_until(lambda: house.board.counters().get("doorkeeper.deny") == 1)
    finally:
        stop.set()
        thread.join()


def test_the_catalog_names_a_camera_that_a_reload_brought(tmp_path: Path) -> None:
    gate = GATE.format(camera='driver = "folder"\npath = "in"')
    good = HEAD + DOOR.format(port="/dev/null")
    outside = Outside(tmp_path, good + gate.partition("[cameras")[0])
    house = House(load(outside.config))
    outside.config.write_text(good + gate, encoding="utf-8")
    take_up(house, outside.config)
    assert "gate-cam" in [device["name"] for device in house.report.catalog()["devices"]]


def test_how_things_stand_says_what_a_reload_left_undone(tmp_path: Path) -> None:
    """`systemctl reload` ends well in any case, and only the log said so."""
    good = HEAD + DOOR.format(port="/dev/null")
    outside = Outside(tmp_path, good)
    house = House(load(outside.config))
    before = house.report.words()
    for text, said in (
        (good.replace("driver", "drivr"), "the configuration has faults, the one before counts"),
        (
            good + '[points.new]\nname = "n"\nkind = "mixed"\ndirection = "in"\n',
            "changes in [points] wait for a restart",
        ),
    ):
        outside.config.write_text(text, encoding="utf-8")
        take_up(house, outside.config)
        assert house.report.words().startswith(said)
    outside.config.write_text(good, encoding="utf-8")
    take_up(house, outside.config)
    assert house.report.words() == before
