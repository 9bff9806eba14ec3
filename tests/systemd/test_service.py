"""The service under a real systemd, installed as docs/install.md says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import trust
from gateway.errors import ModelError
from gateway.shipped import shipped
from gateway.vision.catalogue import open_model
from tests.house import ROSTER, SerialLine
from tests.installed import DEPENDENCIES, ROOT, build_wheel, install_commands
from tests.real import wait_until
from tests.systemd.container import Container, why_not

UNIT = "compound-gateway.service"
PROBE = "gateway-probe.service"
DATA = "/var/lib/compound-gateway"
CONFIG = "/etc/compound-gateway/gateway.toml"
PYTHON = "/usr/bin/python3"
KNOWN = bytes.fromhex("62E3086CED")

SETTINGS = f"""\
[site]
compound_id = "fenglinwan"
name = "枫林湾小区"
language = "en"

[gateway]
id = "box-1"
data_dir = "{DATA}"

[points.east-door]
name = "东门人行1"
kind = "mixed"
direction = "in"
actuator = "east-relay"

[readers.east-reader]
driver = "rdm6300"
port = "/dev/ttyGW0"
point = "east-door"
hold_s = 0

[actuators.east-relay]
driver = "log"

[face]
enabled = true
purpose = "test"
necessity = "test"
pia_ref = "PIA-1"

[cameras.lobby]
driver = "replay"
path = "/opt/pictures"
loop = true
fps = 2
point = "east-door"
recognise = RECOGNISE
sign_posted = true

[uplinks.city]
host = "localhost"
port = 1883
username = "box-1"
credential = "city"
"""
BROKER = "listener 1883 localhost\nuser root\npersistence false\nallow_anonymous false\npassword_file /etc/broker.pw\n"


def obstacle() -> str:
    """Why this cannot run here; empty where it can."""
    ask = "import sys; print(sys.version_info[:2])"
    mine = str(sys.version_info[:2])
    if why_not():
        return why_not()
    said = subprocess.run([PYTHON, "-c", ask], capture_output=True, text=True, check=False).stdout
    return "" if said.strip() == mine else f"the dependencies can be borrowed only by Debian's own Python {mine}"


pytestmark = pytest.mark.skipif(bool(obstacle()), reason=obstacle())


def recognisers() -> list[str]:
    """Faces, and plates where their models lie whole in this checkout."""
    try:
        for name in ("plate-detector", "plate-refiner", "plate-reader"):
            open_model(shipped("models") / name).verify()
    except ModelError:
        return ["face"]
    return ["plate", "face"]


@pytest.fixture(scope="module")
def line() -> Iterator[SerialLine]:
    wire = SerialLine()
    yield wire
    wire.close()


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory, face_models: Path, portrait: Path) -> Path:
    """Files that the box has before anybody installs anything."""
    folder = tmp_path_factory.mktemp("seed")
    for name, place in (
        ("compound-gateway.service", "etc/systemd/system/compound-gateway.service"),
        ("compound-gateway.sysusers.conf", "usr/lib/sysusers.d/compound-gateway.conf"),
        ("compound-gateway.tmpfiles.conf", "usr/lib/tmpfiles.d/compound-gateway.conf"),
    ):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "systemd" / name, folder / place)
    shutil.copytree(face_models, folder / "opt/models")
    (folder / "opt/pictures").mkdir()
    shutil.copy(portrait, folder / "opt/pictures")
    build_wheel(folder / "opt")
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, seed: Path, line: SerialLine) -> Iterator[Container]:
    binds = [f"--bind={line.path}:/dev/ttyGW0", f"--bind-ro={DEPENDENCIES}:/opt/dependencies"]
    with Container(tmp_path_factory.mktemp("container"), seed, binds) as container:
        set_up(container)
        yield container


def set_up(box: Container) -> None:
    """docs/install.md, step by step, without its downloads."""
    (wheel,) = (path.name for path in (box.root / "opt").glob("*.whl"))
    for words in install_commands(PYTHON, "/opt/compound-gateway-1", f"/opt/{wheel}", "/opt/dependencies"):
        box.run(*words)
    box.run("ln", "-sfn", "compound-gateway-1", "/opt/compound-gateway")
    box.run("ln", "-sf", "/opt/compound-gateway/bin/compound-gateway", "/usr/local/bin/")
    box.run("systemd-sysusers")
    box.run("systemd-tmpfiles", "--create", "compound-gateway.conf")
    box.run("chgrp", "dialout", "/dev/ttyGW0")
    box.run("chmod", "660", "/dev/ttyGW0")
    box.write(CONFIG, SETTINGS.replace("RECOGNISE", json.dumps(recognisers())))
    box.write("/etc/credstore/compound-gateway.city", "open sesame\n", 0o600)
    box.write(
        f"/etc/systemd/system/{UNIT}.d/city.conf",
        "[Service]\nLoadCredential=city:/etc/credstore/compound-gateway.city\n",
    )
    box.run("mosquitto_passwd", "-b", "-c", "/etc/broker.pw", "box-1", "open sesame")
    box.write("/etc/broker.conf", BROKER)
    box.run("mosquitto", "-d", "-c", "/etc/broker.conf")
    box.run("compound-gateway", "roster", "import", "-", text=ROSTER)  # as root, as staff do
    box.run("compound-gateway", "models", "import", "/opt/models")
    consent = ["--consent-version", "1", "--consent-channel", "paper", "--consent-ref", "A-1"]
    box.run("compound-gateway", "face", "enrol", "r-0502", "/opt/pictures/astronaut.png", *consent, "--min-eyes", "40")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "enable", "--now", UNIT)


def main_pid(box: Container) -> int:
    return int(box.show(UNIT, "MainPID"))


def restarts(box: Container) -> int:
    return int(box.show(UNIT, "NRestarts"))


def events(box: Container, glob: str) -> list[dict[str, Any]]:
    return [json.loads(row) for row in box.run("compound-gateway", "events", "--json", "--type", glob).splitlines()]


def status(box: Container) -> dict[str, Any]:
    """The daemon's own report, as soon as it answers."""
    said: list[str] = []

    def is_told() -> bool:
        said.append(box.run("compound-gateway", "status", "--json", code=None))
        return said[-1].startswith("{")

    wait_until(is_told, what="the daemon's status")
    return dict(json.loads(said[-1]))


