"""Training code of the plate models. Each module says in its first lines how to run it and what to expect."""
