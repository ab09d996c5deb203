//! Execution of sealed batches: the one path by which messages reach the market.
//!
//! # Rules
//! 1. A batch is executed once, in this order: the prices that it carries itself, the funding
//!    payments that are due at these prices, its messages.
//! 2. Messages are matched one after the other, or all orders of a batch in one call auction per
//!    market ([`Matching`]).
//! 3. Requests of accounts are executed at their place among the messages; before a call auction,
//!    all of them. One that is refused changes nothing.
//! 4. An observer is given the facts of each of these phases after the phase. Insurance fund and best
//!    prices are reported once per batch, at its end, where they have changed ([`Closing`]).
//!
//! # Theory of operation
//! The state is a pure function of opening and batches: time, prices and the seed of the call
//! auction come with the batch. So a journal of batches is the state, on every machine: see
//! [`state_hash`].

mod accounts;
mod state;

use surgetank_layer::message::{Message, PriceUpdate, Side};
use surgetank_layer::units::{Digest, Height, MessageId, Money, Ns, Price};
use surgetank_market::auction::{Call, Rationing};
use surgetank_market::book::BookChange;
use surgetank_market::{Fact, Market, Reject};

use crate::genesis::{Genesis, InvalidGenesis, Matching};
use crate::request::AccountRequest;

pub use state::{InvalidState, state_hash};

/// A sealed batch.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Time of execution.
    pub now: Ns,
    /// Number of the batch: one more than that of the last.
    pub height: Height,
    /// Prices that the batch itself carries.
    pub prices: &'a [PriceUpdate],
    /// Its messages, in their order.
    pub messages: &'a [Message],
    /// Requests of accounts, in their order, each with the index of the message before which it is
    /// executed. In a batch that has any, the number of a message or request is its place in the
    /// batch, both counted.
    pub accounts: &'a [(u32, AccountRequest)],
    /// Seed that decides over indivisible lots in call auctions.
    pub seed: Digest,
}

/// A part of the execution of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The prices that the batch carries.
    Prices,
    /// Funding payments.
    Funding,
    /// The batch's messages.
    Messages,
}

/// Number of the message of a fact that no message caused.
pub const NO_MESSAGE: MessageId = MessageId::MAX;

/// Observes what batches do.
pub trait Observer {
    /// The facts of a phase in the order in which they happened, each with the number of the message
    /// that caused it, and the market as it stands after the phase. Phases without facts are left
    /// out.
    fn facts(&mut self, now: Ns, phase: Phase, market: &Market, facts: &[(MessageId, Fact)]);
}

/// Best bid and ask of a market's book.
pub type Touch = (Option<Price>, Option<Price>);

/// What a batch left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The insurance fund, in quanta, if it has changed.
    pub insurance: Option<Money>,
    /// Best prices that have changed, by market.
    pub touches: Vec<(u16, Touch)>,
    /// Whether total money is what was paid in.
    pub conserved: bool,
    /// What became of each request of an account, in their order.
    pub accounts: Vec<Result<(), Reject>>,
}

/// A market and the batches that it has executed.
#[derive(Clone, Debug)]
pub struct Execution {
    market: Market,
    matching: Matching,
    height: Height,
    /// Insurance fund and best prices at the end of the last batch.
    insurance: Money,
    touched: Vec<Touch>,
    /// Facts of a phase, and of a message; empty between batches.
    facts: Vec<(MessageId, Fact)>,
    scratch: Vec<Fact>,
}

impl Execution {
    /// The venue as it opens; nothing is executed yet.
    ///
    /// # Errors
    /// Says why no venue can open so.
    pub fn open(genesis: &Genesis) -> Result<Execution, InvalidGenesis> {
        Ok(Execution::of(genesis.market()?, genesis.matching))
    }

    fn of(market: Market, matching: Matching) -> Execution {
        Execution {
            insurance: market.insurance(),
            touched: (0..market.symbols()).map(|symbol| touch(&market, symbol)).collect(),
            market,
            matching,
            height: 0,
            facts: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// The market as the last batch left it.
    pub fn market(&self) -> &Market {
        &self.market
    }

    /// Number of the last batch; 0 = none.
    pub fn height(&self) -> Height {
        self.height
    }

    /// Begins or ends the recording of the books' changes; by default, and after
    /// [`Execution::restore`], there is none.
    pub fn record_book_changes(&mut self, on: bool) {
        self.market.record_book_changes(on);
    }

    /// The changes of a market's book since the last call; see [`Market::take_book_changes`].
    pub fn take_book_changes(&mut self, symbol: u16) -> Vec<BookChange> {
        self.market.take_book_changes(symbol)
    }

    /// Executes a batch.
    pub fn execute(&mut self, batch: &Batch<'_>, observer: &mut impl Observer) -> Closing {
        self.height = batch.height;
        self.market.begin_block();
        for update in batch.prices {
            self.market.block_price(batch.now, update, &mut self.scratch);
        }
        self.attribute(NO_MESSAGE);
        self.end(batch.now, Phase::Prices, observer);
        self.market.fund(batch.now, &mut self.scratch);
        self.attribute(NO_MESSAGE);
        self.end(batch.now, Phase::Funding, observer);
        let accounts = self.trade(batch);
        self.end(batch.now, Phase::Messages, observer);
        self.close(accounts)
    }

    /// Returns what became of the requests of accounts.
    fn trade(&mut self, batch: &Batch<'_>) -> Vec<Result<(), Reject>> {
        let mut asked = accounts::Asked::new(batch.accounts);
        match self.matching {
            Matching::Auction => {
                self.ask(&mut asked, usize::MAX);
                // Whoever seals the batch could grind this seed, which only decides indivisible
                // lots.
                let call = Call { seed: batch.seed, rationing: Rationing::Random };
                self.market.execute_batch(batch.now, batch.messages, call, &mut self.facts);
            }
            Matching::Continuous => {
                for (i, message) in batch.messages.iter().enumerate() {
                    self.ask(&mut asked, i);
                    self.market.execute(batch.now, message, &mut self.scratch);
                    self.attribute(message.id);
                }
                self.ask(&mut asked, usize::MAX);
            }
        }
        asked.outcomes
    }

    /// The facts found since the last call are those of this message.
    fn attribute(&mut self, message: MessageId) {
        self.facts.extend(self.scratch.drain(..).map(|fact| (message, fact)));
    }

    fn end(&mut self, now: Ns, phase: Phase, observer: &mut impl Observer) {
        if !self.facts.is_empty() {
            observer.facts(now, phase, &self.market, &self.facts);
            self.facts.clear();
        }
    }

    fn close(&mut self, accounts: Vec<Result<(), Reject>>) -> Closing {
        let insurance = self.market.insurance();
        let changed = insurance != self.insurance;
        self.insurance = insurance;
        let mut touches = Vec::new();
        for (symbol, touched) in (0..).zip(&mut self.touched) {
            let now = touch(&self.market, symbol);
            if std::mem::replace(touched, now) != now {
                touches.push((symbol, now));
            }
        }
        let conserved = self.market.total_money() == self.market.paid_in();
        Closing { insurance: changed.then_some(insurance), touches, conserved, accounts }
    }
}

/// Best bid and ask of a market's book.
pub fn touch(market: &Market, symbol: u16) -> Touch {
    let best = |side| market.book(symbol).best(side).map(|(price, _)| price);
    (best(Side::Buy), best(Side::Sell))
}
