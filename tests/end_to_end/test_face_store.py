"""From outside: face templates go when they must, whatever became of recognition or of their key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from gateway.faces import FILE_NAME, Consent, FaceStore, ModelId
from gateway.keys import Keys
from tests.house import KNOWN, House, SerialLine, Subscriber, door_house
from tests.real import Mosquitto, wait_until

FACE = """
[face]
enabled = true
purpose = "p"
necessity = "n"
pia_ref = "r"
"""


def enrol(house: House, holder: str) -> str:
    keys = Keys(house.folder / "data")
    store = FaceStore(house.folder / "data" / FILE_NAME, keys.face_key)
    consent = Consent("1", "paper", "X", datetime.now(UTC))
    store.enrol(keys.holder_ref(holder), [[0.1] * 128], consent, ModelId("tester", "0" * 64))
    return keys.holder_ref(holder)


def test_who_moves_out_leaves_the_faces_also_where_none_is_recognised_any_more(
    tmp_path: Path, line: SerialLine, broker: Mosquitto
) -> None:
    """Recognition was switched off: templates of people who had moved out stayed for ever."""
    house = door_house(tmp_path, line, broker)
    gone = enrol(house, "r-0502")
    with Subscriber(broker.port) as platform, house:
        house.wait_online("reader")
        house.command("roster", "add", "r-0503", "--name", "乙", "--point", "*")
        house.command("roster", "remove", "r-0502")
        wait_until(lambda: platform.events("audit.face_erased"))
        assert platform.events("audit.face_erased")[0]["data"]["holder"]["ref"] == gone
        assert house.command("face", "list", "--json").startswith("[]")


def test_a_damaged_key_of_the_faces_costs_no_event_and_keeps_nobody_enrolled(
    tmp_path: Path, line: SerialLine, broker: Mosquitto
) -> None:
    """The journal was not opened any more, so no event left the box; and nobody could be erased."""
    house = door_house(tmp_path, line, broker, FACE)
    gone = enrol(house, "r-0502")
    (tmp_path / "data" / "keys" / "face.key").write_bytes(b"short")
    with Subscriber(broker.port) as platform, house:
        house.wait_online("reader")
        line.present(KNOWN)
        wait_until(lambda: platform.events("access.granted"))
        house.command("face", "erase", "r-0502", "--reason", "withdrawn")
        wait_until(lambda: platform.events("audit.face_erased"))
        assert platform.events("audit.face_erased")[0]["data"]["holder"]["ref"] == gone
