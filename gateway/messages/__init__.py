"""What goes over the wire to a platform and back: the shape of every message, in one place.

common.py     the values that many messages have
envelope.py   the CloudEvents envelope around every event
events.py     what `data` says, event by event; audits.py those of class audit, checks.py those of class check
standing.py   what is always there to read: status, devices, health, catalog
answers.py    watermark, replies, outcomes of rosters

Rule: these are plain dictionaries at run time and cost nothing; mypy holds the code to them where it builds a message,
the tests hold every message of a running gateway to them, and `compound-gateway schemas` writes them down for
platforms. Within a version keys and event types are only added; whoever takes one away or changes its meaning raises
the version of its schema (`gateway.cloudevent.SCHEMA_VERSION`, `MESSAGE_VERSION`).
"""

from gateway.messages.answers import Reply, RosterAck, Watermark
from gateway.messages.envelope import Envelope
from gateway.messages.events import DATA
from gateway.messages.standing import Catalog, DataEntry, DeviceState, Health, Sample, Status

MESSAGE_VERSION = 1  # of every message that is no event
URN = "urn:compound-gateway"

__all__ = [
    "DATA",
    "MESSAGE_VERSION",
    "URN",
    "Catalog",
    "DataEntry",
    "DeviceState",
    "Envelope",
    "Health",
    "Reply",
    "RosterAck",
    "Sample",
    "Status",
    "Watermark",
]
