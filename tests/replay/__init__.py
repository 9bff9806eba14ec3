"""Minutes before a gate, composed from real photographs, with the truth of every passage: see `__main__`."""
