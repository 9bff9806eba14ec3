"""The uplink: journal → broker.

uplink.py        one uplink's life: connect, talk, wait, connect again
conversation.py  one connection: what is said when, and which answer belongs to what
under_way.py     what has no answer yet
notices.py       what is said beside events: status, catalog, devices, health
lanes.py         which event goes next, and how far this uplink has come
reach.py         which events are meant for this uplink at all
allowance.py     how fast the backlog may go
orders.py        what the platform asks for, and the answers that wait to be sent
surroundings.py  what all conversations of an uplink have in common
"""

from gateway.uplink.orders import Order, Outbox, Reply, Resend
from gateway.uplink.uplink import Uplink

__all__ = ["Order", "Outbox", "Reply", "Resend", "Uplink"]
