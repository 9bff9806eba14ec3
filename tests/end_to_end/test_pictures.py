"""From outside: pictures in a folder become events at a real broker's subscriber; cameras come and go."""

from __future__ import annotations

import csv
import shutil
import time
from pathlib import Path

import pytest

from tests.house import GATE, KNOWN, SerialLine, Subscriber, door_house, prove_complete
from tests.real import Mosquitto, wait_until


def test_sighup_adds_a_camera_and_leaves_the_doors_alone(tmp_path: Path, line: SerialLine, broker: Mosquitto) -> None:
    camera = GATE.format(camera=CAMERA)
    point = camera.partition("[cameras")[0]
    house = door_house(tmp_path, line, broker, point)
    (tmp_path / "pictures").mkdir()
    with Subscriber(broker.port) as platform, house:
        house.wait_online("reader")
        good = house.config.read_text("utf-8")
        house.config.write_text(good + "\nnonsense", encoding="utf-8")
        house.hang_up()
        wait_until(lambda: "the old settings stay" in house.log())
        house.config.write_text(good.removesuffix(point) + camera, encoding="utf-8")
        house.hang_up()
        house.wait_online("camera")
        wait_until(lambda: "gate-cam" in [device["name"] for device in platform.last("/catalog")["devices"]])
        assert house.status()["counters"]["uplink.city.connects"] == 1
        line.present(KNOWN)
        wait_until(lambda: platform.events("access.granted"))
        assert len([event for event in platform.events("device") if event["subject"] == "east-reader"]) == 1


def test_the_catalog_that_stands_there_names_the_cameras_of_a_reload(
    tmp_path: Path, line: SerialLine, broker: Mosquitto
) -> None:
    """It named the old ones until the next connection, while the new one had spoken."""
    (tmp_path / "pictures").mkdir()
    camera = GATE.format(camera=CAMERA)
    house = door_house(tmp_path, line, broker, camera)
    with Subscriber(broker.port) as platform, house:
        house.wait_online("camera")
        wait_until(lambda: platform.last("device/gate-cam"))
        swapped = house.config.read_text("utf-8").replace("[cameras.gate-cam]", "[cameras.new-cam]")
        house.config.write_text(swapped, encoding="utf-8")
        house.hang_up()
        wait_until(lambda: platform.last("device/new-cam"), 20)
        told = [topic.partition("/box-1/")[2] for topic, _, _ in platform.messages]
        assert "catalog" in told[told.index("device/gate-cam") : told.index("device/new-cam")]
        names = {device["name"] for device in platform.last("catalog")["devices"]}
        assert names == {"east-reader", "new-cam", "east-relay"}
        line.present(KNOWN)
        wait_until(lambda: platform.events("access.granted"))
        assert told.count("catalog") == 2


def test_a_camera_at_a_point_that_is_new_waits_for_the_restart(
    tmp_path: Path, line: SerialLine, broker: Mosquitto
) -> None:
    """Recognition ended at once, and again at each start: no camera worked any more."""
    (tmp_path / "pictures").mkdir()
    first, second = GATE.format(camera=CAMERA), GATE.format(camera=CAMERA).replace("gate", "yard")
    house = door_house(tmp_path, line, broker, first)
    with house:
        house.wait_online("camera")
        child = house.status()["vision"]["pid"]
        house.config.write_text(house.config.read_text("utf-8") + second, encoding="utf-8")
        house.hang_up()
        wait_until(lambda: "camera yard-cam needs that restart" in house.log())
        time.sleep(2.0)  # recognition would have ended by now
        assert house.status()["vision"]["pid"] == child
        house.wait_online("camera")


LOBBY = """
[cameras.lobby]
driver = "folder"
path = "pictures"
point = "east-door"
recognise = ["face"]
sign_posted = true

[face]
enabled = true
purpose = "p"
necessity = "n"
pia_ref = "r"
"""


def test_sighup_tries_a_recogniser_again_that_was_off(tmp_path: Path, line: SerialLine, broker: Mosquitto) -> None:
    house = door_house(tmp_path, line, broker, LOBBY)
    (tmp_path / "pictures").mkdir()
    with house:
        wait_until(lambda: "face" in house.status()["vision"].get("faults", {}))
        assert "face recognition is off" in house.command("status")
        house.command("models", "prepare")
        house.hang_up()
        wait_until(lambda: house.status()["vision"].get("recognisers") == {"face": "ready"})


CAMERA = 'driver = "folder"\npath = "pictures"'


