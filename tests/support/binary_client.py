"""A client of a venue's binary protocol, from its page docs/venue-protocol.md alone: frames to the
byte, so that a test can also send wrong ones."""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import struct

from blake3 import blake3

from surgetank.venue.keys import VenueKey

__all__ = ["BUY", "SELL", "BinaryClient", "Cut", "order"]

BUY, SELL = 1, 2
#: More than anything here takes, s.
_LONG_S = 60.0


class Cut(Exception):
    """The venue has ended the connection, for the reason of this number."""


def order(
    account: int, cl_ord_id: int, side: int, price: int, lots: int, *, rests: bool = True
) -> bytes:
    """A limit order, without its number: good till cancelled, or immediate or cancel."""
    sender = struct.pack("<IQ", account, 1)
    in_force = 1 if rests else 3
    return sender + struct.pack("<QHBBBBBqq", cl_ord_id, 0, side, 2, in_force, 0, 0, price, lots)


class BinaryClient:
    """A connection that is logged on."""

    def __init__(self, address: str, key: VenueKey, session: str = "main") -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=_LONG_S)
        self._unread = b""
        self._sent = self._requests = 0
        kind, body = self._receive()
        assert kind == 129
        venue, nonce, now = body[2:18], body[18:50], body[50:58]
        name, said = key.name.encode(), session.encode()
        logon = struct.pack("<H", len(name)) + name + struct.pack("<H", len(said)) + said
        logon += os.urandom(16) + now + bytes([1, 0])
        signed = b"surgetank logon 1" + venue + nonce + logon + b"\0"
        signature = hmac.digest(bytes.fromhex(key.hmac), signed, hashlib.sha256)
        frame = struct.pack("<IB", 0, 1) + logon + bytes([len(signature)]) + signature
        self.socket.sendall(struct.pack("<I", len(frame)) + frame)
        kind, body = self._receive()
        assert kind == 130
        self._key = body[4:36]

    def frame(self, body: bytes) -> bytes:
        """The next frame with this type and body."""
        self._sent += 1
        head = struct.pack("<II", 4 + len(body) + 16, self._sent) + body
        return head + blake3(head, key=self._key).digest(16)

    def requests(self, orders: list[bytes]) -> bytes:
        """The next frame, with these orders."""
        body = struct.pack("<BI", 2, len(orders))
        for rest in orders:
            self._requests += 1
            body += struct.pack("<BBBI", 0, 1, 4, self._requests) + rest + b"\0"
        return self.frame(body)

    def ask(self, *orders: bytes) -> list[tuple[int, int]]:
        """Sends orders and waits for all answers: kind of each, and reason of refusal or place."""
        self.socket.sendall(self.requests(list(orders)))
        answers: list[tuple[int, int]] = []
        while len(answers) < len(orders):
            kind, body = self._receive()
            if kind == 131:
                answers += _answers(body)
        return answers

    def cut(self) -> int:
        """Waits for the end of the connection: its reason."""
        while True:
            try:
                self._receive()
            except Cut as cut:
                return int(cut.args[0])

    def close(self) -> None:
        """Ends the connection without a word."""
        self.socket.close()

    def _receive(self) -> tuple[int, bytes]:
        """Type and body of the next frame; its MAC, if it has one, is left at its end."""
        while len(self._unread) < 4 or len(self._unread) < 4 + self._length():
            more = self.socket.recv(1 << 16)
            if not more:
                raise Cut(0)
            self._unread += more
        frame = self._unread[4 : 4 + self._length()]
        self._unread = self._unread[4 + len(frame) :]
        if frame[4] == 138:
            raise Cut(frame[5])
        return frame[4], frame[5:]

    def _length(self) -> int:
        return int.from_bytes(self._unread[:4], "little")


def _answers(body: bytes) -> list[tuple[int, int]]:
    found, at = [], 8
    for _ in range(int.from_bytes(body[4:8], "little")):
        kind = body[at]
        if kind == 1:
            found.append((kind, int.from_bytes(body[at + 5 : at + 13], "little")))
        elif kind == 2:
            found.append((kind, body[at + 5]))
        else:
            found.append((kind, int.from_bytes(body[at + 5 : at + 13], "little")))
        at += {1: 46, 2: 14, 3: 14}[kind]
    return found
