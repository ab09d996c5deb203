//! What executing a message did: one [`Fact`] per event, in the order in which it happened.

use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Money, Ns, Price, Qty};

/// Why a message was refused. The number is FIX OrdRejReason (103): FIX's own value where it has
/// one, and from 100 (FIX leaves those to the parties) where it has none. 0 is never used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Reject {
    /// 1: no such market.
    UnknownSymbol = 1,
    /// 3: the account's position with all its orders would exceed [`crate::QTY_MAX`].
    OrderExceedsLimit = 3,
    /// 5: the account has no live order of this ClOrdID in this market.
    UnknownOrder = 5,
    /// 6: the account already has a live order of this ClOrdID in this market.
    DuplicateOrder = 6,
    /// 11: a combination that means nothing, such as post-only with immediate-or-cancel.
    UnsupportedOrder = 11,
    /// 13: a quantity outside 1..=[`crate::QTY_MAX`].
    IncorrectQuantity = 13,
    /// 15: the account never made a deposit.
    UnknownAccount = 15,
    /// 16: a price outside 1..=[`crate::PRICE_MAX`], or outside the market's bands.
    PriceOutOfBand = 16,
    /// 100: equity does not cover the initial margin of position and orders.
    InsufficientMargin = 100,
    /// 101: a post-only order would have matched at once.
    PostOnlyWouldTake = 101,
    /// 102: a reduce-only order with nothing to reduce.
    ReduceOnlyWouldIncrease = 102,
    /// 103: an oracle price observed earlier than the one in force.
    StalePrice = 103,
    /// 104: the oracle price is too old for orders that do not reduce a position.
    OnlyReducing = 104,
}

/// Why the rest of an accepted order left the market without a fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CancelReason {
    /// Its owner asked.
    Requested = 0,
    /// The rest of a market or immediate-or-cancel order.
    ImmediateOrCancel = 1,
    /// Its owner's own order came to take it.
    SelfTrade = 2,
    /// A reduce-only order whose position is gone.
    ReduceOnly = 3,
    /// Its owner is being liquidated.
    Liquidation = 4,
}

/// Which limit put a liquidation off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Deferral {
    /// The account was tried in this market in this block already.
    Again = 0,
    /// The account has lost as much notional in this block as it may.
    AccountNotional = 1,
    /// The account has cost the insurance fund as much in this block as it may.
    InsuranceLost = 2,
    /// As many liquidations were tried in this block as may be.
    Attempts = 3,
    /// As many positions were deleveraged in this block as may be.
    DeleveragingAttempts = 4,
    /// A portfolio is for sale, and nobody takes it at the auction's price yet. Keepers are told
    /// by [`Fact::AuctionOpen`], not by [`Fact::LiquidationDeferred`]: to send at once is no use.
    Auction = 5,
}

/// Who bears a loss beyond an account's collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Bearer {
    /// The insurance fund.
    Insurance = 0,
    /// The winners that were closed out at the bankruptcy price.
    Deleveraged = 1,
    /// Nobody yet: it stands as the venue's deficit.
    Venue = 2,
    /// The vault that took the position over.
    Vault = 3,
}

