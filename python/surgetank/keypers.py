"""Threshold encryption and an unbiasable beacon: t of n keypers, on BLS12-381.

The keypers hold a secret s in shares, so that any t of them can use it and t − 1 cannot. With it
they open what was encrypted to a batch, once the batch is sealed, and sign what was sealed, which
gives an unbiasable seed. Batch and beacon are hashed to the curve under different tags, so that the
two uses of the secret are independent.

Sources: Shamir (1979), shares; Feldman (1987), shares that can be checked; Pedersen (1991), a
secret that no dealer knows; Boneh, Franklin (2001), FullIdent: encryption to a name, where the
batch is the name (Shutter does so too); Boneh, Lynn, Shacham (2001) and Boldyreva (2003),
threshold signatures; RFC 9380, hashing to the curve. Curve arithmetic is arkworks'.

Not included: the transport of shares (`crates/layer/src/sealed/keypers.rs`), a secret channel from
a dealer to each keyper, and the dispute over an invalid share. In Pedersen's set-up a dealer who
publishes last can bias the public key (Gennaro et al. 1999), but cannot learn the secret. Nothing
is hardened against timing attacks: this module is for experiments.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from blake3 import blake3

from surgetank.errors import SurgetankError
from surgetank.extras import install_command

try:
    from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar
except ImportError:
    raise SurgetankError(
        "threshold encryption needs `py-arkworks-bls12381`",
        place="surgetank.keypers",
        hint=install_command("threshold"),
    ) from None

__all__ = ["BatchKey", "Beacon", "Committee", "Dealing", "Keyper", "Share", "deal", "set_up"]

Random = Callable[[int], bytes]
"""A source of random bytes by their number: `secrets.token_bytes`, or a seeded one in tests."""

Purpose = Literal["batch", "beacon"]

#: Domain separation tags (RFC 9380, 3.1). The beacon's is that of a plain BLS signature in G1, so
#: any library for those can check it.
TAGS: dict[Purpose, bytes] = {
    "batch": b"SURGETANK-BATCH-V01-BLS12381G1_XMD:SHA-256_SSWU_RO_",
    "beacon": b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_",
}
G1_BYTES, G2_BYTES, SEED_BYTES = 48, 96, 32


@dataclass(frozen=True)
class Dealing:
    """The output of one dealer: commitments for all, and a share for each keyper alone."""

    dealer: int
    #: aⱼ·G₂ for the coefficients aⱼ of the dealer's polynomial, j = 0 … t − 1.
    commitments: tuple[G2Point, ...]
    #: f(i + 1) for keyper i. Secret: only keyper i may see the i-th.
    shares: tuple[Scalar, ...] = field(repr=False)

    def fits(self, keyper: int) -> bool:
        """Feldman's check of a keyper's share: f(i)·G₂ = Σⱼ iʲ·(aⱼ·G₂)."""
        return G2Point() * self.shares[keyper] == _at(self.commitments, keyper)


@dataclass(frozen=True)
class Share:
    """A keyper's part of a batch's key or of a beacon: its secret times the hashed name."""

    keyper: int
    purpose: Purpose
    about: bytes
    #: A compressed point of G₁, 48 bytes.
    point: bytes


@dataclass(frozen=True)
class Keyper:
    """One keyper, numbered from 0, with its share of the secret."""

    number: int
    secret: Scalar = field(repr=False)

    def share(self, batch: bytes) -> Share:
        """Its part of a batch's key. Publishing it before the batch is sealed is collusion."""
        return self._share("batch", batch)

    def sign(self, sealed: bytes) -> Share:
        """Its part of the beacon over what was sealed."""
        return self._share("beacon", sealed)

    def _share(self, purpose: Purpose, about: bytes) -> Share:
        point = _hashed(purpose, about) * self.secret
        return Share(self.number, purpose, about, bytes(point.to_compressed_bytes()))


@dataclass(frozen=True)
class Beacon:
    """A threshold signature: independent of who signed, and unknown until t have."""

    sealed: bytes
    #: A compressed point of G₁, 48 bytes.
    signature: bytes

    @property
    def seed(self) -> bytes:
        """The seed: 32 bytes that no party could choose."""
        return _hash("seed", self.signature)