@pytest.mark.shared
def test_photographs_of_cars_reach_the_platform(
    tmp_path: Path, line: SerialLine, broker: Mosquitto, shared: Path
) -> None:
    """Real photographs dropped into a folder; killed in the middle; each becomes one event, most with its plate."""
    with (shared / "data" / "plates" / "labels.csv").open(encoding="utf-8") as file:
        scenes = [row for row in csv.DictReader(file) if row["source_repo"].endswith("EasyPR")][:12]
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    house = door_house(tmp_path, line, broker, GATE.format(camera=CAMERA))
    with Subscriber(broker.port) as platform:
        with house:  # killed at its end
            house.wait_online("camera")
            for scene in scenes[:6]:
                photo = shared / "data" / "plates" / scene["file"]
                shutil.copy(photo, pictures / photo.name)
            wait_until(lambda: len(platform.events("vehicle")) >= 2)
        for scene in scenes[6:]:
            photo = shared / "data" / "plates" / scene["file"]
            shutil.copy(photo, pictures / photo.name)
        with house:
            wait_until(lambda: len(_sources(platform)) == len(scenes))
        found = {event["data"]["source_file"]: event["data"] for event in platform.events("vehicle")}
        right = sum(
            _plain(scene["plate"])
            in {_plain(found[Path(scene["file"]).name].get(key, "")) for key in ("plate_no", "candidate")}
            for scene in scenes
        )
        assert right >= 9, {name: data.get("plate_no") or data.get("candidate") for name, data in found.items()}
        prove_complete(platform.events())


def _sources(platform: Subscriber) -> set[str]:
    return {event["data"]["source_file"] for event in platform.events("vehicle")}


def _plain(plate: str) -> str:
    return plate[:1] + plate[1:].replace("O", "0")


FACES = """
[cameras.door-cam]
driver = "folder"
path = "faces"
point = "east-door"
recognise = ["face"]
sign_posted = true

[face]
enabled = true
purpose = "test"
necessity = "test"
pia_ref = "TEST-1"
"""


def test_a_recogniser_that_is_off_is_a_fault_the_platform_sees(
    tmp_path: Path, line: SerialLine, broker: Mosquitto
) -> None:
    """Faces are enabled and nobody prepared the models: the camera is of no use, the cards go on."""
    (tmp_path / "faces").mkdir()
    house = door_house(tmp_path, line, broker, FACES)
    with Subscriber(broker.port) as platform, house:
        wait_until(lambda: platform.events("device.fault"))
        fault = platform.events("device.fault")[0]
        assert fault["subject"] == "door-cam"
        assert "models prepare, then systemctl reload" in fault["data"]["detail"]  # by itself it is not tried again
        wait_until(lambda: (platform.last("/device/door-cam") or {}).get("status") == "fault")
        line.present(KNOWN)
        wait_until(lambda: platform.events("access.granted"))


@pytest.mark.shared
def test_a_face_enrolled_from_one_photo_is_known_in_another(
    tmp_path: Path, line: SerialLine, broker: Mosquitto, shared: Path, face_models: Path
) -> None:
    """One person enrolled from one photo; others of that person and of strangers walk in; erased, nobody is known."""
    (tmp_path / "faces").mkdir()
    house = door_house(tmp_path, line, broker, FACES)
    shutil.copytree(face_models, tmp_path / "data" / "models")
    people = shared / "data" / "faces"
    consent = ["--consent-version", "1", "--consent-channel", "paper", "--consent-ref", "X-1"]
    house.command("face", "enrol", "r-0502", str(people / "lfw_Colin_Powell" / "01.jpg"), *consent, "--min-eyes", "30")
    with Subscriber(broker.port) as platform, house:
        house.wait_online("camera")
        for number in (2, 3, 4):
            shutil.copy(people / "lfw_Colin_Powell" / f"{number:02d}.jpg", tmp_path / "faces" / f"own-{number}.jpg")
        for name in ("biden", "clapton", "alex_lacamoire"):
            stranger = sorted((people / name).iterdir())[0]
            shutil.copy(stranger, tmp_path / "faces" / f"stranger-{name}.jpg")
        wait_until(lambda: _finished(tmp_path / "faces") == 6, what="six pictures looked at")
        wait_until(lambda: platform.events("recognised"))
        seen = [event["data"] for event in platform.events("recognised")]
        assert all(data["source_file"].startswith("own-") for data in seen)
        assert seen[0].items() >= {"method": "face", "assurance": "low", "liveness": "none", "gallery_size": 1}.items()
        assert seen[0]["holder"]["room"] == "3-1-0502"
        assert not platform.events("access.granted")  # a face of low assurance opens nothing
        house.command("face", "erase", "r-0502", "--reason", "moved out")
        wait_until(lambda: platform.events("audit"))
        time.sleep(4.0)  # the recogniser looks at the store every two seconds
        shutil.copy(people / "lfw_Colin_Powell" / "02.jpg", tmp_path / "faces" / "later.jpg")
        wait_until(lambda: _finished(tmp_path / "faces") == 7, what="the seventh picture looked at")
        time.sleep(0.5)  # an event would be here by now
        assert not [event for event in platform.events("recognised") if event["data"]["source_file"] == "later.jpg"]


def _finished(folder: Path) -> int:
    """How many pictures the folder camera has written into its ledger."""
    ledger = folder / ".consumed"
    return len(ledger.read_text(encoding="utf-8").splitlines()) if ledger.exists() else 0
