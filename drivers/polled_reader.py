"""A reader that is asked whether it sees a card: the questions, and when it counts as gone.

Its rule: one question a period. An answer that is disturbed or missing is a bad frame; five of them in a row, and the
reader is lost. It counts as there only when it has answered a first time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

from pydantic import Field

from drivers.framed_reader import Results
from drivers.serial_port import SerialOptions
from gateway.errors import BadFrame, DeviceLost
from gateway.text import Text

MISSES = 5
_NAP_S = 0.25  # a look may take half a second, and the answer needs its share of that


class PolledOptions(SerialOptions):
    """What every polled reader takes. The period is from question to question."""

    poll_s: Annotated[float, Field(ge=0.05, le=0.5)] = 0.1


class PolledReader:
    """A `gateway.contracts.Reader`.

    `ask` puts one question and takes 0.45 s at most. It raises `BadFrame`, or returns None where it could not ask.
    """

    def __init__(self, ask: Callable[[], Results | None], close: Callable[[], None], poll_s: float, hint: Text) -> None:
        self._ask = ask
        self._close = close
        self._poll_s = poll_s
        self._hint = hint
        self._due = time.monotonic()
        self._missed = 0

    def read(self) -> Results:
        """A look: sleep until the next question is due, or ask it."""
        asleep = self._due - time.monotonic()
        if asleep > 0:
            time.sleep(min(asleep, _NAP_S))
            return []
        self._due = time.monotonic() + self._poll_s
        try:
            results = self._ask()
        except BadFrame as error:
            self._missed += 1
            if self._missed == MISSES:
                raise _lost(error, self._hint) from error
            return [error]
        if results is None:
            return []
        self._missed = 0
        return results

    def close(self) -> None:
        self._close()


@contextmanager
def proving(close: Callable[[], None], hint: Text) -> Iterator[None]:
    """The first questions: whatever fails in here closes the port, and a bad answer loses the reader."""
    with ExitStack() as undoing:
        undoing.callback(close)
        try:
            yield
        except BadFrame as error:
            raise _lost(error, hint) from error
        undoing.pop_all()


def _lost(error: BadFrame, hint: Text) -> DeviceLost:
    return DeviceLost(
        Text("读卡器没有正确应答：{error}", "no sound answer from the reader: {error}").with_(error=error.message),
        hint=hint,
    )
