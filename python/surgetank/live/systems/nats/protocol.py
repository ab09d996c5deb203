"""NATS's text protocol: frames to send, and cutting what is received at block ends.

Source: docs.nats.io, "Client Protocol" (INFO, CONNECT, PUB, HPUB, SUB, MSG, HMSG, PING, PONG, +OK,
-ERR). A *block* is a control line, or a MSG/HMSG line with its headers and payload.

Departure: the fast path does not walk from block to block. It takes the last MSG line of a piece
and asks whether its payload is complete, which is right as long as no payload has a line of its own
that begins with `MSG ` or `HMSG `. Payloads of surgetank are one line. A foreign payload with such
a line can delay later data by at most `TAIL_BYTES_MAX`, but never loses a number of this run.
`messages` walks from block to block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["TAIL_BYTES_MAX", "Cutter", "Message", "errors", "messages", "pings", "pongs", "pub"]

#: Most bytes of an incomplete block that are held back (the server's default for a payload is 1
#: MiB).
TAIL_BYTES_MAX: Final = 9 << 20

_ERROR: Final = re.compile(rb"(?:\A|(?<=\n))-ERR '?([^\r\n]*?)'?\r\n")
_PING: Final = re.compile(rb"(?:\A|(?<=\n))PING\r\n")
_PONG: Final = re.compile(rb"(?:\A|(?<=\n))PONG\r\n")


@dataclass(frozen=True, slots=True)
class Message:
    """One message received."""

    subject: str
    reply: str
    payload: bytes
    status: int = 0
    """Status of a header line such as `NATS/1.0 503`; 0 without one."""
    headers: bytes = b""


def pub(
    subject: str, payload: bytes, reply: str = "", headers: Mapping[str, str] | None = None
) -> bytes:
    """A PUB frame, or HPUB where there are headers."""
    to = f"{subject} {reply}" if reply else subject
    if not headers:
        return b"PUB %b %d\r\n%b\r\n" % (to.encode(), len(payload), payload)
    head = "NATS/1.0\r\n" + "".join(f"{key}: {value}\r\n" for key, value in headers.items())
    lines = head.encode() + b"\r\n"
    total = len(lines) + len(payload)
    return b"HPUB %b %d %d\r\n%b%b\r\n" % (to.encode(), len(lines), total, lines, payload)


class Cutter:
    """Pieces of a stream in, whole blocks out; the unfinished rest waits for the next piece."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, piece: bytes) -> bytes:
        """All blocks that are complete now, without gaps; may be empty."""
        data = self._tail + piece if self._tail else piece
        end = _complete(data)
        if len(data) - end > TAIL_BYTES_MAX:
            end = data.rfind(b"\r\n") + 2 if b"\r\n" in data else len(data)
        self._tail = data[end:]
        return data[:end] if self._tail else data


def _complete(data: bytes) -> int:
    """The index at which the last complete block ends."""
    end = data.rfind(b"\r\n") + 2
    if end < 2:
        return 0
    at = end
    while (at := data.rfind(b"MSG ", 0, at)) >= 0:
        begin = at - 1 if at > 0 and data[at - 1] == ord("H") else at
        if begin == 0 or data[begin - 1] == ord("\n"):
            line_end = data.find(b"\r\n", at)
            size = data[at:line_end].rpartition(b" ")[2]
            if size.isdigit():
                whole = line_end + 2 + int(size) + 2 <= len(data)
                return end if whole else begin
    return end


# One letter is looked for first, some fifty times faster than a word: surgetank's payloads have
# neither, so that it is nearly always absent.


def pings(blocks: bytes) -> int:
    """PINGs among complete blocks; each wants a PONG."""
    return len(_PING.findall(blocks)) if b"P" in blocks and b"PING\r\n" in blocks else 0


def pongs(blocks: bytes) -> int:
    """PONGs among complete blocks."""
    return len(_PONG.findall(blocks)) if b"P" in blocks and b"PONG\r\n" in blocks else 0


def errors(blocks: bytes) -> list[str]:
    """The error texts of the server (-ERR)."""
    if b"R" not in blocks or b"-ERR " not in blocks:
        return []
    return [found.decode("utf-8", "replace") for found in _ERROR.findall(blocks)]


def messages(blocks: bytes) -> Iterator[Message]:
    """Every message among complete blocks, walking from block to block."""
    at = 0
    while (line_end := blocks.find(b"\r\n", at)) >= 0:
        line, at = blocks[at:line_end], line_end + 2
        fields = line.decode("utf-8", "replace").split(" ")
        if fields[0] == "MSG":
            size = int(fields[-1])
            reply = fields[3] if len(fields) == 5 else ""
            yield Message(fields[1], reply, blocks[at : at + size])
            at += size + 2
        elif fields[0] == "HMSG":
            head, size = int(fields[-2]), int(fields[-1])
            reply = fields[3] if len(fields) == 6 else ""
            headers = blocks[at : at + head]
            status = headers[9:12]
            number = int(status) if status.isdigit() else 0
            yield Message(fields[1], reply, blocks[at + head : at + size], number, headers)
            at += size + 2
