"""Filesystems mounted under a server's data: a small one, and one that can lose power.

Each mount is kept by a small shell that waits on a pipe from this process and unmounts when this
process ends, however that happens. Mounting needs root (CAP_SYS_ADMIN); without it, `missing` says
so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Final, Self

from surgetank.errors import SurgetankError
from surgetank.live.target import TargetError

__all__ = ["PowerLossDisk", "SmallDisk", "mounting_missing"]

_KEEPER: Final = """
dir=$1; shift
mount "$@" "$dir" || exit 1
echo mounted
read -r _
cd /
umount "$dir" 2>/dev/null || umount -l "$dir"
"""
#: The most memory for one node's small disk, bytes.
_SMALL_BYTES: Final = 256 << 20
_MOUNT_S: Final = 20.0
_CAP_SYS_ADMIN: Final = 21
#: Page size of tmpfs, bytes: free space is accurate to a page.
PAGE_BYTES: Final = 4096


def mounting_missing(*programs: str) -> str | None:
    """None if mounting is permitted and these programs are installed; else what is missing."""
    capabilities = 0
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("CapEff:"):
                capabilities = int(line.split()[1], 16)
    if not capabilities >> _CAP_SYS_ADMIN & 1:
        return "mounting a filesystem needs root; run it as root"
    for program in ("mount", "umount", *programs):
        if _program(program) is None:
            return f"{program} is not here; apt-get install mount e2fsprogs"
    return None


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


class _Mount:
    """One mounted filesystem."""

    def __init__(self, folder: Path, what: list[str]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._keeper = subprocess.Popen(
            ["sh", "-c", _KEEPER, "sh", str(folder), *what],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._keeper.stdout is not None and self._keeper.stderr is not None
        if self._keeper.stdout.readline() != b"mounted\n":
            message = self._keeper.stderr.read().decode("utf-8", "replace").strip()
            self._keeper.wait()
            raise TargetError(
                f"cannot be mounted ({message or 'mount failed'})",
                place=str(folder),
                hint="Mounting needs root, and loop devices where power is to be lost",
            )

    def end(self) -> None:
        """Unmounts; returns when it is gone. Safe to call twice."""
        with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
            self._keeper.communicate(b"\n", timeout=_MOUNT_S)
        until = time.monotonic() + _MOUNT_S
        while os.path.ismount(self.folder) and time.monotonic() < until:
            time.sleep(0.01)
        if self._keeper.poll() is None:
            self._keeper.kill()
            self._keeper.wait()


class SmallDisk:
    """A tmpfs of a given size, which can be filled up."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        """Mounts it; the folder's own content is hidden meanwhile.

        Raises:
            TargetError: it cannot be mounted.
        """
        self.folder = folder
        self._ballast = folder / ".surgetank-ballast"
        what = ["-t", "tmpfs", "-o", f"size={size_bytes},mode=0755", "surgetank"]
        self._mount = _Mount(folder, what)

    @classmethod
    def under(cls, folder: Path, images: Path) -> Self:
        """One of the usual size under a server's data; it needs no image."""
        return cls(folder, _SMALL_BYTES)

    @property
    def free_bytes(self) -> int:
        """Bytes left for the server."""
        room = os.statvfs(self.folder)
        return room.f_bavail * room.f_frsize

    def fill(self, free_bytes: int) -> int:
        """Fills the disk until about `free_bytes` are left; returns the number that is left."""
        with self._ballast.open("wb") as ballast:
            while True:
                more = self.free_bytes - free_bytes
                if more < PAGE_BYTES:
                    return self.free_bytes
                size = os.fstat(ballast.fileno()).st_size
                try:
                    os.posix_fallocate(ballast.fileno(), size, more // PAGE_BYTES * PAGE_BYTES)
                except OSError:  # The server used the space meanwhile.
                    if more // 2 < PAGE_BYTES:
                        return self.free_bytes

    def clear(self) -> None:
        """Removes the file that fills the disk."""
        self._ballast.unlink(missing_ok=True)

    def end(self) -> None:
        """Unmounts it; what it held is gone."""
        self._mount.end()


class PowerLossDisk:
    """An ext4 filesystem on a loop image that can lose power: data that did not reach the image is
    lost.

    The kernel keeps dirty pages of this filesystem to itself until fsync, until 30 s have passed
    (`vm.dirty_expire_centisecs`) or until it needs the memory. So a copy of the image is what a
    disk holds when power fails. The journal is committed only by fsync (`commit=300`), not every 5
    s, so the loss is the worst that ext4 allows within the first half minute and does not depend on
    a timer.
    """

    def __init__(self, folder: Path, images: Path, size_bytes: int = 1 << 30) -> None:
        """Makes and mounts it; `images` is a folder elsewhere for the image (sparse).

        Raises:
            TargetError: it cannot be made or mounted.
        """
        missing = mounting_missing("mkfs.ext4", "losetup")
        if missing is not None:
            raise TargetError(missing, place="power loss", hint="Leave power loss out")
        images.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._image = images / f"{folder.name}-0.img"
        self._lives = 0
        with self._image.open("wb") as image:
            image.truncate(size_bytes)
        # No lazy initialisation: it would write in the background. Small journal: less to copy.
        options = "lazy_itable_init=0,lazy_journal_init=0,nodiscard"
        argv = [_program("mkfs.ext4") or "mkfs.ext4", "-q", "-F", "-E", options]
        argv += ["-J", "size=16", "-N", "16384", "-m", "0", str(self._image)]
        _done(argv)
        self._mount = self._mounted()
        # A server wants an empty folder.
        shutil.rmtree(folder / "lost+found", ignore_errors=True)
        self.sync()

    @classmethod
    def under(cls, folder: Path, images: Path) -> Self:
        """One of the usual size under a server's data."""
        return cls(folder, images)

    def _mounted(self) -> _Mount:
        return _Mount(self.folder, ["-o", "loop,commit=300", "-t", "ext4", str(self._image)])

    def sync(self) -> None:
        """Writes all dirty data to the image."""
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            _syncfs(handle)
        finally:
            os.close(handle)

    def lose_power(self) -> None:
        """Resets the disk to the data that had reached it; the server must have been killed before.

        Raises:
            TargetError: what is left cannot be mounted.
        """
        self._lives += 1
        left = self._image.with_name(f"{self.folder.name}-{self._lives}.img")
        _done(["cp", "--sparse=always", "--reflink=auto", str(self._image), str(left)])
        self._mount.end()  # Unmounting writes the rest to the old image, which is discarded.
        self._image.unlink()
        self._image = left
        self._mount = self._mounted()

    def end(self) -> None:
        """Unmounts it; what it held is gone."""
        self._mount.end()
        self._image.unlink(missing_ok=True)


def _syncfs(handle: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(handle) != 0:
        error = ctypes.get_errno()
        raise SurgetankError(os.strerror(error), place="syncfs", hint="Look at the disk")


def _done(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise TargetError(f"failed: {done.stderr.strip()[-300:]}", place=Path(argv[0]).name)
