"""Finds the target of `--target URL` and, where surgetank starts it itself, its server.

`nats:` starts a server; `nats://127.0.0.1:4222` uses one that is running.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from dataclasses import dataclass, replace
from typing import Final, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from surgetank.errors import SurgetankError
from surgetank.extras import install_command, part_of
from surgetank.live.server import Server
from surgetank.live.target import Target, Where
from surgetank.plugins import TARGETS, import_of_user, installed

__all__ = ["SYSTEMS", "System", "parse", "server_class", "target_class"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class System:
    """The locations of a system's classes, below `surgetank.live.systems`."""

    target: str
    """`module:Class` of its clients."""
    server: str
    """`module:Class` of the server that surgetank can start for it."""
    port: int = 0
    """Default port, if the URL names a host without one."""
    product: str = ""
    """The product's name (OpenTelemetry's `messaging.system`), if the scheme has another."""


#: Scheme → system. Loaded when it is used: its client library may not be installed.
SYSTEMS: Final = {
    "memory": System("memory.target:Memory", "memory.server:MemoryServer"),
    "nats": System("nats.target:Nats", "nats.server:NatsServer", 4222),
    "jetstream": System("jetstream.target:JetStream", "nats.server:NatsServer", 4222, "nats"),
    "redis": System("redis.target:RedisStream", "redis.server:Redis", 6379),
    "rabbitmq": System("rabbitmq.target:QuorumQueue", "rabbitmq.server:RabbitMQ", 5672),
    "kafka": System("kafka.target:Kafka", "kafka.server:KafkaBroker", 9092),
    "cometbft": System("cometbft.target:CometBFT", "cometbft.server:Localnet", 26657),
    "gossipsub": System("gossipsub.target:Gossipsub", "gossipsub.server:GossipsubServer"),
    "venue": System("venue.target:VenueTarget", "venue.server:MessageVenue", 7400),
}
_PLACE: Final = "surgetank.live.systems."


def parse(url: str) -> Where:
    """The parts of a target's URL. The option `ports` names further nodes on the same host; a
    scheme that an installed package declares stands for its class.

    Raises:
        SurgetankError: it is not a valid target URL.
    """
    scheme, colon, rest = url.partition(":")
    if not colon:
        raise _unknown(url, scheme)
    named, system = scheme, SYSTEMS.get(scheme)
    of_class = rest.partition("?")[0].isidentifier()
    if system is None and not of_class and (path := installed(TARGETS).get(scheme)):
        named, system = path, System(path, "")
    if system is None:
        # A user-defined class: module:Class?host=…&port=….
        name, _, query = rest.partition("?")
        if not (name.isidentifier() and scheme.replace(".", "_").isidentifier()):
            raise _unknown(url, scheme)
        options = dict(parse_qsl(query, keep_blank_values=True))
        host, port = options.pop("host", "127.0.0.1"), options.pop("port", "0")
        number = _port(url, port)
        at = ((host, number),) if number else ()
        return Where(f"{scheme}:{name}", host, number, options.pop("name", ""), options, at)
    parts = urlsplit(url)
    try:
        host = parts.hostname or ""
        number = parts.port or (system.port if host else 0)
    except ValueError as error:
        raise SurgetankError(str(error), place=url, hint="Give host:port") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    name = unquote(parts.path.strip("/"))
    for text in (host, name, *options, *options.values()):
        # The value may be written into a line of a server's configuration.
        if not text.isprintable():
            hint = "Leave line ends and control characters out"
            raise SurgetankError(f"{text!r} is not one line", place=url, hint=hint)
    further = [_port(url, text) for text in options.get("ports", "").split(",") if text]
    ports = dict.fromkeys([number, *further]) if host else ()
    where = Where(named, host, number, name, options, product=system.product)
    return replace(where, addresses=tuple((host, port) for port in ports))


def _port(url: str, text: str) -> int:
    if text.isdigit() and int(text) < 65_536:
        return int(text)
    raise SurgetankError(f"`port` {text} is not a port", place=url, hint="Give 0 to 65535")


def _unknown(url: str, scheme: str) -> SurgetankError:
    names = [*SYSTEMS, *installed(TARGETS)]
    near = difflib.get_close_matches(scheme, names, n=1)
    hint = f" (did you mean {near[0]}:?)" if near else ""
    return SurgetankError(
        f"{url!r} is not a target{hint}",
        place="--target",
        hint=f"Give one of {', '.join(f'{name}:' for name in names)} with or without "
        "//host:port, or module:Class of your own",
    )


def target_class(where: Where) -> type[Target]:
    """The class of a target.

    Raises:
        SurgetankError: its module or class cannot be loaded; or this is Windows, where servers and
            generators could not be ended as process groups.
    """
    if sys.platform == "win32":
        hint = "Use the Windows Subsystem for Linux"
        raise SurgetankError("needs Linux or macOS", place="--target", hint=hint)
    with part_of("live", place="--target"):
        import hdrh.histogram  # noqa: F401  Of every live run; on aarch64 it is no dependency.
    path = _PLACE + SYSTEMS[where.scheme].target if where.scheme in SYSTEMS else where.scheme
    return _load(path, Target)  # type: ignore[type-abstract]


def server_class(where: Where) -> type[Server] | None:
    """The class of the server that surgetank can start for it."""
    if where.scheme not in SYSTEMS:
        return None
    return _load(_PLACE + SYSTEMS[where.scheme].server, Server)  # type: ignore[type-abstract]


def _load(path: str, kind: type[_T]) -> type[_T]:
    module, _, name = path.partition(":")
    ours = module.startswith("surgetank.")
    try:
        # A `redis.py` in the current directory is not the client library.
        load = importlib.import_module if ours else import_of_user
        found = getattr(load(module), name)
    except ImportError as error:
        hint = install_command("live")
        if not ours:
            hint = f"Put {module}.py into the current directory, or install it"
        raise SurgetankError(f"cannot be loaded ({error})", place=path, hint=hint) from None
    except AttributeError:
        raise SurgetankError(f"has no class {name}", place=module, hint="Check the name") from None
    except Exception as error:
        if ours:
            raise
        what = f"fails when it is imported ({type(error).__name__}: {error})"
        raise SurgetankError(what, place=path, hint="Correct the module") from None
    if not (isinstance(found, type) and issubclass(found, kind)):
        raise SurgetankError(f"is not a {kind.__name__}", place=path, hint="Inherit from it")
    return found
