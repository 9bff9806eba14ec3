"""What commands share: the `--config` and `--json` options, and the language to speak."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.text import Language

if TYPE_CHECKING:
    from gateway.settings import Settings

DEFAULT_CONFIG = Path("/etc/compound-gateway/gateway.toml")

_Command = TypeVar("_Command", bound=Callable[..., Any])
_site_language: Language | None = None


def config_option(command: _Command) -> _Command:
    """`--config FILE`."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path, readable=False),  # what cannot be read is a fault of the configuration: 78
        default=DEFAULT_CONFIG,
        show_default=True,
        metavar="FILE",
        help="配置文件 · Configuration file.",
    )(command)


def speak_as(path: Path) -> None:
    """For a command that needs no configuration: one that is named still says which language to speak."""
    if path != DEFAULT_CONFIG:  # that one may be missing, or unreadable to whoever just looks around
        load_settings(path)


def json_option(command: _Command) -> _Command:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="输出 JSON · Print JSON.")(command)


def load_settings(path: Path) -> Settings:
    """Load the configuration and speak its language from here on. Raises `ConfigFaults`."""
    from gateway.config import load

    global _site_language
    settings = load(path, language())
    _site_language = settings.site.language
    return settings


def language() -> Language:
    """The site's language once its configuration was read; before that the shell's."""
    if _site_language is not None:
        return _site_language
    shell = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return Language.EN if shell.startswith(("en", "C", "POSIX")) else Language.ZH
