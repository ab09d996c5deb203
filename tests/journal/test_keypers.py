"""Keypers: any t open a batch and sign a beacon, t − 1 do not, and forgers are named."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from functools import cache

import pytest

pytest.importorskip("py_arkworks_bls12381", reason="no keypers; install them with `make build`")

from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from surgetank.errors import SurgetankError
from surgetank.keypers import Beacon, Committee, Keyper, Share, deal, set_up

KEYPERS, THRESHOLD = 5, 3
BATCH, MESSAGE, SENDER = b"batch 7", b"sell 3 at 101", b"account 5"
SUBSETS = list(itertools.combinations(range(KEYPERS), THRESHOLD))


@cache
def committee() -> tuple[Committee, tuple[Keyper, ...]]:
    """Five keypers who dealt to each other, always the same."""
    drawn = random.Random(4).randbytes
    return set_up([deal(dealer, KEYPERS, THRESHOLD, drawn) for dealer in range(KEYPERS)])


def forged(share: Share) -> Share:
    """A well-formed point that is not that share."""
    return replace(share, point=bytes((G1Point() * Scalar(9)).to_compressed_bytes()))


def shares(batch: bytes = BATCH) -> list[Share]:
    """Every keyper's share of a batch."""
    return [keyper.share(batch) for keyper in committee()[1]]


@pytest.mark.parametrize("who", SUBSETS)
def test_any_three_of_five_open_a_batch(who: tuple[int, ...]) -> None:
    public, all_shares = committee()[0], shares()
    encrypted = public.encrypt(BATCH, MESSAGE, SENDER)
    key = public.batch_key(BATCH, [all_shares[n] for n in who])
    assert key.decrypt(encrypted, SENDER) == MESSAGE
    assert len(encrypted) == len(MESSAGE) + 128


def test_two_do_not() -> None:
    public, all_shares = committee()[0], shares()
    for two in itertools.combinations(all_shares, THRESHOLD - 1):
        with pytest.raises(SurgetankError, match="2 valid shares of 3"):
            public.batch_key(BATCH, two)
    # Neither does the same one three times, nor what two points say of a line.
    with pytest.raises(SurgetankError, match="1 valid shares of 3"):
        public.batch_key(BATCH, [all_shares[0]] * 3)
    line = replace(public, threshold=2)
    with pytest.raises(SurgetankError, match="changed") as caught:
        key = line.batch_key(BATCH, all_shares[:2])
        key.decrypt(public.encrypt(BATCH, MESSAGE, SENDER), SENDER)
    assert caught.value.place == "keypers.decrypt"


def test_a_forged_share_is_found_by_name() -> None:
    public, all_shares = committee()[0], shares()
    assert [public.check(share) for share in all_shares] == [True] * KEYPERS
    all_shares[1] = forged(all_shares[1])
    all_shares[4] = replace(all_shares[4], point=b"\xff" * 48)
    assert [public.check(share) for share in all_shares] == [True, False, True, True, False]
    # Three are left, and they are enough.
    assert public.batch_key(BATCH, all_shares) == public.batch_key(BATCH, shares())
    with pytest.raises(SurgetankError, match=r"2 valid shares of 3.*forged: keyper 1, 4"):
        public.batch_key(BATCH, [share for share in all_shares if share.keyper != 2])


def test_a_forgery_in_anothers_name_does_not_push_out_the_true_share() -> None:
    public, all_shares = committee()[0], shares()
    mixed = [*all_shares[:3], forged(all_shares[0])]
    assert public.batch_key(BATCH, mixed) == public.batch_key(BATCH, all_shares)


def test_shares_of_unknown_keypers_batches_and_uses_do_not_count() -> None:
    public, keypers = committee()
    share = keypers[0].share(BATCH)
    assert not public.check(replace(share, keyper=KEYPERS))
    assert not public.check(replace(share, keyper=-1))
    assert not public.check(replace(share, about=b"batch 8"))
    assert not public.check(replace(share, purpose="beacon"))
    signed = [keyper.sign(BATCH) for keyper in keypers]
    with pytest.raises(SurgetankError, match="0 valid shares"):
        public.batch_key(BATCH, signed)
    with pytest.raises(SurgetankError, match="0 valid shares"):
        public.batch_key(BATCH, [replace(share, keyper=2**300)])


