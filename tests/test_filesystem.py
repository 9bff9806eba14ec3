"""A journal on a network file system is refused before it is opened; here only local ones can be mounted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway import filesystem
from gateway.config import ConfigFaults, load
from gateway.errors import StoreError
from gateway.filesystem import judge, mount_type, network_kind
from gateway.journal import Journal
from gateway.text import Language

EXT4, TMPFS, FUSE = 0xEF53, 0x01021994, 0x65735546

MOUNTINFO = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 22 0:45 / /mnt/box rw,nosuid - fuse.sshfs nas:/data rw,user_id=0
32 22 0:46 / /mnt/a\\040b rw shared:3 master:1 - nfs4 nas:/data rw
"""


@pytest.mark.parametrize(
    ("magic", "mounted_as", "kind"),
    [
        (0x6969, "nfs4", "nfs"),
        (0xFF534D42, "cifs", "cifs"),
        (0xFE534D42, "smb3", "smb2"),
        (0x517B, "smbfs", "smb"),
        (0x01021997, "9p", "9p"),
        (FUSE, "fuse.sshfs", "fuse.sshfs"),
        (FUSE, "fuseblk", None),  # a local disk behind ntfs-3g
        (FUSE, "fuse", None),
        (EXT4, "ext4", None),
        (EXT4, "fuse.sshfs", None),  # the number counts
        (TMPFS, "tmpfs", None),
        (0x12345678, "", None),
    ],
)
def test_the_number_says_what_it_is(magic: int, mounted_as: str, kind: str | None) -> None:
    assert judge(magic, mounted_as) == kind


def test_the_type_is_found_by_the_number_of_the_device() -> None:
    assert mount_type(MOUNTINFO, os.makedev(0, 45)) == "fuse.sshfs"
    assert mount_type(MOUNTINFO, os.makedev(0, 46)) == "nfs4"
    assert mount_type(MOUNTINFO, os.makedev(254, 0)) == "ext4"
    assert mount_type(MOUNTINFO, os.makedev(0, 99)) == ""
    assert mount_type("\n x y\n", 0) == ""


def test_what_is_mounted_here_is_local_and_numbered_as_the_kernel_does(tmp_path: Path) -> None:
    assert network_kind(tmp_path / "not" / "made" / "yet") is None
    assert filesystem._magic(Path("/proc")) == 0x9FA0
    assert filesystem._magic(Path("/dev/shm")) == TMPFS
    assert filesystem._mounted_as(Path("/proc")) == "proc"


def test_a_data_folder_on_the_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "_magic", lambda _: 0x6969)  # no server to mount from here
    with pytest.raises(StoreError, match="nfs"):
        Journal(tmp_path / "journal" / "journal.db")
    assert not (tmp_path / "journal").exists()
    config = tmp_path / "gateway.toml"
    site = '[site]\ncompound_id = "a"\nname = "a"\nlanguage = "en"\n[gateway]\nid = "box-1"\ndata_dir = "data"\n'
    config.write_text(site, encoding="utf-8")
    with pytest.raises(ConfigFaults) as caught:
        load(config)
    assert "gateway.toml:7: gateway.data_dir: lies on a network file system (nfs)" in caught.value.say(Language.EN)
