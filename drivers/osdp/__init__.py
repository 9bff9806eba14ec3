"""OSDP (IEC 60839-11-5): what the readers and the outputs of one RS-485 line share."""
