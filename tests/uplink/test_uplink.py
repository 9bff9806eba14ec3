"""What a platform receives from a gateway that runs well."""

from __future__ import annotations

import json
import time

import pytest

from gateway.bell import Bell
from gateway.mqtt import Connected, Link, Will
from gateway.settings import Uplink
from gateway.types import DeviceStatus, EventClass
from tests.facts import BOOT, event
from tests.real import Mosquitto, wait_until
from tests.standstill import awake
from tests.uplink.parts import ALL, PREFIX, House, subscriber


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_events_arrive_once_in_order_with_topic_and_type(house: House, broker: Mosquitto, protocol: str) -> None:
    house.journal.append([event(n) for n in range(5)], BOOT)
    with subscriber(broker.port) as platform, house.running(house.uplink(broker.port, protocol=protocol)):
        wait_until(house.is_online)
        house.journal.append([event(5, "vehicle.passed"), event(6, "device.online")], BOOT)
        wait_until(lambda: len(platform.events()) == 7)
        assert platform.sequences() == [1, 2, 3, 4, 5, 6, 7]
        assert [found["previous"] for found in platform.events()] == [0, 1, 2, 3, 4, 5, 6]
        assert [found["replay"] for found in platform.events()] == [True] * 5 + [False] * 2
        assert platform.events()[6]["type"] == "compound.device.online.v1"
        messages = [message for message in platform.messages if "/event/" in message.topic]
        assert [message.topic for message in messages[-2:]] == [f"{PREFIX}/event/vehicle", f"{PREFIX}/event/device"]
        kind = getattr(messages[0].properties, "ContentType", None)
        assert kind == ("application/cloudevents+json" if protocol == "5" else None)
        wait_until(lambda: house.journal.pending("city", ALL).count == 0)


def test_a_live_event_is_on_its_way_at_once(house: House, broker: Mosquitto) -> None:
    with subscriber(broker.port) as platform, house.running(house.uplink(broker.port)):
        wait_until(house.is_online)
        began = awake()
        house.journal.append([event(1)], BOOT)
        wait_until(platform.events)
        assert awake() - began < 1.0


def test_status_says_online_stopped_and_offline(house: House, broker: Mosquitto) -> None:
    with subscriber(broker.port) as platform:
        house.journal.append([event(1)], BOOT)
        with house.running(house.uplink(broker.port)):
            wait_until(lambda: platform.last("status"))
            status = platform.last("status")
            assert status | {"since": ""} == {
                "status": "online",
                "since": "",
                "boot_id": BOOT,
                "last_seq": 1,
                "version": "0.1.0",
            }
        wait_until(lambda: platform.last("status")["status"] == "stopped")
        time.sleep(0.2)  # a will would come now
        assert platform.last("status")["status"] == "stopped"
    with subscriber(broker.port) as latecomer:
        wait_until(lambda: latecomer.last("status").get("status") == "stopped", what="status is retained")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_the_last_will_is_marked_as_the_other_messages_are(broker: Mosquitto, protocol: str) -> None:
    options = Uplink(host="127.0.0.1", port=broker.port, protocol=protocol)  # type: ignore[arg-type]
    with subscriber(broker.port) as platform:
        link = Link("box-1", options, Will(f"{PREFIX}/status", b'{"status":"offline"}'), Bell())
        link.open()
        wait_until(lambda: any(isinstance(news, Connected) for news in link.take()))
        link.abandon()
        wait_until(lambda: platform.last("status"))
        properties = platform.messages[-1].properties
        assert getattr(properties, "ContentType", None) == ("application/json" if protocol == "5" else None)


def test_devices_and_catalog_are_retained_and_follow_changes(house: House, broker: Mosquitto) -> None:
    house.board.device("east-reader", "reader", "east-door", DeviceStatus.ONLINE)
    with house.running(house.uplink(broker.port, classes=["access", "alarm"], window=1)):
        wait_until(house.is_online)
        house.board.device("gate-cam", "camera", "gate", DeviceStatus.OFFLINE)
        with subscriber(broker.port) as platform:
            wait_until(lambda: platform.last("device/gate-cam"))
            device = platform.last("device/east-reader")
            assert device.pop("since").endswith("+08:00")
            assert device == {"status": "online", "kind": "reader", "point": "east-door"}
            catalog = platform.last("catalog")
            assert catalog["site"] == {"compound_id": "fenglinwan"}
            assert [entry["dataschema"] for entry in catalog["data"]] == [
                "urn:compound-gateway:access:1",
                "urn:compound-gateway:alarm:1",
            ]
            house.board.device("east-reader", "reader", "east-door", DeviceStatus.FAULT, "gone")
            wait_until(lambda: platform.last("device/east-reader")["status"] == "fault")


