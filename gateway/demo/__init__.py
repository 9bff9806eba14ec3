"""The main job on one machine: `compound-gateway demo`.

A platform (an MQTT broker and a subscriber, two processes), a road to it that can be cut, a door with card readers
on pseudo-terminals, a gate and a lobby with cameras that replay pictures, and the real daemon between them.
"""
