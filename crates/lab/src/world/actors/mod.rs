//! Who sends messages: background traders, the tape, market makers, oracles, keepers, panicking
//! traders and spammers.
//!
//! # Rules
//! 1. Background messages draw from streams of their own, at the times of the arrival process;
//!    nothing that happens to a message changes a later one.
//! 2. Everybody else reacts: to the outside price ([`makers`], panic, oracles, [`keepers`] that watch
//!    it) or to what the venue has told them ([`keepers`]), after the time that this takes.

mod background;
mod keepers;
mod makers;

use std::ops::Range;

use surgetank_layer::units::{AccountId, NodeId, Ns};

use super::{World, adversary};
use crate::flow::{ArrivalProcess, Tape};
use crate::scenario::Scenario;
use crate::seed::{Seed, Stream};

pub use background::Background;
pub use keepers::Keepers;
pub use makers::Makers;

/// Somebody outside acts.
#[derive(Clone, Copy, Debug)]
pub enum Wake {
    /// An oracle sends a price.
    Oracle,
    /// A maker has seen the outside price.
    Maker { maker: u32 },
    /// A maker hears what became of its orders in a block.
    Notice { slot: u32 },
    /// A keeper has heard a price.
    Keeper { keeper: u32, height: u32 },
    /// A keeper has seen the outside price.
    Watcher { keeper: u32, seen: u32 },
    /// A keeper has heard that a limit cut its liquidation off.
    Again { keeper: u32, height: u32 },
    /// A panicking trader sends.
    Panic,
    /// A spammer sends.
    Spam { fault: u32 },
    /// The attacker's turn.
    Attack,
    /// One of a stampeding crowd sends.
    Herd,
    /// Makers bid for the express lane.
    Auction,
}

/// Which accounts are whose: dense ranges, in this order.
#[derive(Clone, Copy, Debug)]
pub struct Accounts {
    /// Leveraged positions: 0..leveraged.
    pub leveraged: u32,
    /// Portfolios with options, after them.
    pub portfolios: u32,
    /// Counterparties of the leveraged positions.
    pub hedgers: u32,
    /// Background traders.
    pub background: u32,
    /// Makers.
    pub makers: u32,
    /// Keepers.
    pub keepers: u32,
    /// Oracles.
    pub oracles: u32,
    /// The attacker's.
    pub attackers: u32,
}

impl Accounts {
    pub(super) fn new(scenario: &Scenario) -> Accounts {
        let market = scenario.market.as_ref();
        let leveraged = market.map_or(0, |market| market.positions.count);
        let options = market.and_then(|market| market.options.as_ref());
        Accounts {
            leveraged,
            portfolios: options.map_or(0, |options| options.positions.count),
            hedgers: if leveraged > 0 { leveraged / 10 + 1 } else { 0 },
            background: scenario.flow.accounts,
            makers: scenario.flow.makers.count,
            keepers: scenario.flow.keepers.count,
            oracles: scenario.flow.oracle.count,
            attackers: adversary::accounts(scenario),
        }
    }

    /// Accounts that are judged: 0..judged.
    pub fn judged(&self) -> u32 {
        self.leveraged + self.portfolios
    }

    /// First background account.
    pub fn background_from(&self) -> AccountId {
        self.judged() + self.hedgers
    }

    /// First maker.
    pub fn makers_from(&self) -> AccountId {
        self.background_from() + self.background
    }

    /// First keeper.
    pub fn keepers_from(&self) -> AccountId {
        self.makers_from() + self.makers
    }

    /// First oracle.
    pub fn oracles_from(&self) -> AccountId {
        self.keepers_from() + self.keepers
    }

    /// The spammer.
    pub fn spammer(&self) -> AccountId {
        self.oracles_from() + self.oracles
    }

    /// Who takes positions over where liquidations close at the oracle price, and portfolios.
    /// Sends nothing.
    pub fn liquidator(&self) -> AccountId {
        self.spammer() + 1
    }

    /// Who holds the other side of the portfolios. Sends nothing.
    pub fn writer(&self) -> AccountId {
        self.spammer() + 2
    }

    /// Who takes over what is nearly bankrupt, where the venue has such a vault. Sends nothing.
    pub fn vault(&self) -> AccountId {
        self.spammer() + 3
    }

    /// The attacker's first account.
    pub fn attackers_from(&self) -> AccountId {
        self.spammer() + 4
    }

    /// The attacker's accounts.
    pub fn attacking(&self) -> Range<AccountId> {
        self.attackers_from()..self.attackers_from() + self.attackers
    }

    /// Which maker an account is.
    pub fn maker(&self, account: AccountId) -> Option<u32> {
        account.checked_sub(self.makers_from()).filter(|&maker| maker < self.makers)
    }

    /// Accounts that keepers watch and may liquidate: positions and portfolios, makers, the
    /// attacker's. Rising.
    pub fn watched(&self) -> impl Iterator<Item = AccountId> + use<> {
        (0..self.judged()).chain(self.makers_from()..self.keepers_from()).chain(self.attacking())
    }

    /// Above every account.
    pub fn end(&self) -> AccountId {
        self.attackers_from() + self.attackers
    }

    /// How many of the venue's own can send; the attacker's stand apart.
    pub fn count(&self) -> u32 {
        self.spammer() + 1
    }
}

/// Everybody who sends.
pub struct Actors {
    /// Whose accounts are whose.
    pub accounts: Accounts,
    pub(super) background: Background,
    pub(super) makers: Makers,
    pub(super) keepers: Keepers,
    pub(super) oracle_turn: u32,
    pub(super) panic_draws: Stream,
    pub(super) spam_draws: Stream,
}

impl Actors {
    pub(super) fn new(scenario: &Scenario, tape: Option<Tape>, seed: &Seed) -> Actors {
        let accounts = Accounts::new(scenario);
        let arrivals = ArrivalProcess::new(&scenario.flow.arrivals, &scenario.flow.profile);
        Actors {
            background: Background::new(arrivals, tape, seed),
            makers: Makers::new(&scenario.flow.makers),
            keepers: Keepers::new(&accounts),
            oracle_turn: 0,
            panic_draws: seed.stream("flow.panic", 0),
            spam_draws: seed.stream("flow.spam", 0),
            accounts,
        }
    }
}

impl World {
    /// The node that an account's client is connected to.
    pub(super) fn gateway_of(&self, account: AccountId) -> NodeId {
        account % self.nodes.len() as u32
    }

    pub(super) fn act(&mut self, wake: Wake) {
        match wake {
            Wake::Oracle => self.oracle(),
            Wake::Maker { maker } => self.quote(maker),
            Wake::Notice { slot } => self.notice(slot),
            Wake::Keeper { keeper, height } => self.hear(keeper, height),
            Wake::Again { keeper, height } => self.keep_on(keeper, height),
            Wake::Watcher { keeper, seen } => self.see(keeper, seen),
            Wake::Panic => self.panic(),
            Wake::Spam { fault } => self.spam(fault),
            Wake::Attack => self.attack(),
            Wake::Herd => self.herd(),
            Wake::Auction => self.bid_for_lane(),
        }
    }

    /// Whether new flow may still begin.
    pub(super) fn flows(&self, at: Ns) -> bool {
        at < self.scenario.flow_end_ns()
    }
}