def test_a_message_opens_only_as_it_was_sent() -> None:
    public = committee()[0]
    key = public.batch_key(BATCH, shares())
    encrypted = public.encrypt(BATCH, MESSAGE, SENDER)
    for byte in (0, 50, 95, 96, 127, 128, len(encrypted) - 1):
        changed = bytearray(encrypted)
        changed[byte] ^= 1
        with pytest.raises(SurgetankError, match="changed"):
            key.decrypt(bytes(changed), SENDER)
    for cut in (b"", encrypted[:127], encrypted[:-1], encrypted + b"\0"):
        with pytest.raises(SurgetankError, match="changed"):
            key.decrypt(cut, SENDER)
    with pytest.raises(SurgetankError, match="another sender"):
        key.decrypt(encrypted, b"account 6")
    other = public.batch_key(b"batch 8", shares(b"batch 8"))
    with pytest.raises(SurgetankError, match="another batch"):
        other.decrypt(encrypted, SENDER)


def test_the_same_message_does_not_look_the_same_twice() -> None:
    public = committee()[0]
    one, other = (public.encrypt(BATCH, MESSAGE, SENDER) for _ in range(2))
    assert all(a != b for a, b in ((one[:96], other[:96]), (one[128:], other[128:])))
    assert (
        public.batch_key(BATCH, shares()).decrypt(public.encrypt(BATCH, b"", SENDER), SENDER) == b""
    )


def test_the_beacon_is_the_same_whoever_signs() -> None:
    public, keypers = committee()
    signed = [keyper.sign(b"sealed") for keyper in keypers]
    beacons = {public.beacon(b"sealed", [signed[n] for n in who]) for who in SUBSETS}
    (beacon,) = beacons
    assert public.verify(beacon)
    assert len(beacon.seed) == 32
    assert not public.verify(replace(beacon, sealed=b"other"))
    assert not public.verify(Beacon(b"sealed", forged(signed[0]).point))
    assert not public.verify(Beacon(b"sealed", signed[0].point))
    other = public.beacon(b"other", [keyper.sign(b"other") for keyper in keypers])
    assert other.seed != beacon.seed


def test_the_secret_is_what_any_three_have_and_no_dealer_knows() -> None:
    drawn = random.Random(1).randbytes
    dealings = [deal(dealer, KEYPERS, THRESHOLD, drawn) for dealer in range(KEYPERS)]
    public, _ = set_up(dealings)
    alone = [set_up([dealing])[0].public_key for dealing in dealings]
    total = G2Point.identity()
    for key in alone:
        total = total + key
    assert public.public_key == total
    assert public.public_key not in alone


def test_a_cheating_dealer_is_left_out_by_name() -> None:
    drawn = random.Random(2).randbytes
    dealings = [deal(dealer, KEYPERS, THRESHOLD, drawn) for dealer in range(KEYPERS)]
    bad = list(dealings[3].shares)
    bad[1] = bad[1] + Scalar(1)
    dealings[3] = replace(dealings[3], shares=tuple(bad))
    assert [dealings[3].fits(keyper) for keyper in range(3)] == [True, False, True]
    public, keypers = set_up(dealings)
    assert public.excluded == (3,)
    key = public.batch_key(BATCH, [keyper.share(BATCH) for keyper in keypers[2:]])
    assert key.decrypt(public.encrypt(BATCH, MESSAGE, SENDER), SENDER) == MESSAGE
    with pytest.raises(SurgetankError, match="no valid dealing"):
        set_up([dealings[3]])


def test_set_ups_that_cannot_be_are_refused() -> None:
    for threshold in (0, 4):
        with pytest.raises(SurgetankError, match="is not in 1 … 3"):
            deal(0, 3, threshold)
    with pytest.raises(SurgetankError, match="at least one"):
        set_up([])
    with pytest.raises(SurgetankError, match="alike"):
        set_up([deal(0, 3, 2), deal(1, 3, 3)])


def test_one_of_one_and_all_of_all() -> None:
    for keypers, threshold in ((1, 1), (4, 4)):
        public, them = set_up([deal(0, keypers, threshold)])
        key = public.batch_key(BATCH, [keyper.share(BATCH) for keyper in them])
        assert key.decrypt(public.encrypt(BATCH, MESSAGE, SENDER), SENDER) == MESSAGE
    with pytest.raises(SurgetankError, match="3 valid shares of 4"):
        public.batch_key(BATCH, [keyper.share(BATCH) for keyper in them[:3]])


def test_secrets_are_not_shown() -> None:
    _, keypers = committee()
    assert "secret" not in repr(keypers[0])
    assert "shares" not in repr(deal(0, 3, 2))


def test_hashing_to_the_curve_is_rfc_9380() -> None:
    """Appendix J.9.1, the empty message: the library does what the RFC says."""
    point = G1Point.hash_to_curve(b"", b"QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_")
    assert bytes(point.to_xy_bytes_be())[:48].hex() == (
        "052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4"
        "e8cf62d9c09db0fac349612b759e79a1"
    )
