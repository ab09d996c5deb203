"""Where a venue's page for operators listens: loopback, unless the file says otherwise."""

from __future__ import annotations

import ipaddress
from typing import Final

__all__ = ["OFF", "http_address", "is_loopback", "listen_address"]

#: No page, no metrics.
OFF: Final = "off"


def http_address(text: str) -> tuple[str, int] | None:
    """Host and port of HOST:PORT; None for `off`.

    Raises:
        ValueError: it is neither.
    """
    return None if text == OFF else _parsed(text, f"neither HOST:PORT nor `{OFF}`")


def listen_address(text: str) -> str:
    """HOST:PORT of a gateway, with an IP address in place of `localhost`.

    Raises:
        ValueError: it is none.
    """
    host, port = _parsed(text, "not HOST:PORT")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _parsed(text: str, what_else: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"`{text}` is {what_else}")
    if host == "localhost":
        return "127.0.0.1", int(port)
    try:
        return str(ipaddress.ip_address(host)), int(port)
    except ValueError:
        raise ValueError(f"`{host}` is no IP address of this machine") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    return ipaddress.ip_address(host).is_loopback
