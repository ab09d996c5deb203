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
    /// 11: an invalid combination, such as post-only with immediate-or-cancel.
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
    /// 105: an amount of money below 1, or with which all deposits would exceed
    /// [`crate::MONEY_MAX`].
    IncorrectAmount = 105,
    /// 106: the account is open already, or its number is not below [`crate::ACCOUNTS_MAX`].
    AccountUnavailable = 106,
}

/// Why the open quantity of an accepted order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CancelReason {
    /// The owner sent a cancel.
    Requested = 0,
    /// The rest of a market or immediate-or-cancel order.
    ImmediateOrCancel = 1,
    /// An order of the same account would have traded with it.
    SelfTrade = 2,
    /// Reduce-only, and the position that it reduced is closed.
    ReduceOnly = 3,
    /// The owner is in liquidation.
    Liquidation = 4,
}

/// The limit that deferred a liquidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Deferral {
    /// The account was tried in this market in this block before.
    Again = 0,
    /// The notional that one account may lose in a block is used up.
    AccountNotional = 1,
    /// The amount that one account may cost the insurance fund in a block is used up.
    InsuranceLost = 2,
    /// The liquidation attempts of this block are used up.
    Attempts = 3,
    /// The deleveraging attempts of this block are used up.
    DeleveragingAttempts = 4,
    /// A portfolio is on auction and no liquidator buys at the price yet. Keepers learn it from
    /// [`Fact::AuctionOpen`], not from [`Fact::LiquidationDeferred`]: to send again at once has no
    /// effect.
    Auction = 5,
}

/// The party that bears a loss beyond an account's collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Bearer {
    /// The insurance fund.
    Insurance = 0,
    /// Accounts with profit, deleveraged at the bankruptcy price.
    Deleveraged = 1,
    /// No party yet: it is booked as the venue's deficit.
    Venue = 2,
    /// The vault that took the position over.
    Vault = 3,
}