/// One event. Prices in ticks, quantities in lots, money in quanta (tick × lot).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A new order passed every check; its trades, if any, follow.
    Accepted {
        /// Owner.
        account: AccountId,
        /// ClOrdID.
        cl_ord_id: u64,
        /// Market.
        symbol: u16,
        /// Side.
        side: Side,
        /// Quantity taken on, before any trade (a reduce-only order may have been cut).
        leaves: Qty,
    },
    /// A message was refused; nothing changed.
    Rejected {
        /// Sender.
        account: AccountId,
        /// ClOrdID of the refused message; 0 for an oracle's.
        cl_ord_id: u64,
        /// Market named by the message.
        symbol: u16,
        /// Why.
        reason: Reject,
    },
    /// What was left of an order is gone.
    Canceled {
        /// Owner.
        account: AccountId,
        /// ClOrdID of the order that is gone.
        cl_ord_id: u64,
        /// Market.
        symbol: u16,
        /// Quantity that did not trade.
        qty: Qty,
        /// Why.
        reason: CancelReason,
    },
    /// An order was replaced; its trades, if any, follow.
    Replaced {
        /// Owner.
        account: AccountId,
        /// ClOrdID of the order that replaces.
        cl_ord_id: u64,
        /// ClOrdID of the order replaced.
        orig_cl_ord_id: u64,
        /// Market.
        symbol: u16,
        /// Quantity still open before.
        was: Qty,
        /// Quantity open now, before any trade.
        leaves: Qty,
        /// Whether it kept its place in its level.
        kept_priority: bool,
    },
    /// A trade.
    Trade {
        /// Market.
        symbol: u16,
        /// Price: the resting order's.
        price: Price,
        /// Quantity.
        qty: Qty,
        /// Owner of the resting order.
        maker_account: AccountId,
        /// Its ClOrdID.
        maker_cl_ord_id: u64,
        /// What is left of it.
        maker_leaves: Qty,
        /// Owner of the incoming order; the liquidated account in a liquidation.
        taker_account: AccountId,
        /// Its ClOrdID; 0 in a liquidation.
        taker_cl_ord_id: u64,
        /// What is left of it.
        taker_leaves: Qty,
        /// Side of the incoming order.
        taker_side: Side,
        /// Whether the taker was being liquidated.
        liquidation: bool,
    },
    /// An oracle price came into force.
    OraclePrice {
        /// Market.
        symbol: u16,
        /// Price.
        price: Price,
        /// When the oracle saw it.
        observed_ns: Ns,
    },
    /// The mark price was set anew (after each oracle price).
    Mark {
        /// Market.
        symbol: u16,
        /// Price.
        price: Price,
    },
    /// A liquidation order was executed, wholly or in part.
    Liquidated {
        /// The account closed out.
        account: AccountId,
        /// The keeper who asked.
        keeper: AccountId,
        /// Market.
        symbol: u16,
        /// Quantity closed on the book.
        book_qty: Qty,
        /// What that quantity traded for, unsigned.
        book_notional: Money,
        /// Quantity closed by auto-deleveraging.
        deleveraged_qty: Qty,
        /// Quantity that the vault took over at the mark price.
        taken_over_qty: Qty,
        /// Signed position before.
        held: Qty,
        /// The price on which the keeper decided.
        trigger_price: Price,
        /// Mark price at execution.
        mark_price: Price,
        /// Price at which this position's share of equity is nil, in whole ticks, rounded down.
        bankruptcy_price: Price,
        /// Liquidation fee paid to the insurance fund.
        fee: Money,
        /// Signed position that is left.
        remaining: Qty,
    },
    /// A liquidation, or the deleveraging in it, was put off by a limit.
    LiquidationDeferred {
        /// The account named.
        account: AccountId,
        /// The keeper who asked.
        keeper: AccountId,
        /// Market.
        symbol: u16,
        /// Which limit.
        reason: Deferral,
    },
    /// The vault took a position over at the mark price.
    TakenOver {
        /// The account closed out.
        account: AccountId,
        /// The vault.
        vault: AccountId,
        /// Market.
        symbol: u16,
        /// Signed quantity.
        qty: Qty,
        /// Mark price.
        price: Price,
        /// Equity that went with it, below zero if the vault made up for it; in cross mode all of
        /// it, with the position that was liquidated.
        margin: Money,
    },
    /// The mark has moved an account below maintenance margin; once, until it has recovered.
    MarginCall {
        /// The account.
        account: AccountId,
        /// Market.
        symbol: u16,
        /// Mark price.
        mark_price: Price,
        /// The price at which the account comes below maintenance margin: of all between the last
        /// mark and this one the first, where it lies between them. `None`: the mark did not do it.
        trigger_price: Option<Price>,
        /// Whether it comes below at this price and lower ones (as a long does), or higher ones.
        falling: bool,
    },
    /// A liquidation order against an account that has enough margin (or no position).
    NotLiquidatable {
        /// The account named.
        account: AccountId,
        /// The keeper who asked.
        keeper: AccountId,
        /// Market.
        symbol: u16,
    },
    /// A portfolio is for sale, and nobody takes it at this price yet.
    AuctionOpen {
        /// The account sold.
        account: AccountId,
        /// The keeper who asked.
        keeper: AccountId,
        /// Share of mark value asked.
        price_ppm: u32,
    },
    /// A portfolio, or a share of it, was sold.
    Auctioned {
        /// The account sold.
        account: AccountId,
        /// The keeper who asked.
        keeper: AccountId,
        /// Who took it over.
        liquidator: AccountId,
        /// What the portfolio was worth at the marks: cash, perpetuals and options.
        value: Money,
        /// Share of mark value that was paid (of nothing, if it was worth less than nothing).
        price_ppm: u32,
        /// What the account lost to the liquidator by that.
        discount: Money,
        /// Lots of perpetuals and options that changed hands.
        size: Qty,
        /// Their delta, in lots of the perpetual, signed; rounded.
        delta: Qty,
        /// The price on which the keeper decided.
        trigger_price: Price,
        /// Mark price of the perpetual at execution.
        mark_price: Price,
        /// Whether nothing but cash is left.
        closed: bool,
    },
    /// An option expired and was settled.
    Expired {
        /// Its number among the markets.
        symbol: u16,
        /// What it paid, in ticks.
        payoff: Price,
    },
    /// A loss beyond the collateral behind it.
    BadDebt {
        /// The account that could not pay.
        account: AccountId,
        /// Market in which it came about.
        symbol: u16,
        /// How much.
        amount: Money,
        /// Who bears it.
        borne_by: Bearer,
    },
    /// The insurance fund paid.
    InsuranceDrawn {
        /// How much.
        amount: Money,
        /// What is left in it.
        remaining: Money,
    },
    /// A winner's position was closed against a bankrupt one.
    Deleveraged {
        /// The bankrupt account.
        account: AccountId,
        /// The account closed against its will.
        against: AccountId,
        /// Market.
        symbol: u16,
        /// Quantity.
        qty: Qty,
        /// Bankruptcy price in whole ticks, rounded down; the transfer itself is exact.
        price: Price,
        /// What `against` lost against the mark price.
        haircut: Money,
    },
}
