"""Fixtures every test may use."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.osdp.bus import Bus
from tests.standstill import (  # noqa: F401 - hooks
    pytest_report_teststatus,
    pytest_runtest_protocol,
    pytest_terminal_summary,
)

hypothesis.settings.register_profile(  # however slow the machine is
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photographs and vectors beside the project.

    A checkout without it runs every other test; in CI its absence is a failure, never a silent skip.
    """
    if not SHARED.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI must have the folder {SHARED}")
        pytest.skip(f"no {SHARED}: this test needs the real photographs and vectors")
    return SHARED


@pytest.fixture(scope="session")
def face_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the models `mtcnn` and `dlib-resnet`, made from the installed packages."""
    from gateway.vision.prepare import prepare

    folder = tmp_path_factory.mktemp("models")
    prepare(folder, lambda _: None)
    return folder


@pytest.fixture(autouse=True)
def no_language_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands speak the language of the configuration they read last, in this process of the test before."""
    monkeypatch.setattr("gateway.cli.options._site_language", None)


@pytest.fixture(autouse=True)
def no_lines_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of OSDP are kept for good, and the name of a closed pseudo-terminal is soon that of another one."""
    monkeypatch.setattr("drivers.osdp.share._lines", {})


@pytest.fixture
def bus() -> Iterator[Bus]:
    """A line with OSDP readers in processes of their own."""
    with Bus() as bus:
        yield bus


@pytest.fixture(scope="session")
def portrait() -> Path:
    """A free portrait: NASA's photo of Eileen Collins, which scikit-image carries."""
    import skimage

    return Path(skimage.__file__).parent / "data" / "astronaut.png"


@pytest.fixture
def humble() -> Iterator[None]:
    """Bound by the modes of files, as the daemon's own account is and root is not (capset(2))."""
    libc, header = ctypes.CDLL(None, use_errno=True), (ctypes.c_uint32 * 2)(0x20080522, 0)
    before, less = (ctypes.c_uint32 * 6)(), (ctypes.c_uint32 * 6)()
    for sets in (before, less):
        assert libc.capget(header, sets) == 0
    less[0] &= ~0b110  # of those in effect CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    assert libc.capset(header, less) == 0
    yield
    assert libc.capset(header, before) == 0
