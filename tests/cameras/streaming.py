"""A real RTSP server of one's own: GStreamer's, showing one still picture or a recording live."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real import free_port, needed
from tests.striped import jpeg, paint

SCRIPT = Path(__file__).resolve().parent.parent / "rtsp_server.py"
PACKAGES = (
    "python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
    " gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly"
)


class RtspServer:
    """Shows the picture with this number, or a recording, at /live, behind a Digest login where one is given.

    `inside` is a network namespace in which it runs, at `host`.
    """

    def __init__(
        self,
        folder: Path,
        shown: int | Path,
        *login: str,
        port: int | None = None,
        host: str = "127.0.0.1",
        inside: str = "",
    ) -> None:
        self.port = port or free_port()
        self.url = f"rtsp://{host}:{self.port}/live"
        self._host, self._way_in = host, ["ip", "netns", "exec", inside] if inside else []
        self._picture = shown if isinstance(shown, Path) else folder / f"{shown}.jpg"
        if not isinstance(shown, Path):
            self._picture.write_bytes(jpeg(paint(shown)))
        self._login = login
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        command = ["/usr/bin/python3", str(SCRIPT), self._host, str(self.port), str(self._picture), *self._login]
        self._process = subprocess.Popen(
            [*self._way_in, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            _, complaint = self._process.communicate(timeout=10)
            raise AssertionError(f"no RTSP server: apt-get install {PACKAGES}\n{complaint}")
        return self

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=10)
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def record(pictures: Sequence[Path], file: Path, *, fps: int, every: int = 25) -> Path:
    """The pictures, so many a second, as H.264 with a key picture every so many frames of 25 a second."""
    listed = file.with_suffix(".txt")
    lasting = "".join(f"file '{path}'\nduration {1 / fps}\n" for path in pictures)
    listed.write_text(f"{lasting}file '{pictures[-1]}'\n")  # or the last would not last
    command = [needed("ffmpeg", "ffmpeg"), "-loglevel", "error", "-y", "-f", "concat", "-safe", "0", "-i", str(listed)]
    encode = "-vf fps=25 -c:v libx264 -preset ultrafast -bf 0 -sc_threshold 0 -threads 1 -pix_fmt yuv420p"
    delimited = "-bsf:v h264_mp4toannexb,h264_metadata=aud=insert -f h264"
    subprocess.run([*command, *encode.split(), "-g", str(every), *delimited.split(), str(file)], check=True)
    return file
