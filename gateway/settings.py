"""The shape of the configuration: one pydantic model per table of the TOML file (see config/gateway.toml).

Only shapes and ranges live here. `gateway.config` reads the file, places each fault at its line and checks what spans
tables. Sizes are bytes and durations seconds once parsed; in the file they are written `"2GiB"` and `"180d"`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gateway.addresses import Address, Proxy, as_broker, as_host, as_ip, as_proxy, read_address, read_proxy
from gateway.plate_rules import PROVINCES
from gateway.text import Language, Text
from gateway.types import CommandName, Direction, EventClass, PointKind

_SIZE = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_SPAN = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _bytes(value: object) -> object:
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+)\s*(B|KiB|MiB|GiB)", value.strip())
        if not found:
            raise ValueError(Text('请写大小，例如 "256MiB"', 'write a size such as "256MiB" or "2GiB"'))
        return int(found[1]) * _SIZE[found[2]]
    return value


def _seconds(value: object) -> object:
    if isinstance(value, str):
        found = re.fullmatch(r"(\d+)\s*(s|m|h|d)", value.strip())
        if not found:
            raise ValueError(Text('请写时长，例如 "180d"', 'write a duration such as "30s", "12h" or "180d"'))
        return int(found[1]) * _SPAN[found[2]]
    return value


def _zone(value: object) -> object:
    try:
        ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(Text("应如 Asia/Shanghai", "write an IANA time zone such as Asia/Shanghai")) from error
    return value


def _pair(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value  # TOML knows lists only


def _polygon(corners: list[tuple[float, float]]) -> list[tuple[float, float]]:
    area = sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True)) / 2
    if corners and abs(area) < 0.001:  # in another order they form a bow, whose halves cancel out
        raise ValueError(Text("至少三个角，按绕行顺序写", "an area has at least three corners, named going round it"))
    return corners


Share = Annotated[float, Field(ge=0, le=1)]
Corner = Annotated[tuple[Share, Share], BeforeValidator(_pair)]
Bytes = Annotated[int, BeforeValidator(_bytes), Field(ge=0)]
Seconds = Annotated[int, BeforeValidator(_seconds), Field(ge=0)]
Zone = Annotated[str, BeforeValidator(_zone)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$")]
Treatment = Literal["clear", "mask", "hash", "drop"]
Provider = Literal["openvino", "cuda", "tensorrt", "migraphx", "xnnpack", "cann"]  # where models may run but the CPU


class Table(BaseModel):
    """A table of the file: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Site(Table):
    compound_id: Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,32}$")]
    name: str
    timezone: Zone = "Asia/Shanghai"
    language: Language = Language.ZH


class Gateway(Table):
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
    data_dir: Path


class Position(Table):
    lon: Annotated[float, Field(ge=-180, le=180)]
    lat: Annotated[float, Field(ge=-90, le=90)]
    coord_sys: Literal["CGCS2000", "WGS84", "GCJ02"] = "CGCS2000"


class Point(Table):
    name: str
    kind: PointKind
    direction: Direction
    actuator: str | None = None
    position: Position | None = None
    open_s: Annotated[float, Field(gt=0, le=30)] = 3.0  # how long a grant holds the relay
    rearm_s: Annotated[float, Field(ge=2, le=3600)] = 30.0  # a plate out of view for so long comes anew
    check_unknown: bool = False  # staff are asked to look at those whom this entrance does not know
    check_within: Annotated[int, Field(ge=10, le=3600), BeforeValidator(_seconds)] = 120  # seconds that they have


