"""The daemon's life: start, signals, a journal that opens late, stop.

Rule: a thread that ends by a bug ends the daemon (exit 1) and systemd starts it afresh: half a house is worse than a
second without one. A disk that fails ends nothing: the doors go on, and the journal is tried again.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from functools import partial
from pathlib import Path

from gateway.app import House
from gateway.config import load
from gateway.errors import ConfigError, StoreError
from gateway.journal import FolderInUse
from gateway.settings import Camera, Settings
from gateway.systemd import notify

log = logging.getLogger(__name__)

_OF_VISION = ("cameras", "face", "vision")  # tables that a running house can take up anew
_TRY_AGAIN_S = 5.0


def run(settings: Settings, path: Path) -> int:
    """Run until SIGTERM or SIGINT; return the exit code. SIGHUP reads the file at `path` again."""
    stop, reload, broken = threading.Event(), threading.Event(), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.signal(signal.SIGHUP, lambda *_: reload.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    threading.excepthook = partial(_report_bug, broken)
    house = House(settings)
    house.start()
    notify("READY=1", f"STATUS={house.report.words()}")
    try:
        _live(house, path, stop=stop, reload=reload, broken=broken)
    finally:
        log.info("stopping")
        house.end()
    return 1 if broken.is_set() else 0


def _live(house: House, path: Path, *, stop: threading.Event, reload: threading.Event, broken: threading.Event) -> None:
    """Until `stop`, or until a part is `broken`. Raises `FolderInUse` where another daemon has the journal."""
    try_again = 0.0
    while not stop.wait(0.05 if house.journal is None else 0.2) and not broken.is_set():
        if house.journal is None and time.monotonic() >= try_again:
            _try_journal(house)
            try_again = time.monotonic() + _TRY_AGAIN_S
        if reload.is_set():
            reload.clear()
            take_up(house, path)


def _try_journal(house: House) -> None:
    try:
        house.open_journal()
    except FolderInUse:
        raise
    except StoreError as error:
        log.critical("THE JOURNAL CANNOT BE OPENED, the doors go on: %s", error)
        house.board.note("journal.fault", error.say(house.settings.site.language))
        return
    house.board.note("journal.fault", None)
    log.info("%s runs: %s", house.settings.gateway.id, house.report.words())


def take_up(house: House, path: Path) -> None:
    """Take up what a running house can: the roster, where a face opens, and everything the vision child works by."""
    house.register.refresh()
    try:
        fresh = load(path)
    except ConfigError as error:
        log.error("SIGHUP: the file has faults, the old settings stay: %s", error)
        house.board.note("reload", {"faulty": True})
        return
    changed = [name for name in Settings.model_fields if getattr(fresh, name) != getattr(house.settings, name)]
    later = [name for name in changed if name not in _OF_VISION]
    house.board.note("reload", {"waits_for_restart": later})
    if later:
        log.warning("SIGHUP: changes in %s need a restart: systemctl restart compound-gateway", ", ".join(later))
    off = (house.board.facts().get("vision") or {}).get("faults")  # perhaps its model is there by now
    if off or set(changed) - set(later):
        taken = {name: getattr(fresh, name) for name in _OF_VISION}
        house.settings = house.settings.model_copy(update={**taken, "cameras": _cameras(fresh, house.settings)})
        house.report.settings = house.settings  # for the catalog
        house.supervisor.replace(house.settings)
        log.info("SIGHUP: the cameras take up the new settings")


def _cameras(fresh: Settings, before: Settings) -> dict[str, Camera]:
    """The cameras to be. One whose point only a restart brings stays until then as it was."""
    cameras = dict(fresh.cameras)
    for name in [name for name, camera in fresh.cameras.items() if camera.point not in before.points]:
        log.warning("SIGHUP: camera %s needs that restart, too: its point is new", name)
        del cameras[name]
        if name in before.cameras:
            cameras[name] = before.cameras[name]
    return cameras


def _report_bug(broken: threading.Event, args: threading.ExceptHookArgs) -> None:
    """A thread ended by an exception nobody expected."""
    name = args.thread.name if args.thread else "?"
    log.critical(
        "%s ended by a bug", name, exc_info=(args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
    )
    broken.set()
