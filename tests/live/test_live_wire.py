"""Payloads and what is found of them in a stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from surgetank.live.payload import Finder, Scanner, decode, encode, numbers_in, traceparent_of

RUN = 0x5EED
PARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"
NUMBERS = some.lists(some.integers(0, 2**32 - 1), max_size=300)


@given(some.integers(0, 2**32 - 1), some.integers(0, 300), some.booleans())
def test_what_is_encoded_is_decoded(number: int, size: int, sampled: bool) -> None:
    payload = encode(RUN, number, size, PARENT if sampled else None)
    assert decode(RUN, payload) == number
    assert decode(RUN + 1, payload) is None
    assert traceparent_of(payload) == (PARENT if sampled else None)
    assert len(payload) == max(size, 21 + 55 * sampled)
    assert payload.isascii()


@given(some.binary(max_size=60))
def test_a_foreign_payload_is_none(payload: bytes) -> None:
    assert decode(RUN, payload) is None or payload.startswith(b"SGT1%08x" % RUN)


@given(NUMBERS, some.lists(some.integers(0, 40_000), max_size=12), some.integers(21, 120))
def test_a_stream_cut_anywhere_has_the_same_numbers(
    numbers: list[int], cuts: list[int], size: int
) -> None:
    payloads = [encode(RUN, number, size) for number in numbers]
    stream = b"\r\nMSG x 1 99\r\n".join(payloads)
    assert numbers_in(RUN, payloads).tolist() == numbers
    assert Finder(RUN).numbers(stream).tolist() == numbers
    scanner, found, at = Scanner(RUN), [], 0
    for cut in [*sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]:
        found += scanner.feed(stream[at:cut]).tolist()
        at = cut
    assert found == numbers


def test_other_runs_are_left_out_of_large_pieces() -> None:
    mixed = b"".join(encode(RUN + i % 2, i, 64) for i in range(1_000))
    assert Finder(RUN).numbers(mixed).tolist() == list(range(0, 1_000, 2))
