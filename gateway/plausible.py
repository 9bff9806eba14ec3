"""What the vision child says, as far as the settings allow it to: nothing else is believed.

Rule: the child looks at strangers' pixels, and whoever took it over would speak through this pipe. So it speaks of the
cameras that there are, at their own points, and of what they recognise; else `BadFrame`, and it is replaced.
"""

from __future__ import annotations

from gateway.captures import kinds_of, refuse_other_shots
from gateway.errors import BadFrame
from gateway.settings import Settings
from gateway.types import FaceSeen, PictureDone, PlateSeen
from gateway.wire import Beat, DeviceReport, Hello, LooksAt, Message, RecogniserFault, Reloaded, decode


def read_plausible(line: bytes, settings: Settings, *, is_reloading: bool) -> Message:
    """One line of the child. `is_reloading`: it was asked to take up other cameras. Raises `BadFrame`."""
    message = decode(line)
    if not _is_allowed(message, settings, is_reloading):
        raise BadFrame(f"a line that does not fit the settings: {type(message).__name__}")
    if isinstance(message, PlateSeen):
        refuse_other_shots(message, kinds_of(settings, message.device))
    return message


def _is_allowed(message: Message, settings: Settings, is_reloading: bool) -> bool:
    match message:
        case PlateSeen(device=device, point=point):
            allowed = _recognises(settings, device, point, "plate")
        case FaceSeen(device=device, point=point):
            allowed = _recognises(settings, device, point, "face") and settings.face.enabled
        case PictureDone(device=device, point=point):
            allowed = device in settings.cameras and settings.cameras[device].point == point
        case DeviceReport(name=name) | LooksAt(device=name):
            allowed = name in settings.cameras
        case Beat(cameras=beats):
            allowed = set(beats) <= set(settings.cameras)
        case Reloaded():
            allowed = is_reloading
        case _:
            allowed = isinstance(message, Hello | RecogniserFault)
    return allowed


def _recognises(settings: Settings, device: str, point: str, kind: str) -> bool:
    camera = settings.cameras.get(device)
    return camera is not None and camera.point == point and kind in camera.recognise
