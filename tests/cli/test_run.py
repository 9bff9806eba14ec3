"""`compound-gateway run` in its first second."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.house import HEAD
from tests.real import wait_until

GATEWAY = [sys.executable, "-m", "gateway"]


def blocks_sighup(process: subprocess.Popen[bytes]) -> bool:
    """Whether a SIGHUP would have to wait."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    (blocked,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(blocked, 16) & 1 << signal.SIGHUP - 1)


def facts(config: Path) -> dict[str, Any]:
    """What the daemon says of itself; {} while none answers."""
    asked = subprocess.run([*GATEWAY, "status", "--json", "--config", str(config)], capture_output=True, check=False)
    return dict(json.loads(asked.stdout)["facts"]) if asked.returncode == 0 else {}


def test_a_reload_asked_for_while_the_file_is_read_comes_after_the_start(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(HEAD + "#\n" * 300_000, encoding="utf-8")  # long enough to be met while it is read
    with subprocess.Popen([*GATEWAY, "run", "--config", str(config)], stderr=subprocess.DEVNULL) as daemon:
        wait_until(lambda: blocks_sighup(daemon), what="the start")
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: facts(config).get("reload") == {"waits_for_restart": []}, what="a reload")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=60) == 0
