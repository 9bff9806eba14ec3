"""A dry run: an actuator that only says in the log what a relay would do.

The rule: it says each change once.
"""

from __future__ import annotations

import logging

from pydantic import BaseModel, ConfigDict

_log = logging.getLogger(__name__)


class Options(BaseModel):
    """None."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LogActuator:
    """A `gateway.contracts.Actuator`."""

    def __init__(self) -> None:
        self._on = False

    def switch(self, on: bool) -> None:
        if on != self._on:
            _log.info("dry run: the relay would be switched %s", "on" if on else "off")
        self._on = on

    def close(self) -> None:
        return None


def connect(_options: Options) -> LogActuator:
    return LogActuator()
