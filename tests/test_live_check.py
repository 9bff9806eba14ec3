"""`check --live`, model by model: what is told of processors that cannot be had."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.board import Board
from gateway.cli import cli
from gateway.status_socket import StatusSocket
from gateway.vision.providers import prefer
from tests.real import wait_until

CONFIG = """
[site]
compound_id = "east"
name = "East"
language = "en"
[gateway]
id = "box-1"
data_dir = "{folder}/data"
[points.gate]
name = "gate"
kind = "vehicle"
direction = "in"
[cameras.gate-cam]
driver = "folder"
path = "{folder}/pictures"
point = "gate"
recognise = ["plate"]
sign_posted = true
[vision]
providers = {providers}
"""


def live(folder: Path, providers: list[str], kind: str = "model", more: str = "") -> dict[str, str]:
    (folder / "pictures").mkdir(exist_ok=True)
    (folder / "gateway.toml").write_text(
        CONFIG.format(folder=folder, providers=json.dumps(providers)) + more, encoding="utf-8"
    )
    result = CliRunner().invoke(cli, ["check", "--live", "--json", "--config", str(folder / "gateway.toml")])
    prefer([])
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return next(row for row in rows if row.get("kind") == kind)


def test_a_processor_that_cannot_be_had_is_told_and_the_models_load(tmp_path: Path) -> None:
    told = live(tmp_path, ["migraphx"])
    assert told["ok"]
    assert "the models load" in told["words"]
    assert "has no migraphx" in told["words"]
    assert "migraphx" not in live(tmp_path, [])["words"]


def test_an_upload_that_is_no_picture_is_told_and_nothing_is_left_behind(tmp_path: Path) -> None:
    """It ended with a traceback; and the notes that root left in the folder kept the service's camera off line."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(16) + b"IEND\xaeB`\x82")
    told = live(tmp_path, [], "camera")
    assert told["ok"]
    assert "x.png: the picture has no size" in told["words"]
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["x.png"]


def test_a_processor_nobody_knows_is_refused_with_those_there_are(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(CONFIG.format(folder=tmp_path, providers='["npu"]'), encoding="utf-8")
    result = CliRunner().invoke(cli, ["check", "--config", str(tmp_path / "gateway.toml")])
    assert result.exception is not None
    with pytest.raises(Exception, match="openvino") as caught:
        raise result.exception
    assert "providers" in str(caught.value)


def test_a_device_that_the_running_daemon_does_not_have_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "pictures").mkdir()
    (tmp_path / "gateway.toml").write_text(CONFIG.format(folder=tmp_path, providers="[]"), encoding="utf-8")
    stop = threading.Event()
    server = StatusSocket(tmp_path / "data", lambda: {"devices": []}, Board())
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    wait_until((tmp_path / "data" / "status.sock").exists, what="the daemon's socket")
    result = CliRunner().invoke(cli, ["check", "--live", "--config", str(tmp_path / "gateway.toml")])
    stop.set()
    thread.join()
    assert result.exit_code == 1
    assert "gate-cam         the daemon does not have it yet → " in result.stdout


def test_a_program_that_tries_everything_gets_the_notes_too(tmp_path: Path) -> None:
    told = live(tmp_path, ["migraphx"], "note", 'max_rss = "20MiB"\n')
    assert told["ok"]
    assert "max_rss: 20 MiB are too few" in told["words"]
