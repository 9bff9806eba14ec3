"""On what kind of file system a folder lies. SQLite's log and flock hold only where one kernel has the disk to itself.

Rule: a kind that is known to be reached over a network is refused; one that nobody has heard of is not.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_FUSE = 0x65735546
_NETWORK = {  # statfs(2), f_type
    0x6969: "nfs",
    0x517B: "smb",
    0xFE534D42: "smb2",
    0xFF534D42: "cifs",
    0x01021997: "9p",
    0x00C36400: "ceph",
    0x5346414F: "afs",
    0x6B414653: "afs",
    0x73757245: "coda",
    0x0BD00BD0: "lustre",
    0x47504653: "gpfs",
    0x19830326: "beegfs",
}
_NETWORK_FUSE = {
    "sshfs",
    "s3fs",
    "rclone",
    "davfs",
    "davfs2",
    "curlftpfs",
    "glusterfs",
    "smbnetfs",
    "goofys",
    "juicefs",
}


def network_kind(folder: Path) -> str | None:
    """The name of the network file system that `folder`, or where it will be made, lies on; None if it is local."""
    place = folder.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        return judge(_magic(place), _mounted_as(place))
    except OSError:
        return None  # whoever opens a file there will be told why it cannot be


def judge(magic: int, mounted_as: str) -> str | None:
    """The same, from the number of statfs(2) and the type in /proc/self/mountinfo, as in `fuse.sshfs`."""
    if magic in _NETWORK:
        return _NETWORK[magic]
    subtype = mounted_as.partition(".")[2]
    return mounted_as if magic == _FUSE and subtype in _NETWORK_FUSE else None


def mount_type(mountinfo: str, device: int) -> str:
    """The file system type of a device number in the text of /proc/self/mountinfo (proc(5)); "" if it is not there."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mountinfo.splitlines():
        fields = line.split(" ")
        if len(fields) > 2 and fields[2] == wanted and "-" in fields:
            return fields[fields.index("-") + 1]
    return ""


def _mounted_as(place: Path) -> str:
    text = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    return mount_type(text, place.stat().st_dev)


def _magic(place: Path) -> int:
    buffer = (ctypes.c_char * 256)()  # struct statfs: f_type comes first, a long
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.statfs(os.fsencode(place), ctypes.byref(buffer)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(place))
    return ctypes.c_long.from_buffer(buffer).value & 0xFFFFFFFF
