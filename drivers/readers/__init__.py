"""Card readers. `rdm6300.py` is the model for a new one."""
