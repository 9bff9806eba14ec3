"""A camera sends no key picture for long: nothing it sends can be decoded, and the doors must not notice."""

from __future__ import annotations

import time

from gateway.demo.pictures import drive
from tests.cameras.rough_wire import RoughWire, lose_key_pictures
from tests.cameras.streaming import RtspServer, record
from tests.chaos.compound import Compound
from tests.chaos.scenario import Outcome, Plan, Scenario, judge
from tests.house import GATE
from tests.real import wait_until

_CAR = "鄂J12345"
_ONLINE = "camera gate-cam is online"
_CAMERA = 'driver = "rtsp"\nurl = "{url}"'


def no_key_pictures(plan: Plan) -> Outcome:
    """For 30 s from the start; then the camera is to be found, and the car before it to be told, once."""
    drive(_CAR, (52, 52, 150), plan.folder / "drive", 0)
    film = record(sorted((plan.folder / "drive").iterdir()), plan.folder / "car.h264", fps=5)
    with RtspServer(plan.folder, film) as server, RoughWire(server.port) as wire:
        wire.harm = lose_key_pictures
        with Compound(plan.folder, more=GATE.format(camera=_CAMERA.format(url=wire.url))) as compound:
            time.sleep(plan.seconds(30))
            faults = ["the camera was found before a key picture"] if _ONLINE in compound.house.log() else []
            wire.harm, began = None, time.monotonic()
            wait_until(lambda: _ONLINE in compound.house.log(), 120, "the camera is found again")
            back = time.monotonic() - began
            wait_until(lambda: _cars(compound), 60, f"the car, see {plan.folder}")
            tally = judge(compound)
            if _cars(compound) != [_CAR]:
                faults.append(f"told were {_cars(compound)}")
            notes = [f"called {wire.calls} times"]
            return Outcome(tally, [back], compound.door.waits, notes=notes, faults=faults)


def _cars(compound: Compound) -> list[str]:
    """Numbers of the vehicles that the city was told of."""
    compound.city.take()
    found = {event["id"]: event["data"] for event in compound.city.events if ".vehicle." in event["type"]}
    return [str(data.get("plate_no") or data.get("candidate")) for data in found.values()]


SCENARIOS = {"no-key-picture": Scenario(no_key_pictures, ("mosquitto", "ffmpeg"))}
