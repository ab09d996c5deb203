"""Named presets, each with its source. Keys given in the scenario override the preset's.

- `layer.queue.rule`: see `surgetank.scenario.rule`.
- `[network] preset = "aws-13"`: one-way delays between 13 AWS zones, as CometBFT's end-to-end tests
  emulate them (σ = delay/20, normal). Source: cometbft/cometbft,
  test/e2e/pkg/files/aws-latencies.csv, Apache-2.0.
- `venue = "dydx-v4"`: dydxprotocol/v4-chain at 84d4664b (2026-03): genesis, daemon flags, CometBFT
  configuration. Large-cap tier: initial 2 %, maintenance .6 of it; liquidation fee at most 1.5 %;
  liquidation daemon every 1.6 s, price daemon every 3 s; TimeoutCommit 500 ms, TimeoutPropose 1 s;
  mempool of 100,000 messages; limits per block, fillable price. (Initial margin that grows with
  open interest does not apply to the large-cap tier.) Not honoured yet: short-term order windows.
  Liquidations are keepers' messages, not the proposer's. Market orders are immediate-or-cancel with
  a worst price 5 % away (MARKET_ORDER_MAX_SLIPPAGE of the front end, dydxprotocol/v4-web); the
  chain has no price bands, and liquidations stop at the fillable price. A short-term order is
  replaced by another of its client id: makers replace.
- `venue = "hyperliquid"`: hyperliquid.gitbook.io (liquidations, oracle, L1 overview): maintenance
  is half of initial margin (50×: 2 % and 1 %), oracle every 3 s, cancels before other actions, mark
  = median; of positions above 100,000 USD 20 % first, then for 30 s all; a vault below 2/3 of
  maintenance (its size is ours). Blocks of about 70 ms (Alchemy). HyperBFT is approximated by one
  sequencer with such a window: its votes are not modelled. Inside a block: what takes nothing, then
  cancels, then the rest (rule `class`). Market orders are immediate-or-cancel 5 % away
  (DEFAULT_SLIPPAGE, hyperliquid-dex/hyperliquid-python-sdk); "Order price cannot be more than 80 %
  away from the reference price" (its error, as clients quote it), liquidations included, which go
  to the book as market orders. Makers cancel and post, as that order rewards.
- `venue = "binance"`: Binance USD-M futures, `GET /fapi/v1/exchangeInfo` of BTCUSDT:
  `marketTakeBound` .05 (a market order's greatest distance from the mark), filter `PERCENT_PRICE`
  multiplierUp 1.05 and multiplierDown .95, against the mark, on both sides. Liquidations are
  immediate-or-cancel limit orders (its help pages), here within the same 5 %. One sequencer; its
  times and margin are the scenario's own.
- `venue = "deribit"`: insights.deribit.com, "Trading bandwidths & limits": nothing trades beyond
  the mark ± 1.5 % (BTC perpetual, at the time of writing). Makers replace (its API's `edit`). One
  sequencer; its times and margin are the scenario's own. Deribit moves a price beyond the limit to
  the limit, where the band here refuses the order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from surgetank.errors import SurgetankError
from surgetank.scenario.dotted import nested, value_at
from surgetank.scenario.rule import MATCHING, RULE, name_of, settings

ZONES: Final = (
    "N_Virginia",
    "Canada",
    "N_California",
    "London",
    "Oregon",
    "Ireland",
    "Frankfurt",
    "S_Paulo",
    "Tokyo",
    "Mumbai",
    "Sydney",
    "Seoul",
    "Singapore",
)

#: One-way delay from row to column, ms. The measured matrix is not exactly symmetric.
_MATRIX_MS: Final = (
    (0, 7, 30, 38, 39, 33, 44, 58, 73, 93, 98, 87, 105),
    (7, 0, 38, 39, 29, 35, 46, 63, 70, 94, 97, 85, 103),
    (30, 39, 0, 68, 10, 68, 75, 88, 54, 116, 69, 67, 86),
    (38, 39, 68, 0, 63, 5, 8, 94, 104, 56, 131, 118, 82),
    (39, 29, 10, 63, 0, 59, 68, 88, 49, 109, 69, 63, 84),
    (33, 35, 68, 5, 59, 0, 13, 88, 100, 61, 127, 114, 90),
    (44, 46, 75, 8, 68, 13, 0, 101, 111, 60, 143, 109, 77),
    (58, 63, 88, 94, 88, 89, 101, 0, 128, 151, 155, 142, 161),
    (73, 70, 54, 104, 49, 100, 111, 128, 0, 60, 57, 16, 39),
    (93, 94, 116, 56, 109, 61, 60, 151, 60, 0, 76, 57, 27),
    (98, 97, 69, 131, 69, 127, 143, 155, 57, 76, 0, 69, 45),
    (87, 84, 67, 118, 63, 114, 109, 142, 17, 57, 69, 0, 36),
    (105, 103, 86, 82, 81, 90, 77, 161, 39, 27, 45, 36, 0),
)


def aws_matrix_ms() -> list[list[float]]:
    """13 × 13 one-way delays in milliseconds, in the order of `ZONES`."""
    return [[float(value) for value in row] for row in _MATRIX_MS]


def _networks() -> dict[str, dict[str, Any]]:
    delay = {"kind": "regions", "names": list(ZONES), "matrix_ms": aws_matrix_ms()}
    return {"aws-13": {"delay": delay | {"intra_ms": 0.5, "jitter": 0.05}}}


_VENUES: Final[Mapping[str, Mapping[str, Any]]] = {
    "dydx-v4": {
        "flow": {
            "oracle": {"interval_ms": 3_000.0},
            "keepers": {"reaction_ms": 1_600.0},
            "makers": {"requote": "replace"},
        },
        "layer": {
            "gossip": {"kind": "flood"},
            "queue": {"mempool_max": 100_000},
            "consensus": {
                "kind": "tendermint",
                "timeout_commit_ms": 500.0,
                "timeout_propose_ms": 1_000.0,
            },
        },
        "market": {
            "mark": "oracle",
            "protection": {"slippage_bp": 500.0, "liquidation_bp": 0.0},
            "margin": {
                "mode": "cross",
                "initial": 0.02,
                "maintenance": 0.012,
                "liquidation_fee_bp": 150.0,
                "fillable": {"bankruptcy_adjustment": 1.0, "spread_to_maintenance": 1.5},
                "per_block": {
                    "position_share": 0.1,
                    "position_min_usd": 1_000.0,
                    "account_usd": 100_000.0,
                    "account_insurance_usd": 1_000_000.0,
                    "attempts": 50,
                    "deleveraging_attempts": 10,
                },
            },
        },
    },
    "hyperliquid": {
        "flow": {"oracle": {"interval_ms": 3_000.0}, "makers": {"requote": "cancel-new"}},
        "layer": {
            "gossip": {"kind": "direct"},
            "queue": {"rule": "class"},
            "consensus": {"kind": "single", "window_ms": 70.0},
        },
        "market": {
            "mark": "median",
            "protection": {
                "slippage_bp": 500.0,
                "band_bp": 8_000.0,
                "far_bp": 8_000.0,
                "liquidation_bp": 8_000.0,
            },
            "margin": {
                "mode": "cross",
                "initial": 0.02,
                "maintenance": 0.01,
                "partial": {"above_usd": 100_000.0, "share": 0.2, "cooldown_ms": 30_000.0},
                "backstop": {"below": 0.666667, "vault_usd": 100_000_000.0},
            },
        },
    },
    "binance": {
        "layer": {"gossip": {"kind": "direct"}, "consensus": {"kind": "single"}},
        "market": {
            "protection": {
                "slippage_bp": 500.0,
                "band_bp": 500.0,
                "far_bp": 500.0,
                "liquidation_bp": 500.0,
            }
        },
    },
    "deribit": {
        "flow": {"makers": {"requote": "replace"}},
        "layer": {"gossip": {"kind": "direct"}, "consensus": {"kind": "single"}},
        "market": {"protection": {"slippage_bp": 150.0, "band_bp": 150.0, "liquidation_bp": 150.0}},
    },
}

VENUES: Final = tuple(_VENUES)
#: Keys of a scenario that name a preset.
KEYS: Final = ("venue", "network.preset", RULE)


def names_of(key: str) -> tuple[str, ...]:
    """Names of the presets of `venue` or of `network.preset`."""
    return tuple({"venue": _VENUES, "network.preset": _networks()}[key])


def expand(data: Mapping[str, Any]) -> dict[str, Any]:
    """The scenario's data with its presets filled in; keys that the scenario sets itself have
    precedence.

    Raises:
        SurgetankError: if there is no such preset.
    """
    whole = _ruled(data, data)
    if "venue" in whole:
        venue = whole.pop("venue")
        whole = _under(_ruled(_of_venue(venue, whole), whole), whole)
    network = whole.get("network")
    if isinstance(network, Mapping) and "preset" in network:
        own = {key: value for key, value in network.items() if key != "preset"}
        preset = _chosen(network["preset"], _networks(), "network.preset")
        whole["network"] = _under(preset, own)
    return _named(whole)


def over(data: Mapping[str, Any], key: str, name: Any) -> dict[str, Any]:
    """A complete scenario with a preset's values replacing its own; `key` is one of `KEYS`.

    Raises:
        SurgetankError: if there is no such preset.
    """
    if key == "venue":
        preset = _ruled(_of_venue(name, data), data)
    elif key == RULE:
        preset = _ruled(nested(RULE, name), data)
    else:
        preset = {"network": _chosen(name, _networks(), key)}
    return dict(_under(data, preset))


def _named(whole: dict[str, Any]) -> dict[str, Any]:
    """The data with `rule` set to the name of the resulting settings."""
    layer = whole.get("layer", {})
    queue = layer.get("queue", {}) if isinstance(layer, Mapping) else None
    if not isinstance(queue, Mapping) or not isinstance(queue.get("rule", ""), str):
        return whole  # An invalid value is refused when the scenario is validated.
    return whole | {"layer": {**layer, "queue": {**queue, "rule": name_of(whole)}}}


def rule_in(key: str, value: Any) -> Any:
    """The rule that a value at a dotted key implies, if any."""
    return value_at(nested(key, value), RULE)


def _ruled(data: Mapping[str, Any], scenario: Mapping[str, Any]) -> dict[str, Any]:
    """The data with the settings of their rule, if they name one; settings in the data have
    precedence.

    A rule does not make a market where the scenario has none.
    """
    rule, whole = value_at(data, RULE), dict(data)
    if isinstance(rule, str):
        for key, value in settings(rule).items():
            if key != MATCHING or scenario.get("market") is not None:
                whole = dict(_under(nested(key, value), whole))
    return whole


def _of_venue(name: Any, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """A venue's rules; they do not make a market where the scenario has none."""
    preset = _chosen(name, _VENUES, "venue")
    return {key: preset[key] for key in preset if key != "market" or data.get("market") is not None}


def _chosen(name: Any, known: Mapping[str, Mapping[str, Any]], place: str) -> Mapping[str, Any]:
    if not isinstance(name, str) or name not in known:
        hint = f"There are: {', '.join(sorted(known))}"
        raise SurgetankError(f"no preset {name!r}", place=place, hint=hint)
    return known[name]


def _under(preset: Any, own: Any) -> Any:
    """`own` merged over `preset`, table by table. A table with another `kind` replaces the
    preset's."""
    if not (isinstance(preset, Mapping) and isinstance(own, Mapping)):
        return own
    if own.get("kind", preset.get("kind")) != preset.get("kind"):
        return dict(own)
    keys = [*preset, *(key for key in own if key not in preset)]
    return {
        key: _under(preset[key], own[key])
        if key in preset and key in own
        else own[key]
        if key in own
        else preset[key]
        for key in keys
    }
