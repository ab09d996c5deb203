"""The requests of a client in real units, for its async and its sync form alike."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import Generic, Literal, TypeVar

from surgetank.client.enumerations import MarginMode, OrderSide, OrdType, TimeInForce
from surgetank.client.requests import (
    Cancel,
    CancelAll,
    Deposit,
    Halt,
    Liquidate,
    Open,
    OraclePrice,
    Order,
    Replace,
    Request,
    Withdraw,
)
from surgetank.client.units import Real, Units
from surgetank.errors import SurgetankError

__all__ = ["SideName", "Trading"]

SideName = Literal["buy", "sell"] | OrderSide
Reply = TypeVar("Reply")
"""An answer, or what is awaited for one."""


class Trading(ABC, Generic[Reply]):
    """Makes requests of prices in USD and quantities in coins. A ClOrdID of 0 is replaced by a new
    one; give the same one again to repeat a request that may have been executed."""

    def __init__(self, account: int, units: dict[int, Units]) -> None:
        self.account = account
        """Account of the key."""
        self.units = units
        """What a tick and a lot are, by the index of the market."""

    @abstractmethod
    def request(self, request: Request) -> Reply:
        """Sends a request in ticks, lots and quanta; gives its answer."""

    def order(
        self,
        side: SideName,
        quantity: Real,
        price: Real | None = None,
        *,
        market: int = 0,
        immediate_or_cancel: bool = False,
        post_only: bool = False,
        reduce_only: bool = False,
        cl_ord_id: int = 0,
    ) -> Order:
        """A limit order, or without a price a market order, which `place` sends. `send` takes many.

        Raises:
            SurgetankError: price or quantity is no multiple of the market's tick or lot.
        """
        units = self._units(market)
        of_side = _side(side)
        at_once = immediate_or_cancel or price is None
        force = TimeInForce.IMMEDIATE_OR_CANCEL if at_once else TimeInForce.GOOD_TILL_CANCEL
        return Order(
            of_side,
            0 if price is None else units.ticks(price),
            units.lots(quantity),
            market,
            OrdType.MARKET if price is None else OrdType.LIMIT,
            force,
            post_only,
            reduce_only,
            cl_ord_id=cl_ord_id,
        )

    def place(
        self,
        side: SideName,
        quantity: Real,
        price: Real | None = None,
        *,
        market: int = 0,
        immediate_or_cancel: bool = False,
        post_only: bool = False,
        reduce_only: bool = False,
        cl_ord_id: int = 0,
    ) -> Reply:
        """Places an order. Arguments and errors as those of `order`."""
        made = self.order(
            side,
            quantity,
            price,
            market=market,
            immediate_or_cancel=immediate_or_cancel,
            post_only=post_only,
            reduce_only=reduce_only,
            cl_ord_id=cl_ord_id,
        )
        return self.request(made)

    def replace(
        self,
        orig_cl_ord_id: int,
        quantity: Real,
        price: Real,
        *,
        market: int = 0,
        cl_ord_id: int = 0,
    ) -> Reply:
        """Replaces an order by one of this quantity and price, which has a ClOrdID of its own."""
        units = self._units(market)
        ticks, lots = units.ticks(price), units.lots(quantity)
        return self.request(Replace(orig_cl_ord_id, ticks, lots, market, cl_ord_id=cl_ord_id))

    def cancel(self, orig_cl_ord_id: int, *, market: int = 0, cl_ord_id: int = 0) -> Reply:
        """Cancels an order."""
        return self.request(Cancel(orig_cl_ord_id, market, cl_ord_id=cl_ord_id))

    def cancel_all(
        self, *, account: int | None = None, market: int | None = None, cl_ord_id: int = 0
    ) -> Reply:
        """Cancels all resting orders of an account, by default the client's own."""
        whose = self.account if account is None else account
        return self.request(CancelAll(whose, market, cl_ord_id=cl_ord_id))

    def open_account(
        self, account: int, mode: MarginMode = MarginMode.CROSS, *, cl_ord_id: int = 0
    ) -> Reply:
        """Opens an account, without money."""
        return self.request(Open(account, mode, cl_ord_id=cl_ord_id))

    def deposit(self, account: int, usd: Real, *, cl_ord_id: int = 0) -> Reply:
        """Pays money in."""
        return self.request(Deposit(account, self._units(0).quanta(usd), cl_ord_id=cl_ord_id))

    def withdraw(self, usd: Real, *, account: int | None = None, cl_ord_id: int = 0) -> Reply:
        """Pays money out; the request is always signed."""
        whose = self.account if account is None else account
        return self.request(Withdraw(whose, self._units(0).quanta(usd), cl_ord_id=cl_ord_id))

    def halt(
        self,
        halted: bool = True,
        *,
        account: int | None = None,
        market: int | None = None,
        cl_ord_id: int = 0,
    ) -> Reply:
        """Stops new orders of an account, of a market, of both together or of all, or admits them
        again."""
        return self.request(Halt(account, market, halted, cl_ord_id=cl_ord_id))

    def price(self, usd: Real, *, market: int = 0, observed_ns: int | None = None) -> Reply:
        """Sends an oracle's price, observed now unless a time is given. It is never sent twice."""
        observed = time.time_ns() if observed_ns is None else observed_ns
        return self.request(OraclePrice(self._units(market).ticks(usd), observed, market))

    def liquidate(
        self, account: int, quantity: Real = 0, *, market: int = 0, trigger_price: Real = 0
    ) -> Reply:
        """Closes an account out, wholly unless a quantity is given. It is never sent twice."""
        units = self._units(market)
        lots, ticks = units.lots(quantity), units.ticks(trigger_price)
        return self.request(Liquidate(account, lots, ticks, market))

    def _units(self, market: int) -> Units:
        try:
            return self.units[market]
        except KeyError:
            hint = "Give the client `units`, or use `request` with ticks and lots"
            place = f"market {market}"
            raise SurgetankError("tick and lot are not known", place=place, hint=hint) from None


def _side(side: SideName) -> OrderSide:
    if isinstance(side, OrderSide):
        return side
    found = OrderSide.__members__.get(str(side).upper())
    if found is None:
        raise SurgetankError(f"{side!r} is no side", place="side", hint="Give buy or sell")
    return found