@dataclass(frozen=True)
class BatchKey:
    """The key that decrypts messages of one batch."""

    batch: bytes
    point: G1Point

    def decrypt(self, encrypted: bytes, sender: bytes) -> bytes:
        """The plaintext that `Committee.encrypt` was given.

        Raises:
            SurgetankError: if it was changed, or encrypted to another batch or by another sender.
        """
        wrong = SurgetankError(
            "the message was changed, or is for another batch or from another sender",
            place="keypers.decrypt",
            hint="Leave its place in the batch empty",
        )
        if len(encrypted) < G2_BYTES + SEED_BYTES:
            raise wrong
        try:
            point = G2Point.from_compressed_bytes(encrypted[:G2_BYTES])
        except ValueError:
            raise wrong from None
        masked, body = encrypted[G2_BYTES:][:SEED_BYTES], encrypted[G2_BYTES + SEED_BYTES :]
        salt = _xor(masked, _hash("mask", _bytes(GT.pairing(self.point, point))))
        message = _xor(body, _hash("body", salt, length=len(body)))
        if G2Point() * _exponent(salt, sender, message) != point:
            raise wrong
        return message


@dataclass(frozen=True)
class Committee:
    """The public data of the keypers."""

    threshold: int
    public_key: G2Point
    share_keys: tuple[G2Point, ...]
    #: Dealers whose shares did not fit their commitments; their dealings were left out.
    excluded: tuple[int, ...] = ()

    def encrypt(
        self, batch: bytes, message: bytes, sender: bytes, random: Random = secrets.token_bytes
    ) -> bytes:
        """A message that can be read once the batch's key is there; 128 bytes longer.

        r·G₂ ‖ salt ⊕ H(e(r·H₁(batch), s·G₂)) ‖ message ⊕ H(salt), r = H(salt, sender, message).
        The sender is bound, so a copy cannot be sent by another; the length is not hidden.
        """
        salt = random(SEED_BYTES)
        exponent = _exponent(salt, sender, message)
        shared = GT.pairing(_hashed("batch", batch) * exponent, self.public_key)
        point = bytes((G2Point() * exponent).to_compressed_bytes())
        masked = _xor(salt, _hash("mask", _bytes(shared)))
        return point + masked + _xor(message, _hash("body", salt, length=len(message)))

    def check(self, share: Share) -> bool:
        """Whether a share is valid for that keyper: e(σᵢ, G₂) = e(H₁(about), sᵢ·G₂)."""
        if not 0 <= share.keyper < len(self.share_keys):
            return False
        point = _point(share.point)
        key = self.share_keys[share.keyper]
        return point is not None and _fits(point, _hashed(share.purpose, share.about), key)

    def batch_key(self, batch: bytes, shares: Iterable[Share]) -> BatchKey:
        """A batch's key of any t shares.

        Raises:
            SurgetankError: if fewer than t keypers sent a valid one; the error names the forgers.
        """
        return BatchKey(batch, self._combine("batch", batch, shares))

    def beacon(self, sealed: bytes, shares: Iterable[Share]) -> Beacon:
        """The beacon over what was sealed, of any t shares.

        Raises:
            SurgetankError: if fewer than t keypers sent a valid one; the error names the forgers.
        """
        point = self._combine("beacon", sealed, shares)
        return Beacon(sealed, bytes(point.to_compressed_bytes()))

    def verify(self, beacon: Beacon) -> bool:
        """Whether t keypers signed, by one pairing check: e(σ, G₂) = e(H₁(sealed), s·G₂)."""
        point = _point(beacon.signature)
        return point is not None and _fits(point, _hashed("beacon", beacon.sealed), self.public_key)

    def _combine(self, purpose: Purpose, about: bytes, shares: Iterable[Share]) -> G1Point:
        shares = [
            share
            for share in shares
            if (share.purpose, share.about) == (purpose, about)
            and 0 <= share.keyper < len(self.share_keys)
        ]
        hashed = _hashed(purpose, about)
        # One check of all shares together comes first; shares are checked one by one only if it
        # fails.
        whole = self._interpolated({share.keyper: share for share in shares})
        if whole is not None and _fits(whole, hashed, self.public_key):
            return whole
        valid = {share.keyper: share for share in shares if self.check(share)}
        whole = self._interpolated(valid)
        if whole is not None:
            return whole
        forgers = sorted({share.keyper for share in shares} - set(valid))
        named = f"; forged: keyper {', '.join(map(str, forgers))}" if forgers else ""
        raise SurgetankError(
            f"{len(valid)} valid shares of {self.threshold} that are needed{named}",
            place=f"keypers.{purpose}",
            hint="Ask the other keypers, or skip the batch",
        )

    def _interpolated(self, shares: dict[int, Share]) -> G1Point | None:
        """Lagrange's polynomial through t of the shares, at 0; None if they are too few."""
        points = {n: _point(share.point) for n, share in sorted(shares.items())}
        known = {n: point for n, point in points.items() if point is not None}
        if len(known) < self.threshold:
            return None
        chosen = dict(list(known.items())[: self.threshold])
        return G1Point.multiexp_unchecked(list(chosen.values()), _lagrange(list(chosen)))


