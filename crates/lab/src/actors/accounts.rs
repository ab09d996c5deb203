//! Ranges of accounts by owner: dense, in a fixed order.

use std::ops::Range;

use surgetank_layer::units::{AccountId, NodeId};

use crate::scenario::Scenario;

/// Number of accounts by owner: dense ranges, in this order.
#[derive(Clone, Copy, Debug)]
pub struct Accounts {
    /// Accounts with leveraged positions: 0..leveraged.
    pub leveraged: u32,
    /// Accounts with options portfolios, which follow.
    pub portfolios: u32,
    /// Counterparties of the leveraged positions.
    pub hedgers: u32,
    /// Accounts of background traders.
    pub background: u32,
    /// Accounts of market makers.
    pub makers: u32,
    /// Accounts of keepers.
    pub keepers: u32,
    /// Accounts of oracles.
    pub oracles: u32,
    /// Accounts of the attacker.
    pub attackers: u32,
    /// Number of nodes, their gateways.
    pub nodes: u32,
}

impl Accounts {
    /// The accounts of a scenario.
    pub fn new(scenario: &Scenario) -> Accounts {
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
            attackers: scenario.attack.accounts,
            nodes: scenario.network.nodes,
        }
    }

    /// The node that an account's client is connected to.
    pub fn gateway(&self, account: AccountId) -> NodeId {
        account % self.nodes
    }

    /// Number of accounts whose solvency is measured: 0..judged.
    pub fn judged(&self) -> u32 {
        self.leveraged + self.portfolios
    }

    /// Whether the account has an options portfolio.
    pub fn has_portfolio(&self, account: AccountId) -> bool {
        (self.leveraged..self.judged()).contains(&account)
    }

    /// First background account.
    pub fn background_from(&self) -> AccountId {
        self.judged() + self.hedgers
    }

    /// First account of the makers.
    pub fn makers_from(&self) -> AccountId {
        self.background_from() + self.background
    }

    /// First account of the keepers.
    pub fn keepers_from(&self) -> AccountId {
        self.makers_from() + self.makers
    }

    /// First account of the oracles.
    pub fn oracles_from(&self) -> AccountId {
        self.keepers_from() + self.keepers
    }

    /// Account of the spam fault.
    pub fn spammer(&self) -> AccountId {
        self.oracles_from() + self.oracles
    }

    /// The liquidator: takes over portfolios, and positions that close at the oracle price. Sends
    /// nothing.
    pub fn liquidator(&self) -> AccountId {
        self.spammer() + 1
    }

    /// The option writer: holds the other side of the portfolios. Sends nothing.
    pub fn writer(&self) -> AccountId {
        self.spammer() + 2
    }

    /// The backstop vault, if the venue has one. Sends nothing.
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

    /// Index of the maker that owns an account.
    pub fn maker(&self, account: AccountId) -> Option<u32> {
        account.checked_sub(self.makers_from()).filter(|&maker| maker < self.makers)
    }

    /// Accounts that keepers watch and may liquidate: positions and portfolios, makers, the
    /// attacker's. In ascending order.
    pub fn watched(&self) -> impl Iterator<Item = AccountId> + use<> {
        (0..self.judged()).chain(self.makers_from()..self.keepers_from()).chain(self.attacking())
    }

    /// One above the highest account.
    pub fn end(&self) -> AccountId {
        self.attackers_from() + self.attackers
    }

    /// Number of accounts without the attacker's.
    pub fn count(&self) -> u32 {
        self.spammer() + 1
    }
}
