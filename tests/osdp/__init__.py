"""An OSDP line for tests: peripherals in processes of their own, and the wires between them."""
