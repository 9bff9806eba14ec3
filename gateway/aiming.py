"""`watch CAMERA`: what one camera shows and what would come of it, a line a second, for whoever aims it.

Rule: it takes nothing from the daemon. It opens the camera beside it, settles no picture of a folder, and publishes
nothing.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2

from gateway.errors import StoreError
from gateway.settings import Settings
from gateway.text import Language, Text
from gateway.types import DeviceStatus, FaceSeen, Frame, PictureDone, PlateSeen
from gateway.vision.capture import Capture
from gateway.vision.looks import Build, Look, Recogniser, look_near
from gateway.vision.nursery import Nursery
from gateway.vision.sightings import FaceSighting, PlateSighting
from gateway.vision.sketch import sharpness, sketch
from gateway.vision.view import Seen, View
from gateway.vision.voting import vote
from gateway.wire import DeviceReport

_LINE_S: Final = 1.0
_SMALL_PX: Final = 25  # a plate of less height is often misread
_SMALL_SHARE: Final = 0.06  # one of less width, of the picture's, is often not found


@dataclass(slots=True)
class Second:
    """What one second showed."""

    camera: str
    status: DeviceStatus | None
    detail: str  # why there is no picture
    frames: float = 0.0  # that the camera sent
    size: tuple[int, int] = (0, 0)
    sharp: float = 0.0
    plates: Sequence[PlateSighting] = ()
    faces: Sequence[FaceSighting] = ()
    would_publish: list[str] = field(default_factory=list)

    def words(self, language: Language) -> str:
        """One line for people."""
        if not self.size[0]:
            return _NO_PICTURE.with_(detail=self.detail or _NONE_YET).say(language)
        parts = [_PICTURE.with_(fps=self.frames, width=self.size[0], height=self.size[1], sharp=self.sharp)]
        parts += [_plate_words(one, self.size[0]) for one in self.plates]
        if self.faces:
            known = sum(face.match is not None for face in self.faces)
            parts.append(_FACES.with_(n=len(self.faces), known=known))
        parts += [_WOULD.with_(what=what) for what in self.would_publish]
        return "  ".join(part.say(language) for part in parts)

    def as_json(self) -> str:
        return json.dumps(
            {
                "camera": self.camera,
                "status": self.status,
                "detail": self.detail,
                "fps": round(self.frames, 1),
                "width": self.size[0],
                "height": self.size[1],
                "sharpness": round(self.sharp, 1),
                "plates": [
                    {
                        "plate_no": one.plate.number,
                        "confidence": round(one.plate.confidence, 3),
                        "height_px": round(one.box.height, 1),
                        "width_px": round(one.box.width, 1),
                    }
                    for one in self.plates
                ],
                "faces": len(self.faces),
                "would_publish": self.would_publish,
            },
            ensure_ascii=False,
        )


class Aiming:
    """One camera and its recognisers. Make it before any thread is started."""

    def __init__(self, settings: Settings, name: str, build: Build) -> None:
        """Raises `ModelError` or `StoreError` where its models are of no use."""
        self._settings, self._name, self._camera = settings, name, settings.cameras[name]
        self._status: DeviceStatus | None = None
        self._detail = ""
        arrived = threading.Event()
        self._capture = Capture(
            name, self._camera, Nursery(), self._hear, arrived, language=settings.site.language, gated=False
        )
        self._view = View(
            name, self._camera, self._capture, threshold=settings.plate.threshold, vote=vote, counters=Counter()
        )
        self._looks: dict[Recogniser, Look] = {}
        for kind in self._camera.recognise:
            if kind == "plate" or settings.face.enabled:
                self._looks[kind] = build(kind, settings)

    def seconds(self, stop: threading.Event, save: Path | None = None) -> Iterator[Second]:
        """Watch until `stop`; one value a second. `save` gets a picture with each that has one."""
        threading.Thread(target=self._capture.run, args=(stop,), daemon=True).start()
        began, sent = time.monotonic(), 0
        second, last = self._begin(), None
        while not stop.is_set():
            frame = self._view.take() if self._view.waits_since(time.monotonic()) is not None else None
            if isinstance(frame, Frame):
                last = frame
                self._see(frame, second)
            else:
                second.would_publish += [_published(one) for one in self._view.quiet()]
                stop.wait(0.02)
            passed = time.monotonic() - began
            if passed >= _LINE_S:
                now_sent = self._capture.sent()
                second.frames, sent = max(0, now_sent - sent) / passed, now_sent
                second.status, second.detail = self._status, self._detail
                if save is not None and last is not None:
                    self._save(save, last, second)
                yield second
                began, second, last = time.monotonic(), self._begin(), None

    def _begin(self) -> Second:
        return Second(self._name, self._status, self._detail)

    def _see(self, frame: Frame, second: Second) -> None:
        found: dict[Recogniser, Sequence[Any]] = {
            kind: look_near(self._camera.roi if kind == "plate" else (), look, frame)
            for kind, look in self._looks.items()
        }
        height, width = frame.pixels.shape[:2]
        second.size = (width, height)
        second.plates, second.faces = found.get("plate", ()), found.get("face", ())
        largest = max(second.plates, key=lambda one: one.box.width, default=None)
        second.sharp = sharpness(frame.pixels, largest.box if largest else None)
        second.would_publish += [_published(one) for one in self._view.see(frame, found)]

    def _hear(self, report: DeviceReport) -> None:
        self._status, self._detail = report.status, report.detail

    def _save(self, path: Path, frame: Frame, second: Second) -> None:
        """Replace the picture as a whole: somebody may be looking at it. Raises `StoreError`."""
        picture = sketch(
            frame.pixels,
            second.plates,
            second.faces,
            roi=self._camera.roi,
            lines=[self._name, second.words(self._settings.site.language)],
        )
        good, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])
        assert good
        fresh = path.with_name(f".{path.name}.new")
        try:
            fresh.write_bytes(data.tobytes())
            os.replace(fresh, path)
        except OSError as error:
            raise StoreError(
                Text("{path} 无法写入：{why}", "{path} cannot be written: {why}").with_(path=path, why=error.strerror),
                hint=Text("用 --save 指定另一个文件", "name another file with --save"),
            ) from error


_NO_PICTURE = Text("没有画面：{detail}", "no picture: {detail}")
_NONE_YET = Text("尚未收到", "none has come yet")
_PICTURE = Text(
    "{fps:.1f} 帧/秒  {width}×{height}  清晰度 {sharp:.0f}", "{fps:.1f} fps  {width}×{height}  sharpness {sharp:.0f}"
)
_FACES = Text("人脸 {n}（已登记 {known}）", "{n} faces ({known} enrolled)")
_WOULD = Text("→ 将上报 {what}", "→ would publish {what}")
_PLATE = Text(
    "车牌 {number} {confidence:.2f}，高 {high:.0f} 像素{advice}",
    "plate {number} {confidence:.2f}, {high:.0f} px high{advice}",
)
_TOO_SMALL = Text("（太小：靠近些或拉近镜头）", " (too small: come closer or zoom in)")


def _plate_words(one: PlateSighting, width: int) -> Text:
    small = one.box.height < _SMALL_PX or one.box.width < _SMALL_SHARE * width
    return _PLATE.with_(
        number=one.plate.number,
        confidence=one.plate.confidence,
        high=one.box.height,
        advice=_TOO_SMALL if small else "",
    )


def _published(seen: Seen) -> str:
    """What the doors would be told; whether it opens anything is theirs to decide."""
    match seen:
        case PlateSeen(plate=plate, reads=reads):
            return f"vehicle {plate.number} {plate.confidence:.2f} ×{reads}" if plate else "vehicle.no_plate"
        case FaceSeen(similarity=similarity, reads=reads):
            return f"access.recognised {similarity:.2f} ×{reads}"
        case PictureDone(fault=fault):
            return fault or "–"
