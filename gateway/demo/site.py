"""The demo's compound: its folder with a configuration, a roster and pictures, and the daemon that runs on it.

Everything is done through the public commands, as an operator would.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gateway.demo.pictures import drive, portrait_path, walk_in
from gateway.errors import GatewayError, Unreachable
from gateway.status_socket import ask
from gateway.text import Language

RESIDENT_CARDS = [bytes.fromhex(number) for number in ("62E3086CED", "67003BA86C", "01000734E0")]
WIEGAND_CARD = (123, 4567)
UNKNOWN_CARD = bytes.fromhex("0B00C0FFEE")

_ROSTER = """\
holder_id,name,kind,category,room,cards,plates,points,valid_from,valid_until
r-0502,示例住户甲,resident,owner,3-1-0502,em4100:62E3086CED,鄂J12345,*,2026-01-01,2099-12-31
r-0601,示例住户乙,resident,family,3-1-0601,em4100:67003BA86C,粤BD12345,*,,
r-0702,示例住户丙,resident,tenant,3-1-0702,w26:7-13536;w26:123-4567,,*,,
r-0803,示例住户丁,resident,owner,3-1-0803,,,*,,
"""
PORTRAIT_HOLDER = "r-0803"

_CONFIG = """\
[site]
compound_id = "demo"
name = "演示小区"
timezone = "Asia/Shanghai"
language = "{language}"

[gateway]
id = "box-1"
data_dir = "data"

[points.east-door]
name = "东门人行"
kind = "pedestrian"
direction = "in"
actuator = "east-relay"

[points.west-door]
name = "西门人行"
kind = "pedestrian"
direction = "in"

[points.gate]
name = "东门车行"
kind = "vehicle"
direction = "in"
actuator = "gate-barrier"

[readers.east-reader]
driver = "rdm6300"
port = "{east}"
point = "east-door"

[readers.west-reader]
driver = "wiegand"
port = "{west}"
encoding = "bits"
format = "26"
point = "west-door"

[cameras.gate-cam]
driver = "replay"
path = "{gate}"
fps = 5
point = "gate"
recognise = ["plate"]

[cameras.door-cam]
driver = "replay"
path = "{door}"
fps = 5
point = "east-door"
recognise = ["face"]
sign_posted = true

[actuators.east-relay]
driver = "log"

[actuators.gate-barrier]
driver = "log"

[face]
enabled = true
purpose = "演示 · demonstration"
necessity = "演示 · demonstration"
pia_ref = "DEMO-1"

[uplinks.city]
host = "127.0.0.1"
port = {port}
protocol = "3.1.1"
"""


class Site:
    """The demo's folder and its daemon."""

    def __init__(self, folder: Path, language: Language) -> None:
        self.folder = folder
        self.config = folder / "gateway.toml"
        self.log = folder / "daemon.log"
        self._language = language
        self._daemon: subprocess.Popen[bytes] | None = None

    def draw(self) -> None:
        """Render what the cameras will see, before and after the power cut."""
        morning = self.folder / "gate-1"
        following = drive("鄂J12345", (52, 52, 150), morning, start=0)
        drive("沪B30527", (150, 120, 60), morning, following)
        drive("粤BD12345", (205, 205, 205), self.folder / "gate-2", start=0)
        walk_in(self.folder / "door-1")
        (self.folder / "door-2").mkdir(exist_ok=True)
        last = sorted((self.folder / "door-1").iterdir())[0]  # an empty lobby
        (self.folder / "door-2" / "00000.jpg").write_bytes(last.read_bytes())

    def configure(self, *, act: int, east: str, west: str, port: int) -> None:
        """Write the configuration of the first or the second act."""
        text = _CONFIG.format(
            language=self._language, east=east, west=west, port=port, gate=f"gate-{act}", door=f"door-{act}"
        )
        self.config.write_text(text, encoding="utf-8")

    def settle_in(self) -> None:
        """Import the roster, prepare the models, enrol the portrait with its consent record."""
        (self.folder / "roster.csv").write_text(_ROSTER, encoding="utf-8")
        photo = self.folder / "portrait.png"
        photo.write_bytes(portrait_path().read_bytes())
        self.command("models", "prepare")
        self.command("roster", "import", str(self.folder / "roster.csv"))
        consent = ["--consent-version", "2026-01", "--consent-channel", "paper", "--consent-ref", "DEMO-0803"]
        self.command("face", "enrol", PORTRAIT_HOLDER, str(photo), *consent, "--min-eyes", "40")  # it has 44

    def command(self, *words: str) -> str:
        """Run one public command on this site. Raises `GatewayError` with what it printed."""
        line = [sys.executable, "-m", "gateway", *words, "--config", str(self.config)]
        done = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", check=False)
        if done.returncode:
            raise GatewayError(f"{' '.join(words[:2])}: {done.stdout}{done.stderr}".strip())
        return done.stdout

    def journal(self) -> list[dict[str, Any]]:
        """Every event in the journal, read by the public command."""
        return [json.loads(line) for line in self.command("events", "--json").splitlines()]

    def start(self, seconds: float = 60.0) -> float:
        """Start the daemon and wait for readers and recognisers. Returns the seconds until the readers were online."""
        log = self.log.open("ab")
        began = time.monotonic()
        self._daemon = subprocess.Popen(
            [sys.executable, "-m", "gateway", "run", "--config", str(self.config)],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        doors_after = 0.0
        while time.monotonic() - began < seconds:
            time.sleep(0.05)
            if self._daemon.poll() is not None:
                raise GatewayError(f"the daemon ended with {self._daemon.returncode}", hint=f"see {self.log}")
            try:
                status = ask(self.folder / "data")
            except Unreachable:
                continue
            readers = [device["status"] for device in status["devices"] if device["kind"] == "reader"]
            if not doors_after and readers and all(state == "online" for state in readers):
                doors_after = time.monotonic() - began
            recognisers = status["vision"].get("recognisers", {})
            if doors_after and recognisers and "loading" not in recognisers.values():
                return doors_after
        raise GatewayError("the daemon did not become ready", hint=f"see {self.log}")

    def kill(self) -> None:
        """kill -9: the power goes."""
        if self._daemon is not None:
            self._daemon.send_signal(signal.SIGKILL)
            self._daemon.wait()

    def stop(self) -> int:
        """SIGTERM, as systemd does; returns the exit code."""
        if self._daemon is None or self._daemon.poll() is not None:
            return 0
        self._daemon.terminate()
        return self._daemon.wait(15)

    def stay(self) -> None:
        """Wait until the daemon ends or the operator interrupts."""
        if self._daemon is not None:
            self._daemon.wait()
