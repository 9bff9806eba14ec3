"""The chaos kit: the real daemon under faults, judged by what independent subscribers stored. `make chaos` runs it.

__main__.py   which scenarios, the table                platform.py  a subscriber in a process of its own
compound.py   the daemon and everything around it       witness.py   what the daemon said it had accepted
cards.py      readers on pseudo-terminals               tally.py     emitted, accepted, received: the comparison
wire.py       the network between daemon and broker     needs.py     programs and rights a scenario needs
of_*.py       the scenarios                             peer.py      another gateway under the same faults
"""