def deal(
    dealer: int, keypers: int, threshold: int, random: Random = secrets.token_bytes
) -> Dealing:
    """One dealer's part of the set-up, checkable by every keyper (Feldman).

    Raises:
        SurgetankError: if the threshold is not in 1 … `keypers`.
    """
    if not 1 <= threshold <= keypers:
        raise SurgetankError(
            f"a threshold of {threshold} is not in 1 … {keypers}", place="keypers.deal"
        )
    # 64 bytes modulo the 255-bit order: the bias is below 2⁻²⁵⁶.
    coefficients = [Scalar.from_le_bytes_mod_order(random(64)) for _ in range(threshold)]
    shares = []
    for keyper in range(keypers):
        value = Scalar(0)
        for coefficient in reversed(coefficients):
            value = value * Scalar(keyper + 1) + coefficient
        shares.append(value)
    return Dealing(dealer, tuple(G2Point() * a for a in coefficients), tuple(shares))


def set_up(dealings: Sequence[Dealing]) -> tuple[Committee, tuple[Keyper, ...]]:
    """The committee of these dealings and its keypers (Pedersen): secrets are sums of shares.

    With one dealing its dealer is trusted: it knows the whole secret. With one dealing from every
    keyper no party knows it, if at least one of them was honest. Dealings with a share that does
    not fit are left out, and named in `Committee.excluded`.

    Raises:
        SurgetankError: if there is no dealing, they differ in size, or none is left.
    """
    sizes = {(len(dealing.shares), len(dealing.commitments)) for dealing in dealings}
    if len(sizes) != 1:
        raise SurgetankError(
            "dealings must be at least one, and alike in keypers and threshold",
            place="keypers.set_up",
        )
    ((keypers, threshold),) = sizes
    good = [d for d in dealings if all(d.fits(keyper) for keyper in range(keypers))]
    excluded = tuple(sorted({d.dealer for d in dealings} - {d.dealer for d in good}))
    if not good:
        raise SurgetankError("no valid dealing is left", place="keypers.set_up")
    commitments = [_sum(points) for points in zip(*(d.commitments for d in good), strict=True)]
    keys = tuple(_at(commitments, keyper) for keyper in range(keypers))
    held = [Scalar(0)] * keypers
    for dealing in good:
        held = [s + share for s, share in zip(held, dealing.shares, strict=True)]
    committee = Committee(threshold, commitments[0], keys, excluded)
    return committee, tuple(Keyper(n, secret) for n, secret in enumerate(held))


def _hashed(purpose: Purpose, about: bytes) -> G1Point:
    return G1Point.hash_to_curve(about, TAGS[purpose])


def _fits(point: G1Point, hashed: G1Point, key: G2Point) -> bool:
    """Whether e(point, G₂) = e(hashed, key), by one product of two pairings."""
    return GT.pairing_check([point, -hashed], [G2Point(), key])


def _point(compressed: bytes) -> G1Point | None:
    try:
        return G1Point.from_compressed_bytes(compressed)
    except ValueError:
        return None


def _at(commitments: Sequence[G2Point], keyper: int) -> G2Point:
    """Σⱼ (keyper + 1)ʲ·commitments[j], by Horner."""
    value = G2Point.identity()
    for commitment in reversed(commitments):
        value = value * Scalar(keyper + 1) + commitment
    return value


def _sum(points: Iterable[G2Point]) -> G2Point:
    total = G2Point.identity()
    for point in points:
        total = total + point
    return total


def _lagrange(keypers: Sequence[int]) -> list[Scalar]:
    """λᵢ = Πⱼ≠ᵢ xⱼ/(xⱼ − xᵢ) with x = number + 1."""
    weights = []
    for i in keypers:
        above, below = Scalar(1), Scalar(1)
        for j in keypers:
            if j != i:
                above = above * Scalar(j + 1)
                below = below * (Scalar(j + 1) - Scalar(i + 1))
        weights.append(above / below)
    return weights


def _exponent(salt: bytes, sender: bytes, message: bytes) -> Scalar:
    return Scalar.from_le_bytes_mod_order(_hash("exponent", salt, sender, message, length=64))


def _bytes(element: GT) -> bytes:
    """The 576 bytes of an element of the target group; the library shows them in hex only."""
    return bytes.fromhex(str(element))


def _hash(use: str, *parts: bytes, length: int = SEED_BYTES) -> bytes:
    """BLAKE3 of the parts, each with its length before it, under a context of its own."""
    hasher = blake3(derive_key_context=f"surgetank keypers 1 {use}")
    for part in parts:
        hasher.update(len(part).to_bytes(8, "little"))
        hasher.update(part)
    return hasher.digest(length=length)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
