"""compound-gateway: cards, plates and faces at a compound's doors become events, decided and kept on the box.

Data walks one way: device → reading → decision → journal → uplink. docs/architecture.md draws the walk.
"""

__version__ = "0.1.0"
