"""Messages as orders: what is sent for one, and how it is found in the journal.

A message is a limit order for one lot at the opening price, so that every second one trades with
the one before. Its ClOrdID has the run's number above the message's. Zeros bring it to the size of
the message, where that is larger than an order. Bytes: docs/venue-protocol.md and docs/journal.md.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np
import numpy.typing as npt

from surgetank.live.payload import Numbers

__all__ = ["ACCOUNTS", "FIRST_ACCOUNT", "MESSAGES_MAX", "batch_numbers", "cl_ord_id", "order"]

#: Accounts that orders are dealt out to, and the number of the first.
ACCOUNTS: Final = 1024
FIRST_ACCOUNT: Final = 1_000
_NUMBER_BITS: Final = 28
MESSAGES_MAX: Final = 1 << _NUMBER_BITS
#: Opening price of the venue's market: 60,000 USD in ticks of 0.1 USD.
_PRICE_TICKS: Final = 600_000

# version, class (4: a new order), number of the request, account, sent_ns, ClOrdID, market, side,
# type (2: limit), time in force (1: good till cancel), post only, reduce only, price, quantity
_MESSAGE: Final = struct.Struct("<BBIIQQHBBBBBqq")
_PADDING: Final = struct.Struct("<BH")
_PLAIN, _PADDED = 0, 8
_PADDING_MAX: Final = 4096
#: Offset of the ClOrdID in a message.
_CL_ORD_ID: Final = 18
_TICKET_BYTES: Final = 18
_COUNT: Final = struct.Struct("<I")


def cl_ord_id(run: int, number: int) -> int:
    """The ClOrdID of a run's message."""
    return run << _NUMBER_BITS | number


def order(run: int, number: int, account: int, size_bytes: int, sent_ns: int) -> bytes:
    """The request for a message."""
    side = 1 + number % 2
    account = FIRST_ACCOUNT + account % ACCOUNTS
    ident = cl_ord_id(run, number)
    message = _MESSAGE.pack(
        1, 4, 0, account, sent_ns, ident, 0, side, 2, 1, False, False, _PRICE_TICKS, 1
    )
    padding = min(size_bytes - len(message) - _PADDING.size, _PADDING_MAX)
    if padding < 1:
        return bytes([_PLAIN]) + message
    return _PADDING.pack(_PADDED, padding) + bytes(padding) + message


def batch_numbers(run: int, frame: bytes) -> Numbers:
    """Numbers of the run's messages in a batch of the journal, in its order; none for a head."""
    if not frame.startswith(b"SGTB"):
        return np.empty(0, dtype=np.int64)
    at = 12 + _COUNT.unpack_from(frame, 8)[0]
    (count,) = _COUNT.unpack_from(frame, at)
    idents, at = _cl_ord_ids(frame, at + 4, count)
    (checks,) = _COUNT.unpack_from(frame, at)
    at += 4 + 8 * checks
    (ordered,) = _COUNT.unpack_from(frame, at)
    order_of = np.frombuffer(frame, dtype="<u4", count=ordered, offset=at + 4)
    found = idents[order_of]
    ours: npt.NDArray[np.uint64] = found[found >> np.uint64(_NUMBER_BITS) == run]
    numbers: Numbers = (ours & np.uint64(MESSAGES_MAX - 1)).astype(np.int64)
    return numbers


def _cl_ord_ids(frame: bytes, at: int, count: int) -> tuple[npt.NDArray[np.uint64], int]:
    """ClOrdIDs of the inputs that are orders, 0 for others, and the byte after the inputs."""
    idents = np.zeros(count, dtype=np.uint64)
    for i in range(count):
        at += _TICKET_BYTES
        (length,) = _COUNT.unpack_from(frame, at)
        at += 4
        if frame[at] in (_PLAIN, _PADDED):
            start = at + 1
            if frame[at] == _PADDED:
                start = at + _PADDING.size + _PADDING.unpack_from(frame, at)[1]
            if frame[start + 1] == 4:
                idents[i] = int.from_bytes(frame[start + _CL_ORD_ID : start + 26], "little")
        at += length
    return idents, at
