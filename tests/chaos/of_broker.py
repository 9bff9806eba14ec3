"""The broker of one uplink is killed, frozen, out of reach, slow, refuses, or somebody else takes our name."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.chaos.compound import CITY, Compound, DurableMosquitto
from tests.chaos.scenario import Outcome, Plan, Scenario, judge
from tests.real import Mosquitto, needed

_BEFORE_S = 3.0
_LOGIN = CITY + 'username = "box-1"\npassword_file = "city.password"\n'
_ALLOWED = "topic readwrite #\nuser box-1\ntopic readwrite #\n"
_DENIED = "topic readwrite #\nuser box-1\ntopic read #\n"


def killed(plan: Plan) -> Outcome:
    """kill -9 of the broker three times, 10 s each; it keeps what it acknowledged."""
    returns = []
    with Compound(plan.folder) as compound:
        for _ in range(3):
            time.sleep(plan.dice.uniform(1.0, _BEFORE_S))
            compound.city_broker.stop(signal.SIGKILL)
            time.sleep(plan.seconds(10))
            compound.city_broker.start()
            returns.append(compound.until_new_at(compound.city))
        return Outcome(judge(compound), returns, compound.door.waits)


def frozen(plan: Plan) -> Outcome:
    """SIGSTOP of the broker for 45 s: its sockets stay open, it answers nothing."""
    with Compound(plan.folder) as compound:
        time.sleep(_BEFORE_S)
        compound.city_broker.signal(signal.SIGSTOP)
        time.sleep(plan.seconds(45))
        compound.city_broker.signal(signal.SIGCONT)
        back = compound.until_new_at(compound.city)
        return Outcome(judge(compound), [back], compound.door.waits)


def black_hole(plan: Plan) -> Outcome:
    """25 s in which everything sent is swallowed; the connections from before never work again."""
    return _on_the_wire(plan, lambda compound: compound.wire.swallow(), 25)


def outage(plan: Plan) -> Outcome:
    """10 minutes without the city and 30,000 events meanwhile."""
    return _on_the_wire(plan, lambda compound: compound.wire.refuse(), 600)


def slow(plan: Plan) -> Outcome:
    """A minute with 400 ms each way and 16 kB/s, a third of what the events need."""
    return _on_the_wire(plan, lambda compound: compound.wire.slow_down(0.4, 16_000), 60)


def _on_the_wire(plan: Plan, harm: Callable[[Compound], None], seconds: float) -> Outcome:
    with Compound(plan.folder) as compound:
        time.sleep(_BEFORE_S)
        street_before = _count(compound)
        harm(compound)
        time.sleep(plan.seconds(seconds))
        street_during = _count(compound) - street_before
        compound.wire.open()
        compound.wire.speed_up()
        back = compound.until_new_at(compound.city)
        drained = compound.settle()
        tally = judge(compound, settled=True)
        notes = [
            f"{street_during} events reached the street meanwhile",
            f"all passed {drained:.0f} s after the last card",
        ]
        faults = [] if street_during > 10 * plan.seconds(seconds) else ["the other uplink suffered"]
        return Outcome(tally, [back], compound.door.waits, notes, faults=faults)


def _count(compound: Compound) -> int:
    compound.street.take()
    return len(compound.street.ids)


def wrong_password(plan: Plan) -> Outcome:
    """The broker forgets our password for 20 s."""
    with _guarded(plan) as compound:
        time.sleep(_BEFORE_S)
        _set_password(plan.folder, "another")
        _reload(compound.city_broker)
        time.sleep(plan.seconds(20))
        _set_password(plan.folder, "secret")
        _reload(compound.city_broker)
        back = compound.until_new_at(compound.city)
        return Outcome(judge(compound), [back], compound.door.waits, faults=_unless(compound, "uthori", "ot auth"))


def denied(plan: Plan) -> Outcome:
    """The broker's ACL forbids our topics for 10 s, then it is restarted with the right one."""
    with _guarded(plan) as compound:
        time.sleep(_BEFORE_S)
        _acl(plan.folder).write_text(_DENIED)
        _reload(compound.city_broker)
        time.sleep(plan.seconds(10))
        _acl(plan.folder).write_text(_ALLOWED)
        compound.city_broker.stop()
        compound.city_broker.start()
        back = compound.until_new_at(compound.city)
        return Outcome(judge(compound), [back], compound.door.waits, faults=_unless(compound, "dead letter"))


def twin(plan: Plan) -> Outcome:
    """Somebody else connects under our client id, again and again for 20 s."""
    with Compound(plan.folder) as compound:
        time.sleep(_BEFORE_S)
        until = time.monotonic() + plan.seconds(20)
        while time.monotonic() < until:
            other = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="fenglinwan-box-1-city", protocol=mqtt.MQTTv5)
            other.connect("127.0.0.1", compound.city_broker.port)
            other.loop_start()
            time.sleep(1.0)
            other.disconnect()
            other.loop_stop()
        back = compound.until_new_at(compound.city)
        return Outcome(judge(compound), [back], compound.door.waits, faults=_unless(compound, "disconnected"))


def _guarded(plan: Plan) -> Compound:
    """A city broker with passwords and an ACL; platforms without a name may read all."""
    _acl(plan.folder).write_text(_ALLOWED)
    _set_password(plan.folder, "secret")
    (plan.folder / "city.password").write_text("secret")
    lines = (f"password_file {_passwords(plan.folder)}", f"acl_file {_acl(plan.folder)}")
    broker = DurableMosquitto(plan.folder / "city-broker", *lines)
    return Compound(plan.folder, city=_LOGIN, city_broker=broker)


def _acl(folder: Path) -> Path:
    return folder / "city.acl"


def _passwords(folder: Path) -> Path:
    return folder / "city.passwords"


def _set_password(folder: Path, password: str) -> None:
    command = [needed("mosquitto_passwd", "mosquitto"), "-b", "-c", str(_passwords(folder)), "box-1", password]
    subprocess.run(command, check=True, capture_output=True)


def _reload(broker: Mosquitto) -> None:
    broker.signal(signal.SIGHUP)


def _unless(compound: Compound, *words: str) -> list[str]:
    """A fault where the daemon's log has none of these words: then the scenario did no harm."""
    log = compound.house.log()
    return [] if any(word in log for word in words) else [f"the daemon's log does not say {words[0]!r}"]


_PASSWORDS = ("mosquitto", "mosquitto_passwd")
SCENARIOS = {
    "broker-killed": Scenario(killed),
    "broker-frozen": Scenario(frozen),
    "black-hole": Scenario(black_hole),
    "outage": Scenario(outage),
    "slow-network": Scenario(slow),
    "wrong-password": Scenario(wrong_password, _PASSWORDS),
    "denied-topics": Scenario(denied, _PASSWORDS),
    "stolen-client-id": Scenario(twin),
}
