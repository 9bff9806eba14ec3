"""The daemon is killed, frozen."""

from __future__ import annotations

import signal
import time

from tests.chaos.compound import Compound
from tests.chaos.scenario import Outcome, Plan, Scenario, judge


def kill(plan: Plan) -> Outcome:
    """kill -9 at random points: while it starts, while it catches up, in the middle of the rush."""
    returns: list[float] = []
    with Compound(plan.folder, rate=100.0, backlog_rate=2000) as compound:
        for _ in range(plan.kills):
            compound.house.kill()
            compound.house.start()
            if plan.dice.random() < 0.75:
                returns.append(compound.until_new_at(compound.city))
                time.sleep(plan.dice.uniform(0.0, 1.0))
            else:
                time.sleep(plan.dice.uniform(0.0, 1.5))
        tally = judge(compound)
    return Outcome(tally, returns, may_drop=True, notes=[f"{plan.kills} kills"])


def freeze(plan: Plan) -> Outcome:
    """SIGSTOP for 25 s, then SIGCONT: the broker has long given the connection up."""
    with Compound(plan.folder) as compound:
        time.sleep(3.0)
        compound.house.signal(signal.SIGSTOP)
        time.sleep(plan.seconds(25))
        compound.house.signal(signal.SIGCONT)
        recovered = compound.until_new_at(compound.city)
        time.sleep(3.0)
        tally = judge(compound)
    return Outcome(tally, [recovered])


SCENARIOS = {"kill": Scenario(kill), "freeze": Scenario(freeze)}
