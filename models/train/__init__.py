"""Training code of the plate models. Each module says in its first lines how to run it and what to expect."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as in gateway/vision/session.py