/// One event. Prices in ticks, quantities in lots, money in quanta (tick × lot).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A new order passed every check; its trades, if any, follow.
    Accepted {
        /// Account that owns the order.
        account: AccountId,
        /// ClOrdID (11) of the order.
        cl_ord_id: u64,
        /// Index of the market in [`crate::Config::symbols`]; options are numbered after the
        /// markets.
        symbol: u16,
        /// Side (54): buy or sell.
        side: Side,
        /// Quantity accepted, in lots, before any trade (a reduce-only order may have been cut).
        leaves: Qty,
    },
    /// A message was refused; nothing changed.
    Rejected {
        /// Account that sent the message.
        account: AccountId,
        /// ClOrdID (11) of the refused message; 0 for a price update.
        cl_ord_id: u64,
        /// Index of the market that the message named.
        symbol: u16,
        /// Reason of the refusal.
        reason: Reject,
    },
    /// The remainder of an order was cancelled.
    Canceled {
        /// Account that owned the order.
        account: AccountId,
        /// ClOrdID (11) of the cancelled order.
        cl_ord_id: u64,
        /// Index of the market in [`crate::Config::symbols`]; options are numbered after the
        /// markets.
        symbol: u16,
        /// Side of the order.
        side: Side,
        /// Quantity that did not trade, in lots.
        qty: Qty,
        /// Reason of the cancel.
        reason: CancelReason,
    },
    /// An order was replaced; its trades, if any, follow.
    Replaced {
        /// Account that owns the order.
        account: AccountId,
        /// ClOrdID (11) of the order from now on.
        cl_ord_id: u64,
        /// ClOrdID that the order had before (OrigClOrdID, 41).
        orig_cl_ord_id: u64,
        /// Index of the market in [`crate::Config::symbols`]; options are numbered after the
        /// markets.
        symbol: u16,
        /// Side of the order.
        side: Side,
        /// Open quantity before the replace, in lots.
        was: Qty,
        /// Open quantity after the replace, in lots, before any trade.
        leaves: Qty,
        /// Whether the order kept its time priority at its price.
        kept_priority: bool,
    },
    /// Two orders traded, or a liquidation traded with an order.
    Trade {
        /// Index of the market in [`crate::Config::symbols`]; options are numbered after the
        /// markets.
        symbol: u16,
        /// Limit price of the resting order, in ticks.
        price: Price,
        /// Quantity traded, in lots; positive.
        qty: Qty,
        /// Account that owns the resting order.
        maker_account: AccountId,
        /// ClOrdID (11) of the resting order.
        maker_cl_ord_id: u64,
        /// Open quantity of the resting order after the trade, in lots.
        maker_leaves: Qty,
        /// Account that owns the incoming order; the liquidated account in a liquidation.
        taker_account: AccountId,
        /// ClOrdID (11) of the incoming order; 0 in a liquidation.
        taker_cl_ord_id: u64,
        /// Open quantity of the incoming order after the trade, in lots.
        taker_leaves: Qty,
        /// Side of the incoming order.
        taker_side: Side,
        /// Whether the taker is an account in liquidation.
        liquidation: bool,
    },
    /// An oracle price came into force.
    OraclePrice {
        /// Index of the market in [`crate::Config::symbols`]; options are numbered after the
        /// markets.
        symbol: u16,
        /// Oracle price, in ticks.
        price: Price,
        /// Time at which the oracle observed the price.
        observed_ns: Ns,
    },
    /// The mark price was recomputed, as after each oracle price.
    Mark {
        /// Index of the market in [`crate::Config::symbols`]; options are numbered after the
        /// markets.
        symbol: u16,
        /// Mark price, in ticks.
        price: Price,
    },
    /// Longs and shorts exchanged a funding payment.
    Funding {
        /// Index of the market in [`crate::Config::symbols`].
        symbol: u16,
        /// Oracle price at which positions were valued, in ticks.
        price: Price,
        /// Average premium since the last payment, in 1e-9 of the oracle price.
        premium_ppb: i64,
        /// Rate paid, in 1e-9 of notional; positive: longs paid.
        rate_ppb: i64,
        /// Sum of what the payers paid, in quanta.
        paid: Money,
        /// Part of it that no account received, by rounding, in quanta.
        remainder: Money,
    },
    /// Collateral of an account without positions was sold to cover its negative cash.
    CollateralSold {
        /// Account that held the asset.
        account: AccountId,
        /// Account that bought it.
        buyer: AccountId,
        /// Index of the asset among those that the venue accepts.
        asset: u16,
        /// Amount sold, in lots of the market that prices it (constant price: in quanta).
        amount: Money,
        /// What it brought, in quanta: its mark value less the haircut.
        proceeds: Money,
    },
    /// A liquidation order was executed, wholly or in part.
    Liquidated {
        /// Account in liquidation.
        account: AccountId,
        /// Account of the keeper that sent the liquidation order.
        keeper: AccountId,
        /// Index of the market in [`crate::Config::symbols`]; options are numbered after the
        /// markets.
        symbol: u16,
        /// Quantity closed on the book, in lots.
        book_qty: Qty,
        /// Notional of the quantity closed on the book, unsigned, in quanta.
        book_notional: Money,
        /// Quantity closed by auto-deleveraging, in lots.
        deleveraged_qty: Qty,
        /// Quantity that the vault took over at the mark price, in lots.
        taken_over_qty: Qty,
        /// Signed position before the liquidation, in lots.
        held: Qty,
        /// Price on which the keeper decided, in ticks.
        trigger_price: Price,
        /// Mark price at execution, in ticks.
        mark_price: Price,
        /// Price at which this position's share of equity is zero, in whole ticks, rounded down.
        bankruptcy_price: Price,
        /// Liquidation fee paid to the insurance fund, in quanta.
        fee: Money,
        /// Signed position after the liquidation, in lots.
        remaining: Qty,
    },
    /// A limit deferred a liquidation, or the deleveraging that belongs to it.
    LiquidationDeferred {
        /// Account that the liquidation order named.
        account: AccountId,
        /// Account of the keeper that sent the liquidation order.
        keeper: AccountId,
        /// Index of the market in [`crate::Config::symbols`]; options are numbered after the
        /// markets.
        symbol: u16,
        /// The limit that deferred it.
        reason: Deferral,
    },
    /// The backstop vault took a position over at the mark price.
    TakenOver {
        /// Account in liquidation.
        account: AccountId,
        /// Account of the backstop vault.
        vault: AccountId,
        /// Index of the market in [`crate::Config::symbols`]; options are numbered after the
        /// markets.
        symbol: u16,
        /// Signed quantity taken over, in lots.
        qty: Qty,
        /// Mark price, in ticks.
        price: Price,
        /// Equity transferred with the position, in quanta; negative if the vault absorbed a loss.
        /// In cross mode all of the account's equity is transferred with the liquidated position.
        margin: Money,
    },
    /// The mark price or a funding payment moved an account below maintenance margin. Reported once,
    /// until the account has recovered.
    MarginCall {
        /// Account below maintenance margin.
        account: AccountId,
        /// Index of the market in [`crate::Config::symbols`]; options are numbered after the
        /// markets.
        symbol: u16,
        /// Mark price, in ticks.
        mark_price: Price,
        /// The first price, between the last mark and this one, at which the account is below
        /// maintenance margin, in ticks. `None`: the mark did not cause the call.
        trigger_price: Option<Price>,
        /// Whether the account is below maintenance at this price and lower ones (as a long is), or
        /// at higher ones.
        falling: bool,
    },
    /// A liquidation order against an account that has enough margin (or no position).
    NotLiquidatable {
        /// Account that the liquidation order named.
        account: AccountId,
        /// Account of the keeper that sent the liquidation order.
        keeper: AccountId,
        /// Index of the market in [`crate::Config::symbols`]; options are numbered after the
        /// markets.
        symbol: u16,
    },
    /// A portfolio is on auction, and no liquidator buys at this price yet.
    AuctionOpen {
        /// Account whose portfolio is on auction.
        account: AccountId,
        /// Account of the keeper that sent the liquidation order.
        keeper: AccountId,
        /// Asking price, as a share of mark value in millionths.
        price_ppm: u32,
    },
    /// A portfolio on auction, or a share of it, was sold.
    Auctioned {
        /// Account whose portfolio was on auction.
        account: AccountId,
        /// Account of the keeper that sent the liquidation order.
        keeper: AccountId,
        /// Account that bought it.
        liquidator: AccountId,
        /// Mark value of the portfolio: cash, perpetuals and options, in quanta.
        value: Money,
        /// Price paid, as a share of mark value in millionths; of zero if mark value was negative.
        price_ppm: u32,
        /// Difference between mark value and price, lost to the liquidator, in quanta.
        discount: Money,
        /// Perpetuals and options transferred, in lots.
        size: Qty,
        /// Signed delta of what was transferred, in lots of the perpetual, rounded.
        delta: Qty,
        /// Price on which the keeper decided, in ticks.
        trigger_price: Price,
        /// Mark price of the perpetual at execution, in ticks.
        mark_price: Price,
        /// Whether the account now holds nothing but cash.
        closed: bool,
    },
    /// An option expired and was settled.
    Expired {
        /// Index of the option, counted after the markets.
        symbol: u16,
        /// Settlement value, in ticks.
        payoff: Price,
    },
    /// A loss that exceeds the collateral behind it.
    BadDebt {
        /// Account that could not pay.
        account: AccountId,
        /// Index of the market in which the loss arose.
        symbol: u16,
        /// Loss beyond collateral, in quanta; positive.
        amount: Money,
        /// Party that bears the loss.
        borne_by: Bearer,
    },
    /// The insurance fund paid a bad debt.
    InsuranceDrawn {
        /// Amount paid, in quanta; positive.
        amount: Money,
        /// Balance of the fund after the payment, in quanta.
        remaining: Money,
    },
    /// Auto-deleveraging closed a profitable position against a bankrupt one.
    Deleveraged {
        /// Bankrupt account.
        account: AccountId,
        /// Account whose profitable position was closed.
        against: AccountId,
        /// Index of the market in [`crate::Config::symbols`]; options are numbered after the
        /// markets.
        symbol: u16,
        /// Quantity closed, in lots.
        qty: Qty,
        /// Bankruptcy price in whole ticks, rounded down; the transfer itself is exact.
        price: Price,
        /// Loss of `against` compared with the mark price, in quanta.
        haircut: Money,
    },
}

impl Fact {
    /// Index of the market (or option) that the fact names; a portfolio on auction is of market 0,
    /// on which its options are written.
    pub fn symbol(&self) -> Option<u16> {
        match *self {
            Fact::Accepted { symbol, .. }
            | Fact::Funding { symbol, .. }
            | Fact::Rejected { symbol, .. }
            | Fact::Canceled { symbol, .. }
            | Fact::Replaced { symbol, .. }
            | Fact::Trade { symbol, .. }
            | Fact::OraclePrice { symbol, .. }
            | Fact::Mark { symbol, .. }
            | Fact::Liquidated { symbol, .. }
            | Fact::LiquidationDeferred { symbol, .. }
            | Fact::TakenOver { symbol, .. }
            | Fact::MarginCall { symbol, .. }
            | Fact::NotLiquidatable { symbol, .. }
            | Fact::Expired { symbol, .. }
            | Fact::BadDebt { symbol, .. }
            | Fact::Deleveraged { symbol, .. } => Some(symbol),
            Fact::AuctionOpen { .. } | Fact::Auctioned { .. } => Some(0),
            Fact::InsuranceDrawn { .. } | Fact::CollateralSold { .. } => None,
        }
    }
}
