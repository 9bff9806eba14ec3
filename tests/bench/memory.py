"""The door process at rest: memory and processor, with four readers of four kinds and a compound of a thousand.

Its floor is a process that has imported the same libraries and, in four threads, waits for four ttys in turns of
0.1 s: what Python itself costs for the like.
"""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from rich.progress import Progress

from tests.bench.figures import Aim, Figure, Report
from tests.bench.site import settle_in
from tests.house import HEAD, UPLINK, House, SerialLine
from tests.real import Mosquitto

HOLDERS = 1000
SECONDS = 15
DRIVERS = {"rdm6300": "", "em18": "", "stxlen": "", "wiegand": 'encoding = "bits"\nformat = "26"\n'}
_DOOR = """
[points.door-{n}]
name = "{n}号门"
kind = "pedestrian"
direction = "in"
actuator = "relay-{n}"

[readers.reader-{n}]
driver = "{driver}"
port = "{port}"
point = "door-{n}"
{more}
[actuators.relay-{n}]
driver = "log"
"""
_FLOOR = """
import select, sys, threading, time
import click, cryptography.hazmat.primitives.ciphers.aead, paho.mqtt.client, pydantic, serial, sqlite3, sqlite_utils
def wait(path):
    with serial.Serial(path, timeout=0.1) as port:
        while True:
            port.read(1)
for path in sys.argv[1:]:
    threading.Thread(target=wait, args=(path,), daemon=True).start()
time.sleep(1000)
"""


def bench(folder: Path, progress: Progress) -> Report:
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder / "broker"))
        lines = [stack.enter_context(closing(SerialLine())) for _ in range(2 * len(DRIVERS))]
        house = stack.enter_context(_house(folder / "house", lines[: len(DRIVERS)], broker.port))
        ttys = [line.path for line in lines[len(DRIVERS) :]]
        floor = subprocess.Popen([sys.executable, "-c", _FLOOR, *ttys])
        stack.callback(floor.wait)
        stack.callback(floor.kill)
        house.wait_online("reader")
        processes = [psutil.Process(int(house.status()["pid"])), psutil.Process(floor.pid)]
        time.sleep(3)
        before = [_cpu_seconds(process) for process in processes]
        for _ in progress.track(range(SECONDS), description="the door process at rest"):
            time.sleep(1)
        cpu = [(_cpu_seconds(one) - was) / SECONDS * 100 for one, was in zip(processes, before, strict=True)]
        rss = [process.memory_info().rss / 1e6 for process in processes]
        own = processes[0].memory_full_info().uss / 1e6
        threads = processes[0].num_threads()
    return Report(
        [
            Figure("door process, resident", rss[0], "MB", rss[1], Aim("value", "≤", 80)),
            Figure("door process, not shared", own, "MB"),
            Figure("door process, processor at rest", cpu[0], "% of a core", cpu[1]),
        ],
        [f"{len(DRIVERS)} readers, {HOLDERS} holders, one uplink, {threads} threads, {SECONDS} s at rest"],
    )


def _cpu_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _house(folder: Path, lines: list[SerialLine], port: int) -> House:
    folder.mkdir(parents=True)
    doors = [
        _DOOR.format(n=n, driver=driver, port=line.path, more=more)
        for n, (line, (driver, more)) in enumerate(zip(lines, DRIVERS.items(), strict=True), 1)
    ]
    head = "holder_id,name,kind,category,room,cards,plates,points,valid_from,valid_until\n"
    rows = (
        f"r-{n},住户{n},resident,owner,{n // 100 + 1}-1-{n % 100:04d},em4100:62{n:08X},鄂J{n:05d},*,,\n"
        for n in range(HOLDERS)
    )
    return settle_in(House(folder, HEAD + "".join(doors) + UPLINK.format(port=port)), head + "".join(rows))
