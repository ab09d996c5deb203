"""A venue whose process may open no further file goes on, and serves again once it may."""

from __future__ import annotations

import resource
import socket
import sys
from pathlib import Path

import pytest

import surgetank as st

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits of another process: Linux")


def greeted(address: str, seconds: float) -> socket.socket | None:
    """A connection on which the venue has sent its challenge; None if it sends nothing so long."""
    host, port = address.rsplit(":", 1)
    link = socket.create_connection((host, int(port)), timeout=seconds)
    try:
        return link if link.recv(1) else None
    except TimeoutError:
        link.close()
        return None


def test_it_serves_again_when_it_may_open_files(tmp_path: Path) -> None:
    (tmp_path / "venue.toml").write_text('scenario = "calm"\nseed = 3\n')
    (tmp_path / "keys.toml").touch(mode=0o600)
    with st.serve(tmp_path / "venue.toml", data=tmp_path / "data") as venue:
        before = greeted(venue.address, 20)
        assert before is not None
        state = venue.recovery["state_hash"]
        limits = resource.prlimit(venue.pid, resource.RLIMIT_NOFILE)
        opened = len(list(Path(f"/proc/{venue.pid}/fd").iterdir()))
        resource.prlimit(venue.pid, resource.RLIMIT_NOFILE, (opened, limits[1]))
        assert greeted(venue.address, 0.5) is None, "the limit holds"
        resource.prlimit(venue.pid, resource.RLIMIT_NOFILE, limits)
        after = greeted(venue.address, 20)
        assert after is not None
        before.close()
        after.close()
        ended = venue.stop()
    assert ended is not None
    assert (ended["why"], ended["state_hash"]) == ("drained", state)
