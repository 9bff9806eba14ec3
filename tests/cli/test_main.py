"""What holds for every command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
import pytest

from gateway.cli import cli, main
from tests.house import HEAD
from tests.real import PATIENCE_S

_CHILD = "import resource; print(*resource.getrlimit(resource.RLIMIT_CORE))"
_PROGRAM = f"""
import subprocess, sys
from gateway.cli import main
try:
    main()
except SystemExit:
    pass
subprocess.run([sys.executable, "-c", {_CHILD!r}])
"""


def _leaves(group: click.Group, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    with click.Context(group) as ctx:
        for name in group.list_commands(ctx):
            found = group.get_command(ctx, name)
            assert found is not None
            if isinstance(found, click.Group):
                yield from _leaves(found, *above, name)
            else:
                yield (*above, name), found


@pytest.mark.parametrize(("words", "command"), [pytest.param(*leaf, id=" ".join(leaf[0])) for leaf in _leaves(cli)])
def test_every_command_takes_a_configuration(words: tuple[str, ...], command: click.Command) -> None:
    option = next((one for one in command.params if "--config" in one.opts), None)
    assert option is not None, words
    assert option.default == Path("/etc/compound-gateway/gateway.toml")


def test_a_command_that_needs_no_configuration_speaks_the_language_of_the_one_that_is_named(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(HEAD.replace('"en"', '"zh"'), encoding="utf-8")
    line = [sys.executable, "-m", "gateway", "schemas", "/proc/none", "--config"]
    environment = {**os.environ, "LANG": "en_US.UTF-8"}
    run = partial(subprocess.run, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    done = run([*line, str(config)])
    assert done.returncode == 1
    assert "检查路径" in done.stderr
    assert run([*line, str(tmp_path / "none.toml")]).returncode == 78


def test_neither_a_command_nor_its_children_leave_a_core_dump() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert {int(limit) for limit in done.stdout.splitlines()[-1].split()} <= {0, 1}, done.stdout


@pytest.mark.parametrize("encoding", ["big5", "latin-1"])
def test_no_command_ends_at_a_character_that_the_terminal_lacks(encoding: str) -> None:
    said = {}
    for name in (encoding, "utf-8"):
        environment = {**os.environ, "PYTHONIOENCODING": name}
        command = [sys.executable, "-m", "gateway", "models", "list", "--help"]
        done = subprocess.run(command, env=environment, capture_output=True, check=True)
        said[name] = done.stdout.decode(name)
    assert said[encoding] == said["utf-8"].encode(encoding, "backslashreplace").decode(encoding)


@pytest.mark.usefixtures("humble")
@pytest.mark.parametrize("command", ["events", "audit", "status", "uplink dead", "models list"])
def test_who_has_no_right_to_the_data_is_told_to_be_root(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config, data = tmp_path / "gateway.toml", tmp_path / "data"
    site = '[site]\ncompound_id = "a"\nname = "a"\nlanguage = "en"\n'
    config.write_text(f'{site}[gateway]\nid = "box-1"\ndata_dir = "data"\n[uplinks.city]\nhost = "h"\n')
    data.mkdir(mode=0)
    monkeypatch.setattr(sys, "argv", ["compound-gateway", *command.split(), "--config", str(config)])
    with pytest.raises(SystemExit) as ended:
        main()
    data.chmod(0o700)
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert f"this user has no right to {data}" in said
    assert "sudo" in said


def test_a_configuration_that_the_service_may_not_read_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text("", encoding="utf-8")
    config.chmod(0)
    bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    command = [*bound, sys.executable, "-m", "gateway", "run", "--config", str(config)]
    done = subprocess.run(command, env={**os.environ, "LANG": "C.UTF-8"}, capture_output=True, text=True, check=False)
    assert done.returncode == 78, "2 would be tried again for ever by systemd"
    assert "640" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("stauts", "命令写得不对；用法：python -m gateway --help"),
        ("roster lost", "命令写得不对；用法：python -m gateway roster --help"),
        ("roster add", "缺少参数；用法：python -m gateway roster add --help"),
        ("status --jsn", "没有这个选项；用法：python -m gateway status --help"),
        ("audit --from x", "参数的值不对；用法：python -m gateway audit --help"),
        ("events --json --csv", "命令写得不对；用法：python -m gateway events --help"),
    ],
)
def test_a_slip_in_a_command_is_told_in_chinese_too(words: str, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *words.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == said


def test_a_group_alone_shows_its_help_and_no_fault() -> None:
    done = subprocess.run([sys.executable, "-m", "gateway", "roster"], capture_output=True, text=True, check=False)
    assert "用法：" not in done.stderr


def test_output_that_goes_nowhere_ends_a_command_with_a_word_not_a_traceback() -> None:
    command = [sys.executable, "-m", "gateway", "--help"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "df -h" in done.stderr
    assert "Traceback" not in done.stderr
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("words", "code"), [("roster export >&-", 0), ("events --csv >&-", 0), ("roster import - <&-", 1)]
)
def test_a_command_needs_no_open_streams(tmp_path: Path, words: str, code: int) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(
        '[site]\ncompound_id = "a"\nname = "a"\n[gateway]\nid = "b"\ndata_dir = "data"\n', encoding="utf-8"
    )
    line = f"{sys.executable} -m gateway {words} --config {config}"
    done = subprocess.run(["sh", "-c", line], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("check --config {pipe}", 78),
        ("roster import {pipe} --config {config}", 1),
        ("models import {sticks} --config {config}", 1),
        ("models prepare --set recommended --list {pipe} --config {config}", 1),
        ("models bench --plates {photos} --config {config}", 1),
    ],
)
def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(tmp_path: Path, words: str, code: int) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(HEAD, encoding="utf-8")
    pipe, sticks, photos = tmp_path / "pipe", tmp_path / "sticks", tmp_path / "photos"
    for place in (pipe, sticks / "net" / "model.toml", photos / "labels.csv"):
        place.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(place)
    line = words.format(pipe=pipe, config=config, sticks=sticks, photos=photos).split()
    environment = {**os.environ, "LANG": "C.UTF-8"}
    command = [sys.executable, "-m", "gateway", *line]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert str(tmp_path) in done.stderr


def test_a_pipe_in_the_place_of_a_photo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "photo.jpg")
    program = "import sys, pathlib, gateway.vision.images as images; images.read_image(pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", program, str(tmp_path / "photo.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert "photo.jpg: not a regular file" in done.stderr
