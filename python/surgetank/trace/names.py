"""Enumerations of the trace's tables. A cell holds a member's number; its name is `label`.

The core declares them (`surgetank._core.names`, crates/lab/src/trace/names.rs); `simulate` checks
that both agree when it first calls the core.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final, Self

from surgetank.errors import SurgetankError

__all__ = [
    "CLASSES",
    "CLIENT_CLASSES",
    "NAMES",
    "STAGES",
    "WAITS",
    "Bearer",
    "Deferral",
    "Knob",
    "MarketKind",
    "MessageClass",
    "Outcome",
    "OutcomeReason",
    "Quantity",
    "Resource",
    "Source",
    "Why",
    "check_names",
]


class _Numbered(IntEnum):
    """Members are numbered from 0 in the order of declaration; each has a name."""

    label: str

    def __new__(cls, label: str) -> Self:
        member = int.__new__(cls, len(cls.__members__))
        member._value_ = len(cls.__members__)
        member.label = label
        return member

    @classmethod
    def named(cls, label: str) -> Self:
        """The member of this name.

        Raises:
            KeyError: there is none.
        """
        for member in cls:
            if member.label == label:
                return member
        raise KeyError(label)

    @classmethod
    def labels(cls) -> tuple[str, ...]:
        """All names, indexed by number."""
        return tuple(member.label for member in cls)


class MessageClass(_Numbered):
    """The class of a message: `messages.class`."""

    PRICE_UPDATE = "price-update"
    LIQUIDATION_ORDER = "liquidation-order"
    CANCEL = "cancel"
    REPLACE = "replace"
    ORDER = "order"
    EXECUTION_REPORT = "execution-report"
    PROPOSAL = "proposal"
    VOTE = "vote"


CLASSES: Final = MessageClass.labels()
"""Names of the classes, indexed by number."""

CLIENT_CLASSES: Final = CLASSES[:5]
"""Names of the classes that clients send."""


class Outcome(_Numbered):
    """The outcome of a message: `messages.outcome`."""

    PENDING = "pending"
    EXECUTED = "executed"
    REFUSED = "refused"
    LOST = "lost"


class OutcomeReason(_Numbered):
    """Why a message was refused or lost: `messages.reason`."""

    NONE = "none"
    INGRESS_FULL = "ingress full"
    MEMPOOL_FULL = "mempool full"
    GATEWAY_DOWN = "gateway down"
    EXPIRED = "expired"
    PACKET_LOST = "packet lost"
    SHED = "shed"
    RATE_EXCEEDED = "rate exceeded"
    FEE_TOO_LOW = "fee too low"
    CANCELLED_BEFORE = "cancelled before"
    NOT_REVEALED = "not revealed"
    THROTTLED = "throttled"
    # In live runs only.
    TIMED_OUT = "timed out"
    DISCONNECTED = "disconnected"
    TARGET_REFUSED = "target refused"
    NOT_SENT = "not sent"
    ACKNOWLEDGED_AND_LOST = "acknowledged and lost"


class Quantity(_Numbered):
    """The quantity that is measured of a fault, with its unit last. The table `faults` has the
    names themselves."""

    PACKETS_LOST = "packets_lost_share"
    ADDED_DELAY = "added_delay_ms"
    EVENTS_WHILE_DOWN = "events_while_down"
    SERVICE_FACTOR = "service_factor"
    ADDED_SHARE_DELAY = "added_share_delay_ms"
    SHARES_SENT = "shares_sent_per_block"
    KEYPERS_COLLUDING = "keypers_colluding_share"
    SPAM_PER_S = "spam_per_s"
    # Of live runs alone, as most of those above are of simulations.
    SEGMENTS_LOST = "segments_lost_share"
    BYTES_PASSED = "bytes_passed"
    CONNECTIONS_WHILE_DOWN = "connections_while_down"
    CONNECTIONS_LEFT = "connections_left"
    BANDWIDTH = "bandwidth_mbps"
    FREE_BYTES = "free_bytes"
    IN_FORCE = "in_force_s"
    DOWN = "down_s"


class Source(_Numbered):
    """The kind of sender of a message: `messages.source`."""

    BACKGROUND = "background"
    MAKER = "maker"
    ORACLE = "oracle"
    KEEPER = "keeper"
    PANIC = "panic"
    SPAM = "spam"
    TAPE = "tape"
    ATTACKER = "attacker"


class MarketKind(_Numbered):
    """The kind of a market event: `market.kind`."""

    INDEX = "index"
    ORACLE = "oracle"
    MARK = "mark"
    TRADE = "trade"
    DUE = "due"
    LIQUIDATION_SENT = "liquidation-sent"
    LIQUIDATED = "liquidated"
    BAD_DEBT = "bad-debt"
    INSURANCE = "insurance"
    DELEVERAGED = "deleveraged"
    MARGIN_CALL = "margin-call"
    NOT_LIQUIDATABLE = "not-liquidatable"
    LIQUIDATION_TRADE = "liquidation-trade"
    RECOVERED = "recovered"
    LIQUIDATION_DEFERRED = "liquidation-deferred"
    TAKEN_OVER = "taken-over"
    UNDERWATER = "underwater"
    TOUCH = "touch"
    ORDER_SENT = "order-sent"
    CLOSED = "closed"
    FUNDING = "funding"
    COLLATERAL_SOLD = "collateral-sold"


class Bearer(_Numbered):
    """The bearer of a loss beyond an account's collateral: `market.code` of `BAD_DEBT`."""

    INSURANCE = "insurance"
    DELEVERAGED = "deleveraged"
    VENUE = "venue"
    VAULT = "vault"


