"""The compiled core: a scenario in, tables out. Private; use `surgetank.simulate`,
`surgetank.options` and `surgetank.journal`."""

from collections.abc import Callable
from os import PathLike
from typing import Any, NotRequired, TypedDict, final

__all__ = [
    "Initiator",
    "Pipe",
    "Venue",
    "account_key",
    "attack_needs",
    "black76",
    "build",
    "check_venue",
    "ed25519_public",
    "genesis",
    "headers",
    "log_consistency",
    "log_root",
    "names",
    "portfolio_margin",
    "protocol_names",
    "prove",
    "published",
    "run",
    "run_venue",
    "scenario_read",
    "schema",
    "verify",
    "write_record",
]

class _Output(TypedDict):
    tables: dict[str, Any]
    stats: str
    complete: bool
    journal: NotRequired[bytes]

class _Report(TypedDict):
    batches: int
    messages: int
    waiting: int
    bytes_read: int
    last_hash: bytes
    stopped: bool
    findings_count: int
    findings: list[tuple[str, int, int | None, int, str]]

@final
class Initiator:
    """The client's side of a connection to a venue: crates/bindings/src/initiator."""

    def __new__(
        cls,
        key_name: str,
        algorithm: str,
        secret: bytes,
        nonce: bytes,
        *,
        session: str = "",
        level: int = 1,
        cancel_on_disconnect: bool = False,
        sign_requests: bool = False,
    ) -> Initiator: ...
    def receive(self, now_ns: int, bytes: bytes) -> list[tuple[Any, ...]]: ...
    def requests(
        self, requests: list[tuple[Any, ...]], padding: int = 0
    ) -> tuple[int, bytes] | None: ...
    def encoded_requests(self, bytes: bytes) -> tuple[int, bytes] | None: ...
    def order_status(self, cl_ord_id: int) -> bytes | None: ...
    def subscribe(
        self, wanted: list[tuple[tuple[int, int], tuple[int, int] | None, bool]]
    ) -> bytes | None: ...
    def unsubscribe(self, streams: list[tuple[int, int]]) -> bytes | None: ...
    def snapshot(self, key: tuple[int, int]) -> bytes | None: ...
    def ping(self, content: int) -> bytes | None: ...
    def logout(self) -> bytes | None: ...

@final
class Pipe:
    head: bytes
    waiting: int
    height: int
    last_hash: bytes
    def __new__(
        cls,
        rule: str,
        batch_messages_max: int,
        key: bytes,
        secret: bytes,
        *,
        batch_bytes_max: int = ...,
        seal_messages: int | None = None,
        capacity: int | None = None,
        accounts_max: int = 65_536,
        batches_max: int = 1_000_000,
        limits: tuple[tuple[int, int], tuple[int, int], tuple[int, int]] | None = None,
    ) -> Pipe: ...
    def push(
        self, now_ns: int, records: bytes | bytearray | memoryview
    ) -> tuple[bytes, list[tuple[int, str, int]]]: ...
    def flush(self, now_ns: int) -> bytes: ...

def account_key(key: bytes, account: int) -> bytes: ...
def attack_needs(scenario_json: str) -> str | None: ...
def black76(
    forward: list[float],
    strike: list[float],
    vol: list[float],
    years: list[float],
    call: list[bool],
) -> dict[str, list[float]]: ...
def build() -> str: ...
def headers(path: str) -> list[bytes]: ...
def log_consistency(headers: list[bytes], old: int) -> list[bytes]: ...
def log_root(headers: list[bytes]) -> bytes: ...
def names() -> dict[str, list[str]]: ...
def portfolio_margin(
    rule: str,
    spot: float,
    perpetual: float,
    strike: list[float],
    vol: list[float],
    years: list[float],
    call: list[bool],
    qty: list[float],
) -> tuple[float, float]: ...
def ed25519_public(seed: bytes) -> bytes: ...
def genesis(
    scenario_json: str,
    seed: int,
    tape: dict[str, Any] | None = None,
    positions: dict[str, Any] | None = None,
) -> str | None: ...
def protocol_names() -> dict[str, dict[str, int]]: ...
def prove(path: str, message: bytes) -> tuple[bytes, int, bytes, list[bytes]] | None: ...
def published(path: str) -> list[tuple[int, int, int, int, int, int, int, bytes]]: ...
def run(
    scenario_json: str,
    seed: int,
    tape: dict[str, Any] | None = None,
    positions: dict[str, Any] | None = None,
    progress: Callable[[float, int, int], bool] | None = None,
    plugins: dict[str, Callable[[], Any]] | None = None,
    journal: bool = False,
) -> _Output: ...
def run_venue(
    scenario_json: str,
    seed: int,
    venue: dict[str, Any],
    tape: dict[str, Any] | None = None,
    positions: dict[str, Any] | None = None,
    progress: Callable[[float, int, int], bool] | None = None,
    ending: Callable[[], object] | None = None,
) -> dict[str, Any]: ...
def scenario_read(scenario_json: str) -> str: ...
def check_venue(data: str | PathLike[str], repair: bool) -> str: ...
def schema() -> dict[str, list[tuple[str, str, bool]]]: ...
def verify(path: str, progress: Callable[[int], bool] | None = None) -> _Report: ...
def write_record(
    key: bytes,
    account: int,
    class_number: int,
    flags: int,
    fee: int,
    number: int,
    body: bytes,
) -> bytes: ...

@final
class Venue:
    def __new__(
        cls, config_json: str, genesis_json: str, keys_json: str, data: str | PathLike[str]
    ) -> Venue: ...
    @property
    def address(self) -> str: ...
    @property
    def ws_address(self) -> str | None: ...
    def drain(self) -> None: ...
    def health(self) -> str: ...
    def overview(self, timeout_s: float) -> str: ...
    def recovery(self) -> str | None: ...
    def reload(self, keys_json: str) -> None: ...
    def reload_tls(self, certificate: str, key: str) -> None: ...
    def state_hash(self) -> str | None: ...
    def status(self) -> str | None: ...
    def wait(self, timeout_s: float) -> str | None: ...
    def wait_started(self, timeout_s: float) -> bool: ...
