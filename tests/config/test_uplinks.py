"""Platforms in the configuration: addresses, logins, what they may order."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.config import load
from tests.config.writing import SMALL, faults, written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ca_file = "none.pem"', "there is no file"),
        ('cert_file = "gateway.toml"', "needs key_file as well"),
        ('password_file = "gateway.toml"', "needs username as well"),
        ('port = "8883"', "has the wrong type, it must be a whole number"),
        ("port = 70000", "must be ≤ 65535"),
        ('protocol = "4"', "'4' is not allowed; allowed: 3.1.1, 5"),
        ('classes = ["acces"]', "Did you mean 'access'?"),
        ('fields = { plate = "clear" }', "Did you mean 'plate_no'?"),
        ('hosts = ["a:b"]', 'uplinks.city.hosts.0: \'a:b\' is not valid: write "host", "host:port"'),
        ('hosts = ["a:0"]', "the port is 1 to 65535"),
        ('proxy = "10.0.0.1:1080"', 'write "socks5://host:port"'),
        ('proxy = "ftp://10.0.0.1:1080"', 'write "socks5://host:port"'),
        (
            'proxy = "http://10.0.0.1:8080"\nproxy_password_file = "gateway.toml"',
            "needs the user as well: http://user@",
        ),
        ('proxy_password_file = "gateway.toml"', "needs proxy as well"),
        ('bind_address = "eth1"', "write an IP address of this box"),
        ('start = "newest"', "'newest' is not allowed; allowed: now, oldest"),
        ('session_expiry = "400d"', "must be ≤ 2592000"),
        ("ca_file = 2026-11-22", "'2026-11-22' is a date or a time; words need quotes"),
        ("hosts = [08:00:00]", "uplinks.city.hosts.0: '08:00:00' is a date or a time"),
        ('topic_prefix = "$share/a"', "begins with no / or $"),
    ],
)
def test_uplinks_are_checked(tmp_path: Path, text: str, expected: str) -> None:
    said = faults(tmp_path, SMALL + f'\n[uplinks.city]\nhost = "h"\n{text}\n')
    assert any(expected in line for line in said), said


@pytest.mark.parametrize("host", ["mqtt://10.0.0.1", "10.0.0.1:1883", "[::1]", "", "a b"])
def test_a_host_is_a_name_or_an_address_alone(tmp_path: Path, host: str) -> None:
    said = faults(tmp_path, SMALL + f'\n[uplinks.city]\nhost = "{host}"\n')
    assert any("the port in `port`" in line for line in said), said


def test_a_password_in_the_address_of_a_proxy_is_refused_and_not_repeated(tmp_path: Path) -> None:
    said = faults(tmp_path, SMALL + '\n[uplinks.city]\nhost = "h"\nproxy = "socks5://box:s3cret@10.0.0.1:1080"\n')
    assert any("put it into a file and name that in proxy_password_file" in line for line in said), said
    assert not any("s3cret" in line for line in said)


def test_a_login_in_the_address_of_a_camera_is_not_repeated(tmp_path: Path) -> None:
    camera = '[cameras.gate]\ndriver = "rtsp"\nurl = "rtsp://admin:pa#ss@10.0.0.9/1"\npoint = "east-door"\n'
    (fault,) = faults(tmp_path, SMALL + camera)
    assert "cameras.gate.url: 'rtsp://***@10.0.0.9/1'" in fault


def test_one_port_of_tls_means_tls_to_every_broker(tmp_path: Path) -> None:
    settings = load(written(tmp_path, SMALL + '\n[uplinks.city]\nhost = "a"\nhosts = ["b:8883", "::1", "[::1]:99"]\n'))
    city = settings.uplinks["city"]
    assert city.tls
    assert [str(address) for address in city.addresses] == ["a:1883", "b:8883", "[::1]:1883", "[::1]:99"]


def test_unknown_commands_are_refused_with_what_was_meant(tmp_path: Path) -> None:
    said = faults(tmp_path, SMALL + '\n[commands]\nallow = ["ping", "door.opne"]\n')
    assert any("'door.opne' is not allowed" in line and "Did you mean 'door.open'?" in line for line in said), said
    assert said[0].startswith("21: commands.allow.1")


def test_a_prefix_of_topics_may_be_one_letter(tmp_path: Path) -> None:
    text = SMALL + '\n[uplinks.city]\nhost = "h"\ntopic_prefix = "t"\n'
    assert load(written(tmp_path, text)).uplinks["city"].topic_prefix == "t"