def reader_is_online(box: Container) -> bool:
    return any(device["name"] == "east-reader" and device["status"] == "online" for device in status(box)["devices"])


def test_start_returns_when_the_house_is_ready(box: Container) -> None:
    # `systemctl enable --now` has returned: without READY=1 there would be no words yet
    assert box.show(UNIT, "ActiveState") == "active"
    assert "readers" in box.show(UNIT, "StatusText")
    assert status(box)["pid"]


def test_a_card_becomes_an_event(box: Container, line: SerialLine) -> None:
    wait_until(lambda: reader_is_online(box), what="the reader on line")
    line.present(KNOWN)
    wait_until(lambda: events(box, "access.granted"), what="the event of the card")
    (event,) = events(box, "access.granted")
    assert event["data"]["holder"]["room"] == "3-1-0502"


def test_the_secret_reaches_the_broker(box: Container) -> None:
    wait_until(lambda: status(box)["uplinks"]["city"]["connected"], what="the uplink connected")
    wait_until(lambda: status(box)["uplinks"]["city"]["waiting"] == 0, what="every event acknowledged")


def test_what_it_keeps_is_its_own(box: Container) -> None:
    assert box.run("stat", "-c", "%U %a", DATA).strip() == "compound-gateway 700"
    assert box.run("stat", "-c", "%U %G %a", "/etc/compound-gateway").strip() == "root compound-gateway 750"
    files = box.run("find", DATA, "-ignore_readdir_race", "-printf", "%u:%g %P\\n").splitlines()
    assert not [file for file in files if not file.startswith("compound-gateway:compound-gateway ")]  # root's too
    others = ["-ignore_readdir_race", "-path", f"{DATA}/models", "-prune", "-o", "-perm", "/o=rwx", "-print"]
    readable = box.run("find", DATA, *others)
    assert not readable.strip()  # but for the models, which are no secret


def test_recognition_runs_confined(box: Container) -> None:
    """Every model in the vision child, with MemoryDenyWriteExecute and the system call filter."""
    wait_until(lambda: events(box, "access.recognised"), what="the face recognised")
    ready = dict.fromkeys(recognisers(), "ready")
    wait_until(lambda: status(box)["vision"].get("recognisers") == ready, what="every recogniser ready")
    vision = status(box)["vision"]
    assert vision["faults"] == {}
    assert box.run("cat", f"/proc/{vision['pid']}/oom_score_adj").strip() == "500"  # it goes before the doors do


def test_everything_answers_to_check_live(box: Container) -> None:
    lines = box.run("compound-gateway", "check", "--live", "--json").splitlines()
    outcomes = [json.loads(line) for line in lines]
    assert {outcome["kind"] for outcome in outcomes} >= {"reader", "camera", "actuator", "uplink"}
    assert all(outcome["ok"] for outcome in outcomes)


