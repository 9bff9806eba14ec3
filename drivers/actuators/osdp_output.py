"""An output of an OSDP reader, mostly the relay of its door: command 68, OUT.

    output  control                                 time, in 0.1 s
    00      05  on for a time, then off by itself   FF 00
    00      01  off, whatever time was set          00 00

The rule: an order counts only when the reader has confirmed it; an "on" that nobody waits for any more is never sent
again. Where the reader can, "on" ends by itself after 25.5 s, so that a gateway that dies leaves no door open.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from drivers.osdp.share import Share
from drivers.readers import osdp
from gateway.errors import DeviceLost
from gateway.text import Text

THROUGH = "osdp"  # the readers whose options `connect` is given as well
LONGEST_ON_S = 25.0  # what `on` lasts where nobody ends it, less a moment
_OUTPUT = 1  # libosdp's number of the command
_OFF, _ON, _ON_FOR_A_TIME = 1, 2, 5
_LONGEST = 255  # tenths of a second; libosdp's binding takes no more


class Options(BaseModel):
    """`reader` is the name of the reader that has the output, `output` counts from 0, as on the wire."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reader: str
    output: Annotated[int, Field(ge=0, le=63)] = 0


class OsdpOutput:
    """A `gateway.contracts.Actuator`."""

    def __init__(self, share: Share, options: Options) -> None:
        self._share = share
        self._output = options.output

    def switch(self, on: bool) -> None:
        timed = self._share.peripheral.times_outputs
        control = _OFF if not on else _ON_FOR_A_TIME if timed else _ON
        timer = _LONGEST if control == _ON_FOR_A_TIME else 0
        self._share.order(
            {"command": _OUTPUT, "output_no": self._output, "control_code": control, "timer_count": timer},
            may_be_late=not on,  # giving it up would cost every reader on the line its session
        )

    def describe(self) -> Text:
        return self._share.describe()

    def close(self) -> None:
        self._share.close()


def connect(options: Options, reader: osdp.Options) -> OsdpOutput:
    """Join the reader's line and wait for a session. Raises `DeviceLost`."""
    share = osdp.joined(reader)
    if options.output >= share.peripheral.outputs:
        share.close()
        raise DeviceLost(
            Text("读卡器 {reader} 没有输出 {output}", "reader {reader} has no output {output}").with_(
                reader=options.reader, output=options.output
            ),
            hint=Text("它有 {count} 个输出，从 0 起编号", "it has {count}, counted from 0").with_(
                count=share.peripheral.outputs
            ),
        )
    return OsdpOutput(share, options)