class DeviceTable(BaseModel):
    """A device: the keys named here, and in `options` every other key, which belongs to the driver's `Options`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    driver: str
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather_options(cls, table: Any) -> Any:
        if not isinstance(table, dict) or "options" in table:
            return table
        own = {key: value for key, value in table.items() if key in cls.model_fields}
        return {**own, "options": {key: value for key, value in table.items() if key not in own}}


class Reader(DeviceTable):
    point: str
    hold_s: Annotated[float, Field(ge=0, le=60)] = 1.0


class Camera(DeviceTable):
    point: str
    recognise: list[Literal["plate", "face"]] = []
    fps: Annotated[float, Field(gt=0, le=30)] = 5.0
    roi: Annotated[list[Corner], AfterValidator(_polygon)] = []
    approach: Literal[Direction.IN, Direction.OUT] | None = None  # which way cars go that come nearer
    sign_posted: bool = False


class Actuator(DeviceTable):
    pass


class Face(Table):
    enabled: bool = False
    purpose: str = ""
    necessity: str = ""
    pia_ref: str = ""
    filing_no: str = ""
    model: str = "dlib-resnet"
    detector: str = "mtcnn"
    liveness: str = ""  # a model for face.liveness; empty: none
    min_face: Annotated[int, Field(ge=20, le=1000)] = 60  # pixels, side of the face box
    open_alone: list[Name] = []  # points where a living face of high assurance opens without a card


class PlateReading(Table):
    mode: Literal["normal", "fast"] = "normal"  # fast: a smaller picture, closer looks only in doubt
    int8: bool = True  # 8-bit nets where this box runs them quicker
    detector: str = "plate-detector"
    refiner: str = "plate-refiner"  # empty: none, where the detector's own corners are good enough
    reader: str = "plate-reader"
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.85
    nev_class: Annotated[str, Field(pattern=r"^[0-9]{2}$")] | None = None  # overrides 51/52 where a city asks
    province: Annotated[str, Field(pattern=f"^[{PROVINCES}]$")] | None = None  # where most cars of the site are from
    permission: bool = True  # False: a vehicle point lets every read plate pass


class Uplink(Table):
    host: Annotated[str, AfterValidator(as_host)]
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    hosts: list[Annotated[str, AfterValidator(as_broker)]] = []  # more brokers of this platform: "host" or "host:port"
    proxy: Annotated[str, AfterValidator(as_proxy)] | None = None
    proxy_password_file: Path | None = None
    bind_address: Annotated[str, AfterValidator(as_ip)] | None = None  # of this box: the way out, where it has several
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    credential: str | None = None
    topic_prefix: Annotated[str, Field(pattern=r"^[^#+$\s/]([^#+\s]*[^#+\s/])?$")] = "compound/v1"
    protocol: Literal["5", "3.1.1"] = "5"
    classes: list[EventClass] = list(EventClass)
    start: Literal["oldest", "now"] = "oldest"  # where a new uplink begins in the journal
    fields: dict[Literal["plate_no", "holder", "room"], Treatment] = {}
    ack_required: bool = False
    keepalive_s: Annotated[int, Field(ge=2, le=20)] = 15
    session_expiry: Annotated[Seconds, Field(le=30 * 86400)] = 0  # how long the broker keeps orders for us
    window: Annotated[int, Field(ge=1, le=1000)] = 20  # messages in flight
    backlog_rate: Annotated[float, Field(gt=0)] = 200.0  # replayed events a second, at most

    @property
    def tls(self) -> bool:
        """TLS is on, to every broker of the uplink, whenever a port or a certificate says so."""
        certificates = self.ca_file is not None or self.cert_file is not None
        return certificates or any(address.port == 8883 for address in self.addresses)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The brokers, in the order in which they are tried."""
        return (Address(self.host, self.port), *(read_address(text, self.port) for text in self.hosts))

    @property
    def through(self) -> Proxy | None:
        return read_proxy(self.proxy) if self.proxy else None


class Retain(Table):
    access: Seconds = 180 * 86400
    vehicle: Seconds = 365 * 86400
    verify: Seconds = 180 * 86400
    check: Seconds = 180 * 86400
    alarm: Seconds = 365 * 86400
    device: Seconds = 180 * 86400
    loss: Seconds = 365 * 86400
    audit: Seconds = 365 * 86400


class Budget(Table):
    """Bytes of one class; none: only `max_bytes` counts. Alarms, losses and audit have none: they are never shed."""

    access: Bytes | None = None
    vehicle: Bytes | None = None
    verify: Bytes | None = None
    check: Bytes | None = None
    device: Bytes | None = None


class Journal(Table):
    retain: Retain = Retain()
    budget: Budget = Budget()
    max_bytes: Bytes = 2 << 30
    min_free: Bytes = 256 << 20
    ballast: Bytes = 16 << 20  # given up when the disk is full: for the shedding, and the alarm that tells of it


class Captures(Table):
    """Pictures kept as evidence; none unless somebody asked for them."""

    plate: bool = False  # the crop of the plate that was read
    scene: bool = False  # the picture around it, in coarse blocks
    retain: Seconds = 30 * 86400
    max_bytes: Bytes = 1 << 30
    uplinks: list[str] = []  # which platforms may fetch them, by `capture.get`


class Commands(Table):
    allow: list[CommandName] = []  # what a platform may order; nothing unless named here


class Vision(Table):
    max_rss: Bytes = 700 << 20  # a vision child above this is replaced
    max_decoder_rss: Bytes = 640 << 20  # a camera's decoder above this is replaced, alone
    stall_s: Annotated[float, Field(ge=2, le=120)] = 10.0  # without a beat for so long it is replaced
    providers: list[Provider] = []  # tried in this order before the CPU


class Settings(Table):
    """The whole file."""

    site: Site
    gateway: Gateway
    points: dict[Name, Point] = {}
    readers: dict[Name, Reader] = {}
    cameras: dict[Name, Camera] = {}
    actuators: dict[Name, Actuator] = {}
    face: Face = Face()
    plate: PlateReading = PlateReading()
    uplinks: dict[Name, Uplink] = {}
    journal: Journal = Journal()
    captures: Captures = Captures()
    commands: Commands = Commands()
    vision: Vision = Vision()