def test_killed_it_comes_back(box: Container, line: SerialLine) -> None:
    before, count, seen = main_pid(box), restarts(box), len(events(box, "access.granted"))
    box.run("kill", "-9", str(before))
    wait_until(lambda: restarts(box) > count and box.show(UNIT, "ActiveState") == "active", what="it runs again")
    assert main_pid(box) != before
    wait_until(lambda: reader_is_online(box), what="the reader on line again")
    line.present(KNOWN)
    wait_until(lambda: len(events(box, "access.granted")) == seen + 1, what="a card after the kill")


def test_frozen_it_is_replaced(box: Container) -> None:
    impatient = box.root / f"etc/systemd/system/{UNIT}.d/watchdog.conf"
    impatient.write_text("[Service]\nWatchdogSec=5\n", encoding="utf-8")
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "restart", UNIT)
    wait_until(lambda: reader_is_online(box), what="the reader on line")
    frozen = main_pid(box)
    box.run("kill", "-STOP", str(frozen))
    wait_until(lambda: main_pid(box) not in (0, frozen) and box.show(UNIT, "ActiveState") == "active", what="another")
    impatient.unlink()
    box.run("systemctl", "daemon-reload")
    wait_until(lambda: "Watchdog timeout" in box.run("journalctl", "--no-pager", "-u", UNIT), what="why it ended")


def test_it_stops_cleanly(box: Container) -> None:
    wait_until(lambda: status(box)["vision"].get("pid"), what="a vision child")
    child = status(box)["vision"]["pid"]
    assert (box.root / f"proc/{child}").exists()
    box.run("systemctl", "stop", UNIT)
    assert box.show(UNIT, "Result") == "success"
    assert box.show(UNIT, "ExecMainStatus") == "0"
    assert not (box.root / f"proc/{child}").exists()
    assert "SIGKILL" not in box.run("journalctl", "--no-pager", "-n", "5", "-u", UNIT)


def test_a_wrong_key_is_not_tried_again(box: Container) -> None:
    right = (box.root / CONFIG.lstrip("/")).read_text(encoding="utf-8")
    box.write(CONFIG, right.replace("hold_s", "hold_seconds"))
    try:
        box.run("systemctl", "start", UNIT, code=1)
        time.sleep(1.5)  # RestartSec is 1: it would have been tried again
        assert box.show(UNIT, "ActiveState") == "failed"
        assert box.show(UNIT, "Result") == "exit-code"
        assert box.show(UNIT, "ExecMainStatus") == "78"
        assert restarts(box) == 0
        assert "hold_seconds" in box.run("journalctl", "--no-pager", "-n", "20", "-t", "compound-gateway")
    finally:
        box.write(CONFIG, right)


@pytest.fixture(scope="module")
def said(box: Container) -> dict[str, Any]:
    """What came of running probe.py as a unit that differs from ours only in what it starts."""
    for number in ("188 0", "166 0", "81 0", "10 229"):
        box.run("mknod", "-m", "666", f"/dev/probe-{number.replace(' ', '-')}", "c", *number.split())
    box.write("/opt/probe.py", (Path(__file__).parent / "probe.py").read_text(encoding="utf-8"))
    box.write(f"/etc/systemd/system/{PROBE}", (ROOT / "systemd" / UNIT).read_text(encoding="utf-8"))
    box.write(
        f"/etc/systemd/system/{PROBE}.d/probe.conf",
        "[Service]\nType=oneshot\nRestart=no\nWatchdogSec=0\nStandardOutput=truncate:/run/probe.json\n"
        "ExecStart=\nExecStart=/opt/compound-gateway/bin/python /opt/probe.py\n",
    )
    box.run("systemctl", "daemon-reload")
    box.run("systemctl", "start", PROBE)
    return dict(json.loads(box.run("cat", "/run/probe.json")))


def test_it_is_confined(said: dict[str, Any]) -> None:
    """The unit's own sandbox, with a program in it that tries what it must not."""
    assert said["write /etc"] == "EROFS"
    assert said["list /root"] == "EACCES"
    for device in ("188:0", "166:0", "81:0"):  # allowed, only seldom there: ttyUSB0, ttyACM0, video0
        assert said[f"open {device}"] in {"ENXIO", "ENODEV", "done"}
    assert said["open 10:229"] == "EPERM"  # mode 666, yet not on the list
    assert said["packet socket"] == "EAFNOSUPPORT"
    assert said["writable code"] in {"EPERM", "EACCES"}
    assert said["set clock"] == "EPERM"
    assert said["status"] == {"CapEff": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2"}
    assert said["groups"] == ["compound-gateway", "dialout", "video"]


def test_it_may_ask_whether_the_clock_is_kept(said: dict[str, Any]) -> None:
    assert said["adjtimex"] != -1
    assert said["trust"] == trust()
