"""A real systemd: systemd-nspawn boots the machine's own root under an overlay in memory.

Rule: nothing outlives the test. Mounts and processes live in namespaces of their own, which the kernel takes down when
the thread that started them ends in whatever way; the emptied control groups are removed then or by the next test.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real import needed, wait_until

_TREES = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd")]  # where a machine has both hierarchies
_PREFIX = "gateway-test-"
_CAP_SYS_ADMIN = 21
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

# $1 an empty folder, $2 the name of the control group, $3 files to lay over the root; the rest is nspawn's.
_BOOT = r"""
set -eu
base=$1 group=$2 seed=$3; shift 3
for tree in unified systemd; do
    [ -d /sys/fs/cgroup/$tree ] || continue
    mkdir -p /sys/fs/cgroup/$tree/$group
    echo $$ > /sys/fs/cgroup/$tree/$group/cgroup.procs
done
mount -t tmpfs -o size=2g,mode=755 tmpfs "$base"
mkdir -p "$base/upper" "$base/work" "$base/root" /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root"
rm -rf "$base/root/run/systemd/nspawn"
rm -f "$base"/root/etc/systemd/system/*.wants/*  # no daemon of the machine's own
cp -a "$seed/." "$base/root/"
exec systemd-nspawn --directory="$base/root" "$@"
"""
_ALONE = [
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc"),
]
# DeviceAllow and the like are enforced only with these; see systemd.resource-control(5).
_NSPAWN = [
    *("--register=no", "--keep-unit", "--link-journal=no", "--private-network", "--resolv-conf=off"),
    *("--timezone=off", "--console=pipe"),
    "--system-call-filter=bpf adjtimex clock_adjtime",  # what the container forbids cannot be allowed by a unit
    "--capability=CAP_BPF,CAP_NET_ADMIN,CAP_PERFMON",
]


def why_not() -> str:
    """Why no container can be booted here; empty where it can."""
    if os.geteuid() != 0:
        return "booting systemd needs root"
    status = Path("/proc/self/status").read_text(encoding="ascii")
    effective = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff")), 16)
    return "" if effective >> _CAP_SYS_ADMIN & 1 else "booting systemd needs CAP_SYS_ADMIN to mount"


class Container:
    """Booted on entry, gone on exit. `seed` is a folder laid over the root, `binds` are nspawn's --bind options."""

    def __init__(self, folder: Path, seed: Path, binds: Sequence[str] = ()) -> None:
        self._folder, self._seed, self._binds = folder, seed, binds
        self._group = f"{_PREFIX}{os.getpid()}"
        self._process: subprocess.Popen[bytes] | None = None
        self._leader = 0

    def __enter__(self) -> Self:
        needed("systemd-nspawn", "systemd-container")
        _remove_groups()
        base = self._folder / "base"
        base.mkdir()
        options = [f"--machine={self._group}", *_NSPAWN, *self._binds, "--boot"]
        line = [*_ALONE, "sh", "-c", _BOOT, "boot"]
        with (self._folder / "console.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*line, str(base), self._group, str(self._seed), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={"PATH": _PATH, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )
        try:
            wait_until(self._is_up, what=f"systemd up, see {self._folder}/console.log")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    @property
    def root(self) -> Path:
        """Its root folder, seen from here."""
        return Path(f"/proc/{self._leader}/root")

    def run(self, *words: str, code: int | None = 0, text: str = "") -> str:
        """Run a command inside; its output. Fails where the exit code is another; None takes any."""
        enter = ["nsenter", "-t", str(self._leader), *("-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"), "--"]
        environment = ["env", "-i", f"PATH=/usr/local/bin:{_PATH}", "LANG=C.UTF-8"]
        done = subprocess.run(
            [*enter, *environment, *words], input=text, capture_output=True, encoding="utf-8", check=False, timeout=600
        )
        assert code is None or done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", name, unit).strip()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Make a file inside, owned by root, with its folders."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)

    def _is_up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self._folder / "console.log").read_text(encoding="utf-8", errors="replace"))
        if not self._leader:
            self._leader = _init_below(self._process.pid)
        return bool(self._leader) and self.run("systemctl", "is-system-running", code=None).strip() in {
            "running",
            "degraded",
        }

    def _end(self) -> None:
        assert self._process is not None
        if self._leader:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._leader, signal.SIGRTMIN + 4)  # power off
        try:
            self._process.wait(60 if self._leader else 0.1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _remove_groups()


def _init_below(pid: int) -> int:
    """The container's systemd: unshare, nspawn, systemd. 0 before it has started."""
    with contextlib.suppress(OSError, IndexError):
        for name in ("systemd-nspawn", "systemd"):
            pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0])
            if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() != name:
                return 0
        return pid
    return 0


def _remove_groups() -> None:
    """Ours and those of tests that were killed; a group in use cannot be removed."""
    for group in (found for tree in _TREES for found in tree.glob(f"{_PREFIX}*")):
        deadline = time.monotonic() + 30
        while group.exists() and time.monotonic() < deadline and not _is_busy(group):
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)


def _is_busy(group: Path) -> bool:
    """Whether a process of another, running test is in it."""
    pid = group.name.removeprefix(_PREFIX)
    return pid != str(os.getpid()) and Path(f"/proc/{pid}").exists()
