"""Data files of installed packages, found without importing the packages and trusted only by their sha256.

The rule: nothing of a package is executed here, and bytes whose sha256 is not the pinned one are never parsed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from gateway.errors import ModelError
from gateway.extras import PIP, install
from gateway.text import Text

INSTALL = install("faces")


@dataclass(frozen=True, slots=True)
class Source:
    """One data file of one release of one package."""

    package: str
    version: str
    path: str  # inside the package, "/" between folders
    sha256: str


def read_source(source: Source) -> bytes:
    """Return the file's bytes. Raises `ModelError` where the package is missing, of another release, or altered."""
    data = _locate(source).read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != source.sha256:
        raise ModelError(
            Text(
                "{package} 的 {path} 与预期不符（sha256 {found}，应为 {wanted}）",
                "{path} of {package} is not the expected file (sha256 {found}, expected {wanted})",
            ).with_(package=source.package, path=source.path, found=found[:16], wanted=source.sha256[:16]),
            hint=Text(
                "文件被改动或来源不对，请重新安装：{pip} install --force-reinstall {package}=={version}",
                "the file was altered or is not the original: {pip} install --force-reinstall {package}=={version}",
            ).with_(pip=PIP, package=source.package, version=source.version),
        )
    return data


def _locate(source: Source) -> Path:
    try:
        package = metadata.distribution(source.package)
    except metadata.PackageNotFoundError as error:
        raise ModelError(
            Text("缺少软件包 {package}", "the package {package} is not installed").with_(package=source.package),
            hint=Text("请执行：{command}", "run: {command}").with_(command=INSTALL),
        ) from error
    if package.version != source.version:
        raise ModelError(
            Text("{package} 的版本是 {found}，需要 {wanted}", "{package} is release {found}, {wanted} is needed").with_(
                package=source.package, found=package.version, wanted=source.version
            ),
            hint=Text("请执行：{command}", "run: {command}").with_(command=INSTALL),
        )
    path = Path(str(package.locate_file(source.path)))
    if not path.is_file():
        raise ModelError(
            Text("{package} 中没有文件 {path}", "{package} lacks its file {path}").with_(
                package=source.package, path=source.path
            ),
            hint=Text("请执行：{command}", "run: {command}").with_(command=INSTALL),
        )
    return path
