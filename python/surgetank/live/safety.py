"""Load goes only to this machine, unless the user says that the system is theirs."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import replace

from surgetank.errors import SurgetankError
from surgetank.live.target import Where

__all__ = ["owned"]


def owned(where: Where, *, own_system: bool) -> Where:
    """Refuses addresses beyond loopback. A name is resolved, and all of its addresses count.

    The result has the checked address in place of the name, since a second resolution might give
    another one. A system that the user declares as their own keeps its name.

    Raises:
        SurgetankError: an address is not loopback and the user has not said that it is theirs, or a
            name is not known.
    """
    numbers = {"": ""}
    for host in sorted({host for host, _ in where.addresses} | {where.host} - {""}):
        found = _addresses(host, where)
        numbers[host] = min(found, key=lambda text: (":" in text, text))
        for address in sorted(found):
            if not ipaddress.ip_address(address).is_loopback and not own_system:
                also = "" if address == host else f" ({address})"
                raise SurgetankError(
                    f"{host}{also} is not this machine",
                    place=f"--target {where.scheme}://{host}",
                    hint="Add --i-own-this-system if you may put it under load",
                )
    if own_system:
        return where
    addresses = tuple((numbers[host], port) for host, port in where.addresses)
    return replace(where, host=numbers[where.host], addresses=addresses)


def _addresses(host: str, where: Where) -> set[str]:
    try:
        found = socket.getaddrinfo(host, where.port or None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SurgetankError(
            f"{host} is not known ({error})",
            place=f"--target {where.scheme}://{host}",
            hint="Check the host's name",
        ) from None
    return {str(entry[4][0]).partition("%")[0] for entry in found}