class Deferral(_Numbered):
    """Why a liquidation was deferred: `market.code` of `LIQUIDATION_DEFERRED`."""

    AGAIN = "tried in this block already"
    ACCOUNT_NOTIONAL = "notional of the account"
    INSURANCE_LOST = "insurance lost by the account"
    ATTEMPTS = "attempts in the block"
    DELEVERAGING_ATTEMPTS = "deleveraging attempts in the block"
    AUCTION = "auction asks more than is bid"


class Knob(_Numbered):
    """The setting of a node that was changed: `decisions.knob`."""

    BATCH_MESSAGES_MAX = "batch_messages_max"
    WINDOW_NS = "window_ns"
    ADMISSION_LIMIT = "admission_limit"
    WEIGHT_PRICE_UPDATE = "weight of price-update"
    WEIGHT_LIQUIDATION_ORDER = "weight of liquidation-order"
    WEIGHT_CANCEL = "weight of cancel"
    WEIGHT_REPLACE = "weight of replace"
    WEIGHT_ORDER = "weight of order"
    WEIGHT_EXECUTION_REPORT = "weight of execution-report"
    WEIGHT_PROPOSAL = "weight of proposal"
    WEIGHT_VOTE = "weight of vote"
    TIMEOUT_COMMIT_NS = "timeout_commit_ns"
    TIMEOUT_PROPOSE_NS = "timeout_propose_ns"
    TIMEOUT_VOTE_NS = "timeout_vote_ns"
    THROTTLE = "throttle"


class Why(_Numbered):
    """The reason of the change: `decisions.why`."""

    NONE = ""
    BOUNDS = "bounds"
    SOJOURN_ABOVE = "sojourn above target"
    SOJOURN_BELOW = "sojourn below target"
    GRADIENT = "gradient"
    OUTSIDE = "outside"
    CONGESTION_RISES = "congestion rises"
    CONGESTION_FALLS = "congestion falls"


class Resource(_Numbered):
    """Resources that a message can wait for: `wait_places.resource`, and column `<name>_ns` of
    `waits`."""

    CLIENT_LINK = "client_link"
    DISTANCE = "distance"
    BANDWIDTH = "bandwidth"
    VALIDATION_OWN = "validation_own"
    VALIDATION_OTHERS = "validation_others"
    CONSENSUS = "consensus"
    EXECUTION_OWN = "execution_own"
    EXECUTION_OTHERS = "execution_others"
    TIMERS = "timers"
    BLOCK_SPACE = "block_space"
    ADMISSION = "admission"
    LOSS = "loss"
    RULES = "rules"
    FAULTS = "faults"
    OTHER = "other"


WAITS: Final = Resource.labels()
"""Names of the resources, indexed by number. The columns of `waits` sum exactly to
executed − created (docs/attribution.md)."""

NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "class": CLASSES,
        "outcome": Outcome.labels(),
        "reason": OutcomeReason.labels(),
        "source": Source.labels(),
        "market_kind": MarketKind.labels(),
        "bearer": Bearer.labels(),
        "deferral": Deferral.labels(),
        "knob": Knob.labels(),
        "why": Why.labels(),
        "resource": Resource.labels(),
        "quantity": Quantity.labels(),
    }
)
"""Enumeration → names, indexed by number, as in the core."""

STAGES: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "client_link": ("created_ns", "gateway_ns"),
        "admission": ("gateway_ns", "admitted_ns"),
        "propagation": ("admitted_ns", "queued_ns"),
        "queueing": ("queued_ns", "proposed_ns"),
        "ordering": ("proposed_ns", "decided_ns"),
        "execution": ("decided_ns", "executed_ns"),
    }
)
"""Stage → (stamp at its begin, stamp at its end). Neighbours share a stamp, so the stages sum
exactly to executed − created."""


def check_names(declared: Mapping[str, tuple[str, ...]]) -> None:
    """Checks that the core's enumerations have the same names and numbers as this package's.

    Raises:
        SurgetankError: naming the enumerations that differ.
    """
    differing = sorted(n for n in {*NAMES, *declared} if NAMES.get(n) != declared.get(n))
    if differing:
        raise SurgetankError(
            f"is of another version than this package ({', '.join(differing)} differ)",
            place="surgetank._core",
            hint="Build it with `make build` or `pip install .`",
        )
