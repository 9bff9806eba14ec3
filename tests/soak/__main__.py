"""A long run of the whole program, to see whether its memory grows: `python -m tests.soak --hours 24 --out soak.svg`.

The real daemon, a Mosquitto and an RTSP server: four cameras of 1080p with plates and faces, five looks a second each,
six cars and a portrait every two minutes, a card every five seconds. Four times a minute the memory of each part is
written down (each shared page counted once, the pictures between decoders and recognition included), as a table beside
the picture. It fails where vision or the doors end more than a tenth above what they were a tenth of the way in, where
recognition or a decoder had to be started anew, and where a card has no event at the subscriber.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from gateway.demo.pictures import drive, portrait_path, walk_in
from tests.cameras.streaming import RtspServer
from tests.house import DOOR, HEAD, KNOWN, ROSTER, UPLINK, House, SerialLine, Subscriber
from tests.real import Mosquitto, needed, wait_until

CAMERAS, EVERY_S, CARD_S = 4, 15.0, 5.0
PLATES = ["京A8F001", "川A102K学", "沪B30527", "粤BD12345", "鄂J12345", "鄂JF06688"]
REST_S = 60
MOST_GROWTH = 1.1
_UNWELL = {"compound.device.fault.v1", "compound.device.offline.v1"}
PARTS = ["recognition", "decoders", "pictures", "doors"]
_ENCODE = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-g", "50", "-threads", "1", "-pix_fmt", "yuv420p"]
_DELIMITED = ["-bsf:v", "h264_mp4toannexb,h264_metadata=aud=insert", "-f", "h264"]
_FACE = """
[face]
enabled = true
purpose = "soak"
necessity = "soak"
pia_ref = "SOAK-1"
"""
_CAMERA = """
[cameras.camera-{number}]
driver = "rtsp"
url = "{url}"
point = "east-door"
fps = 5
recognise = ["plate", "face"]
sign_posted = true
"""


def main() -> int:
    given = _arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with _running(folder) as (house, line, platform):
            samples = list(_watch(house, line, given.hours * 3600))
            cards = round(samples[-1][0] // CARD_S) if samples else 0
            wait_until(lambda: len(platform.events("access")) >= cards, 30, f"{cards} cards at the subscriber")
            faults, events = _faults(house, samples), len(platform.events())
    with given.out.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["seconds", *PARTS], *([f"{value:.1f}" for value in row] for row in samples)])
    _draw(samples, given.out)
    print(f"{len(samples)} samples in {samples[-1][0] / 3600:.2f} h, {events} events at the subscriber")
    print("\n".join(faults) or "nothing grew, nothing had to be started anew")
    return 1 if faults else 0


def _faults(house: House, samples: list[list[float]]) -> list[str]:
    """What grew, and what did not live through it."""
    vision, doors = [sum(row[1:4]) for row in samples], [row[4] for row in samples]
    found = []
    for name, values in (("vision", vision), ("doors", doors)):
        tenth = len(values) // 10
        if not tenth:
            return ["too short to say anything: run it for some minutes"]
        before, after = (statistics.median(part) for part in (values[tenth : 2 * tenth], values[-tenth:]))
        print(f"{name}: {before:.0f} MB early, {after:.0f} MB at the end, {max(values):.0f} at most")
        if after > MOST_GROWTH * before:
            found.append(f"{name} has grown")
    if restarts := house.status()["vision"]["restarts"]:
        found.append(f"recognition was started anew {restarts} times")
    lost = [event for event in house.events() if event["type"] in _UNWELL]
    return [*found, *(f"{event['time']} {event['type']} {event['subject']}" for event in lost)]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=Path("soak.svg"), help=".svg or .png; a .csv is written beside it")
    return parser.parse_args()


@contextmanager
def _running(folder: Path) -> Iterator[tuple[House, SerialLine, Subscriber]]:
    film = _film(folder)
    with (
        Mosquitto(folder / "broker") as broker,
        RtspServer(folder, film) as server,
        closing(SerialLine()) as line,
        Subscriber(broker.port) as platform,
    ):
        cameras = "".join(_CAMERA.format(number=number, url=server.url) for number in range(CAMERAS))
        door = DOOR.format(port=line.path).replace("pedestrian", "mixed")
        config = HEAD + door + _FACE + cameras + UPLINK.format(port=broker.port)
        house = House(folder, config)
        (folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
        house.command("roster", "import", str(folder / "roster.csv"))
        house.command("models", "prepare")
        consent = ["--consent-version", "1", "--consent-channel", "paper", "--consent-ref", "SOAK"]
        house.command("face", "enrol", "r-0502", str(portrait_path()), *consent, "--min-eyes", "40")
        with house:
            house.wait_online("camera", 120)
            yield house, line, platform
            house.stop()


def _film(folder: Path) -> Path:
    """Two minutes: six cars, a portrait, and a minute of the empty street, as H.264."""
    at = 0
    for plate in PLATES:
        at = drive(plate, (150, 120, 60), folder / "film", at)
    street = (folder / "film" / "00000.jpg").read_bytes()
    walk_in(folder / "walk")
    for picture in sorted((folder / "walk").iterdir()):
        (folder / "film" / f"{at:05d}.jpg").write_bytes(picture.read_bytes())
        at += 1
    for number in range(at, at + 5 * REST_S):
        (folder / "film" / f"{number:05d}.jpg").write_bytes(street)
    film = folder / "film.h264"
    pictures = ["-framerate", "5", "-i", str(folder / "film" / "%05d.jpg"), "-vf", "fps=25,scale=1920:1080"]
    ffmpeg = [needed("ffmpeg", "ffmpeg"), "-loglevel", "error", "-y"]
    subprocess.run([*ffmpeg, *pictures, *_ENCODE, *_DELIMITED, str(film)], check=True)
    return film


def _watch(house: House, line: SerialLine, seconds: float) -> Iterator[list[float]]:
    """Seconds since the start and MB of each part, four times a minute."""
    began = time.monotonic()
    due, card_due = began, began
    while (at := time.monotonic()) < began + seconds:
        if at >= card_due:
            card_due += CARD_S
            line.present(KNOWN)
        if at >= due:
            due += EVERY_S
            if sample := _sample(house):
                yield [at - began, *sample]
                print(f"\r{(at - began) / 60:.1f} min  {[round(part) for part in sample]} MB ", end="", file=sys.stderr)
        time.sleep(0.1)
    print(file=sys.stderr)


def _sample(house: House) -> list[float]:
    """MB of each of PARTS; nothing in the moment in which a process goes."""
    status = house.status()
    try:
        vision = psutil.Process(int(status["vision"]["pid"]))
        below = vision.children(recursive=True)
        decoders = [process for process in below if process.name() == "decoder"]
        own = [vision, *(process for process in below if process not in decoders)]
        pages = [sum(process.memory_full_info().pss for process in group) for group in (own, decoders)]
        said = sum(camera["memory"] for camera in status["vision"]["cameras"].values())
        pictures = max(0, said - sum(process.memory_info().rss for process in decoders))
        doors = psutil.Process(int(status["pid"])).memory_full_info().pss
    except (KeyError, psutil.Error):
        return []
    return [value / 1e6 for value in (*pages, pictures, doors)]


def _draw(samples: list[list[float]], out: Path) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    minutes = [row[0] / 60 for row in samples]
    with mpl.rc_context({"svg.hashsalt": "compound-gateway", "font.size": 9}):
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.stackplot(minutes, *([row[part] for row in samples] for part in (1, 2, 3)), labels=PARTS[:3], alpha=0.75)
        axes.plot(minutes, [row[4] for row in samples], color="black", linewidth=1, label=PARTS[3])
        axes.axhline(350, color="grey", linestyle="--", linewidth=1)
        axes.set(xlabel="minutes", ylabel="MB", ylim=(0, 450), xlim=(0, minutes[-1]))
        axes.legend(loc="upper right", ncols=4)
        untold = dict.fromkeys(("Date", "Creator", "Format", "Type")) if out.suffix == ".svg" else None
        figure.savefig(out, metadata=untold)


if __name__ == "__main__":
    sys.exit(main())