def test_health_is_sent_once_per_sample_and_not_retained(house: House, broker: Mosquitto) -> None:
    with subscriber(broker.port) as platform, house.running(house.uplink(broker.port)):
        house.board.note("health", {"round": 1})
        wait_until(lambda: platform.last("health") == {"round": 1})
        house.board.note("health", {"round": 2, "uplinks": {"city": {"backlog": 7}, "estate": {"backlog": 9}}})
        wait_until(lambda: platform.last("health") == {"round": 2, "backlog": 7})
        assert sum(message.topic.endswith("/health") for message in platform.messages) == 2
    with subscriber(broker.port) as latecomer:
        wait_until(lambda: latecomer.last("status"))
        assert not latecomer.last("health")


def test_uplinks_differ_in_classes_and_fields_and_do_not_wait_for_each_other(
    house: House, broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with Mosquitto(tmp_path_factory.mktemp("estate")) as other:
        data = {"plate_no": "鄂J12345", "holder": {"id": "r-1", "ref": "h:1", "room": "3-1"}}
        house.journal.append([event(1, data=data), event(2, "vehicle.passed", data=data), event(3)], BOOT)
        city = house.uplink(broker.port, fields={"plate_no": "hash", "room": "drop"}, classes=["vehicle"])
        estate = house.uplink(other.port, "estate", fields={"holder": "clear"})
        dead = house.uplink(1, "nobody")
        with subscriber(broker.port) as first, subscriber(other.port) as second:
            with house.running(city, estate, dead):
                wait_until(lambda: len(second.events()) == 3)
                wait_until(first.events)
                wait_until(lambda: house.journal.pending("city", [EventClass.VEHICLE]).count == 0)
            (vehicle,) = first.events()
            assert vehicle["previous"] == 0
            assert vehicle["data"]["plate_no"] == house.keys.plate_ref("鄂J12345")
            assert vehicle["data"]["holder"] == {"ref": "h:1"}
            assert second.events()[1]["data"]["holder"]["id"] == "r-1"
            assert second.events()[1]["previous"] == 1
        assert house.journal.pending("nobody", ALL).count == 3


def test_an_alarm_overtakes_a_backlog(house: House, broker: Mosquitto) -> None:
    house.journal.append([event(n) for n in range(600)], BOOT)
    with subscriber(broker.port) as platform, house.running(house.uplink(broker.port, backlog_rate=150.0)):
        wait_until(lambda: len(platform.events()) > 20)
        house.journal.append([event(1, "access.denied"), event(2, "alarm.tamper")], BOOT)
        wait_until(lambda: len(platform.events()) == 602)
        order = platform.sequences()
        assert max(order.index(601), order.index(602)) < order.index(600)
        backlog = [found["sequence"] for found in platform.events() if found["replay"]]
        assert backlog == list(range(1, 601))


def test_the_backlog_keeps_its_rate(house: House, broker: Mosquitto) -> None:
    house.journal.append([event(n) for n in range(300)], BOOT)
    with subscriber(broker.port) as platform, house.running(house.uplink(broker.port, backlog_rate=100.0)):
        wait_until(platform.events)
        began, already = time.monotonic(), len(platform.events())
        wait_until(lambda: len(platform.events()) == 300)
        assert (300 - already) / (time.monotonic() - began) < 200  # without a rate: thousands


def test_a_watermark_passes_what_a_puback_does_not(house: House, broker: Mosquitto) -> None:
    house.journal.append([event(n) for n in range(10)], BOOT)
    options = {"ack_required": True}
    with subscriber(broker.port) as platform:
        with house.running(house.uplink(broker.port, **options)):
            wait_until(lambda: len(platform.events()) == 10)
            for body in (b"7", b"{}", b'{"seq":true}', b'{"seq":99}', b'{"seq":"5"}', b"\xff", b"[" * 5000):
                platform.publish(f"{PREFIX}/ack", body)
            wait_until(lambda: house.count("odd_watermarks") == 7)
            platform.publish(f"{PREFIX}/ack", b'{"seq":9}', retain=True)
            wait_until(lambda: house.count("odd_watermarks") == 8)
            assert house.journal.pending("city", ALL).count == 10
            platform.publish(f"{PREFIX}/ack", json.dumps({"seq": 6}).encode())
            wait_until(lambda: house.journal.pending("city", ALL).count == 4)
        platform.messages.clear()
        with house.running(house.uplink(broker.port, **options)):
            wait_until(lambda: len(platform.events()) == 4)
            assert platform.sequences() == [7, 8, 9, 10]
            platform.publish(f"{PREFIX}/ack", b'{"seq":10}')
            wait_until(lambda: house.journal.pending("city", ALL).count == 0)
