"""Lines of text from a wire, for every reader that sends one card per line.

The rule: a line longer than 256 bytes is one bad frame, its rest is skipped, and the next line is read again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from drivers.framed_reader import Results, attempt
from gateway.credentials import Credential
from gateway.errors import BadFrame

End = Literal["cr", "lf", "crlf", "etx", "any"]
CAP = 256  # bytes
_ENDS = {"cr": rb"\r", "lf": rb"\n", "crlf": rb"\r\n", "etx": rb"\x03", "any": rb"[\r\n\x03]"}
_STX = b"\x02"
_AROUND = b" \t\r\n\x00\x03"  # what may stand around the text of a line and is not part of it


class LineFramer:
    """Cuts a stream into lines (`gateway.contracts.Framer`). Holds at most one line."""

    def __init__(self, end: End, parse: Callable[[str], Credential]) -> None:
        self._end = re.compile(_ENDS[end])
        self._parse = parse
        self._line = bytearray()
        self._skipping = False  # inside the rest of a line that was too long

    def feed(self, data: bytes) -> Results:
        results: Results = []
        for start in range(0, len(data), CAP):
            results += self._feed_piece(data[start : start + CAP])
        return results

    def silence(self) -> Results:
        left = self._line.strip(_AROUND)
        self._line.clear()
        skipped, self._skipping = self._skipping, False
        return [BadFrame(f"{len(left)} bytes without an end", reason="timeout")] if left and not skipped else []

    def _feed_piece(self, data: bytes) -> Results:
        self._line += data
        results: Results = []
        while end := self._end.search(self._line):
            line = bytes(self._line[: end.start()])
            del self._line[: end.end()]
            results += [] if self._skipping else self._judge(line)
            self._skipping = False
        if len(self._line) > CAP + 1:  # one more, for the first half of CR LF
            results += [] if self._skipping else [_too_long()]
            self._skipping = True
        if self._skipping:
            del self._line[:-1]  # the last byte may be half of CR LF
        return results

    def _judge(self, line: bytes) -> Results:
        """A line is what follows its last STX, if readers of that kind send one."""
        if len(line) > CAP:
            return [_too_long()]
        before, _, text = line.rpartition(_STX)
        results: Results = [BadFrame("STX within a line", reason="resync")] if before.strip(_AROUND + _STX) else []
        if text := text.strip(_AROUND):
            results.append(attempt(self._parse_bytes, text))
        return results

    def _parse_bytes(self, line: bytes) -> Credential:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise BadFrame("not UTF-8", reason="charset") from error
        return self._parse(text)


def _too_long() -> BadFrame:
    return BadFrame(f"a line of more than {CAP} bytes", reason="length")
