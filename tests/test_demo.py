"""The demo, as a stranger runs it."""

from __future__ import annotations

import subprocess
import sys


def test_the_demo_loses_nothing() -> None:
    line = [sys.executable, "-m", "gateway", "demo", "--language", "en", "--seconds", "1"]
    done = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for sight in (
        "vehicle passed 鄂J12345",
        "vehicle denied 沪B30527",
        "vehicle passed 粤BD12345",
        "face recognised, 3-1-0803",
        "card denied, not in the roster",
        "[replayed]",
        "0 missing at the platform, 0 gaps in the sequence",
        "nothing lost",
    ):
        assert sight in done.stdout, done.stdout
