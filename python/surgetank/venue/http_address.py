"""Where a venue's page for operators listens: loopback, unless the file says otherwise."""

from __future__ import annotations

import ipaddress
from typing import Final

__all__ = ["OFF", "http_address", "is_loopback"]

#: No page, no metrics.
OFF: Final = "off"


def http_address(text: str) -> tuple[str, int] | None:
    """Host and port of HOST:PORT; None for `off`.

    Raises:
        ValueError: it is neither.
    """
    if text == OFF:
        return None
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"`{text}` is neither HOST:PORT nor `{OFF}`")
    if host == "localhost":
        return "127.0.0.1", int(port)
    try:
        return str(ipaddress.ip_address(host)), int(port)
    except ValueError:
        raise ValueError(f"`{host}` is no IP address of this machine") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    return ipaddress.ip_address(host).is_loopback
