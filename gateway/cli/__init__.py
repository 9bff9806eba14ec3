"""The command line. One file per command; a command's file is imported only when it is called, so each starts fast.

Exit codes: 0 fine, 1 failed, 2 usage, 78 configuration.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

import click

from gateway import __version__
from gateway.cli.options import language
from gateway.errors import ConfigError, GatewayError
from gateway.text import Text

_COMMANDS = (
    "run",
    "check",
    "demo",
    "status",
    "events",
    "audit",
    "inspect",
    "uplink",
    "roster",
    "face",
    "models",
    "watch",
    "schemas",
)
EXIT_CONFIG = 78


class _LazyGroup(click.Group):
    """Finds `gateway.cli.NAME:command` when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        found = importlib.import_module(f"gateway.cli.{cmd_name}").command
        assert isinstance(found, click.Command)
        return found


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="compound-gateway")
def cli() -> None:
    """智慧平安小区边缘网关 · Edge gateway for residential compounds."""


def main() -> None:
    """Run one command; say an error in the site's language with its next move."""
    _forbid_core_dumps()
    _open_what_is_closed()
    _print_what_the_terminal_lacks()
    try:
        cli(standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        _say_in_chinese(error)
        sys.exit(error.exit_code)
    except GatewayError as error:
        _say(error.message, error.hint)
        sys.exit(EXIT_CONFIG if isinstance(error, ConfigError) else 1)
    except PermissionError as error:  # whichever file of the box it is, the same person did not ask as root
        _say(_FORBIDDEN.with_(path=error.filename or ""), _AS_ROOT)
        sys.exit(1)
    except OSError as error:  # a full disk, mostly: of what is printed, or of a file that was asked for
        with suppress(OSError):
            sys.stdout.close()  # what it still holds cannot go anywhere
        if error.errno != errno.EPIPE:  # nobody reads on: `head` has what it wants
            _say(_FAILED.with_(path=error.filename or _OUTPUT, why=error.strerror or error), _LOOK)
        sys.exit(1)


_SLIPS = (  # of usage, the special ones first: click tells them in English alone
    (click.NoSuchOption, "没有这个选项"),
    (click.MissingParameter, "缺少参数"),
    (click.BadParameter, "参数的值不对"),
    (click.UsageError, "命令写得不对"),
)
_FORBIDDEN = Text("当前用户无权访问 {path}", "this user has no right to {path}")
_AS_ROOT = Text("以 root 运行（sudo）", "run it as root (sudo)")
_FAILED = Text("{path}：{why}", "{path}: {why}")
_OUTPUT = Text("无法输出", "the output cannot be written")
_LOOK = Text("检查路径和磁盘空间（df -h）", "check the path and the space on the disk (df -h)")


def _say(*parts: Text | str) -> None:
    for part in parts:
        if str(part):
            click.echo(part.say(language()) if isinstance(part, Text) else part, err=True)


def _say_in_chinese(error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return  # it printed the help
    slip = next((said for kind, said in _SLIPS if isinstance(error, kind)), None)
    if slip and isinstance(error, click.UsageError) and error.ctx is not None:
        _say(f"{slip}；用法：{error.ctx.command_path} --help")


def _open_what_is_closed() -> None:
    """Started with `<&-` or `>&-` there is no stream, and the next file that is opened would be taken for it."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for good


def _print_what_the_terminal_lacks() -> None:
    """As escapes: a rare name must not end a list half-way where the locale is GBK or no Chinese at all."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _forbid_core_dumps() -> None:
    """A dump would hold faces, templates and keys. Children inherit it; 1 stops also dumps into a pipe (core(5))."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = hard if hard == 0 else 1
    with suppress(OSError):  # a sandbox that forbids the call is no reason not to serve the doors
        resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
