"""A broker's answer to one message, in each form that MQTT has for it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from paho.mqtt.client import Client

from gateway.bell import Bell
from gateway.mqtt import Acknowledged, Connected, Link, Lost, Message
from gateway.mqtt.news import News
from gateway.settings import Uplink as Options
from tests.real import wait_until

CONNACK = {"5": bytes([0x20, 3, 0, 0, 0]), "3.1.1": bytes([0x20, 2, 0, 0])}


class Talk(NamedTuple):
    """A link, and the broker's end of its connection."""

    link: Link
    broker: socket.socket

    def next(self) -> News:
        news: list[News] = []
        wait_until(lambda: news.extend(self.link.take()) or news)
        assert len(news) == 1
        return news[0]


@pytest.fixture(params=["5", "3.1.1"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def talk(protocol: str) -> Iterator[Talk]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        options = Options(host="127.0.0.1", port=server.getsockname()[1], protocol=protocol)
        link = Link("box", options, None, Bell())
        link.open()
        broker, _ = server.accept()
        with broker:
            broker.recv(4096)
            broker.sendall(CONNACK[protocol])
            talk = Talk(link, broker)
            assert isinstance(talk.next(), Connected)
            yield talk
            link.abandon()


def puback(number: int, rest: bytes) -> bytes:
    return bytes([0x40, 2 + len(rest)]) + number.to_bytes(2) + rest


@pytest.mark.parametrize(
    ("rest", "code", "reason"),
    [
        (b"", 0x00, ""),
        (b"\x00", 0x00, ""),
        (b"\x00\x00", 0x00, ""),
        (b"\x10", 0x10, ""),
        (b"\x10\x00", 0x10, ""),
        (b"\x87", 0x87, "Not authorized"),
        (b"\x97\x00", 0x97, "Quota exceeded"),
        (b"\x87\x05\x1f\x00\x02no", 0x87, "Not authorized"),
    ],
)
@pytest.mark.parametrize("protocol", ["5"], indirect=True)
def test_each_form_of_an_answer_is_heard(talk: Talk, rest: bytes, code: int, reason: str) -> None:
    number = talk.link.publish("event", b"{}")
    talk.broker.sendall(puback(number, rest))
    assert talk.next() == Acknowledged(number, code, reason)


def test_only_what_was_sent_is_answered_and_only_once(talk: Talk) -> None:
    first, second = talk.link.publish("event", b"1"), talk.link.publish("event", b"2")
    talk.broker.sendall(puback(second, b"") + puback(second, b"") + puback(999, b"") + puback(first, b""))
    heard: list[News] = []
    wait_until(lambda: heard.extend(talk.link.take()) or len(heard) >= 2)
    talk.broker.close()
    wait_until(lambda: heard.extend(talk.link.take()) or isinstance(heard[-1], Lost))
    assert heard[:-1] == [Acknowledged(second, 0, ""), Acknowledged(first, 0, "")]


@pytest.mark.parametrize("rest", [b"\x05", b"\x87\x05\x1f\x00\x09no"])
def test_an_answer_that_cannot_be_read_ends_the_connection(talk: Talk, rest: bytes) -> None:
    number = talk.link.publish("event", b"{}")
    talk.broker.sendall(puback(number, rest))
    assert isinstance(talk.next(), Lost)


@pytest.mark.parametrize("protocol", ["5"], indirect=True)
def test_a_message_is_told_before_the_end_that_came_with_it(talk: Talk) -> None:
    """It has our PUBACK: nobody sends it again."""
    numbers = [talk.link.publish("event", b"{}") for _ in range(5)]  # paho reads so many at once
    order = bytes([0x32, 9, 0, 3]) + b"cmd" + bytes([0, 7, 0]) + b"!"
    talk.broker.sendall(order + puback(numbers[0], b"\x97") + bytes([0xE0, 2, 0x8B, 0]))
    heard: list[News] = []
    wait_until(lambda: heard.extend(talk.link.take()) or heard)
    assert [type(news) for news in heard] == [Message, Acknowledged, Lost]


@pytest.mark.parametrize("protocol", ["3.1.1"], indirect=True)
@pytest.mark.parametrize("rest", [b"\x00", b"\x10"])
def test_on_3_1_1_an_answer_has_no_reason(talk: Talk, rest: bytes) -> None:
    number = talk.link.publish("event", b"{}")
    talk.broker.sendall(puback(number, rest))
    assert isinstance(talk.next(), Lost)


def test_paho_still_asks_where_the_gateway_answers() -> None:
    """Were it renamed there, every answer would be slow again, and nothing else would tell."""
    assert "_handle_pubackcomp" in vars(Client)
