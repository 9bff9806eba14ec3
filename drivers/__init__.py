"""The drivers: one module per device kind, each with `Options` and `connect`. How to add one: docs/drivers.md."""
