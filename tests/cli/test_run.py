"""`compound-gateway run` in its first second."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.house import HEAD
from tests.real import wait_until


def test_a_reload_asked_for_while_the_file_is_read_comes_after_the_start(tmp_path: Path) -> None:
    config, log = tmp_path / "gateway.toml", tmp_path / "daemon.log"
    os.mkfifo(config)  # so that the daemon is reading while the test acts
    line = [sys.executable, "-m", "gateway", "run", "--config", str(config)]
    with log.open("wb") as out, subprocess.Popen(line, stdout=out, stderr=out) as daemon:
        with config.open("w", encoding="utf-8") as read_first:
            daemon.send_signal(signal.SIGHUP)
            (tmp_path / "next").write_text(HEAD + "colour = 1\n", encoding="utf-8")
            (tmp_path / "next").rename(config)
            read_first.write(HEAD)
        wait_until(lambda: b"old settings stay" in log.read_bytes(), what=f"a reload, see {log}")
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=60) == 0
