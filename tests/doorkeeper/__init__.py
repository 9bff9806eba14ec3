"""The doorkeeper at work: real relays' workers, a real register, and the events that come out."""
