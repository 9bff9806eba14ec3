"""The downlink: broker → commands and roster changes.

downlink.py    one thread: an order comes in, is judged, done, audited and answered
calls.py       what a command may say: hostile until parsed
rules.py       whether it may be done at all
deeds.py       what each command does           doors.py       opening from afar
errands.py     changes of the roster, in a process of their own
ledger.py      which requests were taken, and what was answered: nothing is done twice
wiring.py      puts it together
answers.py     what goes back                   disclosure.py  the settings without any secret
"""

from gateway.downlink.downlink import Downlink
from gateway.downlink.wiring import open_downlink

__all__ = ["Downlink", "open_downlink"]
