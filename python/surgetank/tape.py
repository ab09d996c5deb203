"""Stand-in until the tape reader lands."""
from __future__ import annotations
from typing import Any
class Tape:
    seconds: float; hash: str; messages_ns: Any
    def as_core(self) -> dict[str, Any]: ...
def read_tape(path: Any) -> Tape: ...
