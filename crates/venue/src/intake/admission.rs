//! Whether a request that is neither a copy nor too old is accepted.

use std::collections::BTreeSet;

use surgetank_layer::admission::Kind;
use surgetank_layer::admission::bucket::Bucket;
use surgetank_layer::message::Body;
use surgetank_layer::units::{AccountId, Ns, SECOND};

use super::bounds::{IntakeBounds, Load, Pace};
use crate::answer::Refusal;
use crate::encoding::fields;
use crate::request::{AccountRequest, Action, Request};
use crate::session::logon::CLOCK_SKEW_MAX_NS;
use crate::storage::effect::Space;

/// Whose new orders are stopped: an account's, a market's, an account's in a market, or all. A
/// function of the journal; a halt holds for what is received after it was executed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Halts(BTreeSet<(Option<AccountId>, Option<u16>)>);

impl Halts {
    /// Executes a request, if it is a halt.
    pub fn execute(&mut self, request: &Request) {
        let Action::Account { request: AccountRequest::Halt { account, symbol, halted }, .. } =
            request.action
        else {
            return;
        };
        if halted {
            self.0.insert((account, symbol));
        } else {
            self.0.remove(&(account, symbol));
        }
    }

    /// Whether the request is an order that is stopped.
    pub fn stop(&self, request: &Request) -> bool {
        let Action::Message { body, .. } = request.action else { return false };
        let adds_risk =
            !request.reduces_risk() && Kind::of(body.class(), false) == Some(Kind::Order);
        let (account, symbol) = (Some(request.sender), request.symbol());
        adds_risk
            && [(None, None), (account, None), (None, symbol), (account, symbol)]
                .iter()
                .any(|halted| self.0.contains(halted))
    }

    /// Its content, for a snapshot.
    pub fn state(&self) -> Vec<HaltedOrders> {
        self.0.iter().map(|&(account, symbol)| HaltedOrders { account, symbol }).collect()
    }

    /// The halts with this content.
    pub fn restore(state: &[HaltedOrders]) -> Halts {
        Halts(state.iter().map(|halt| (halt.account, halt.symbol)).collect())
    }
}

/// Whether a price was observed later than clocks may differ. The market takes no price that was
/// observed before the one in force, so that one such would stop all that come after it.
fn is_of_the_future(now: Ns, request: &Request) -> bool {
    match request.action {
        Action::Message { body: Body::PriceUpdate(update), .. } => {
            update.observed_ns > now.saturating_add(CLOCK_SKEW_MAX_NS)
        }
        _ => false,
    }
}

/// A halt in force; `None`: of all accounts, or of all markets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HaltedOrders {
    /// The account.
    pub account: Option<AccountId>,
    /// Index of the market.
    pub symbol: Option<u16>,
}

fields!(HaltedOrders { account, symbol });

/// What decides besides the request.
#[derive(Debug)]
pub struct Conditions<'a> {
    /// Bounds of the intake.
    pub bounds: &'a IntakeBounds,
    /// What waits.
    pub load: Load,
    /// Time that requests take.
    pub pace: Pace,
    /// Halts in force.
    pub halts: &'a Halts,
    /// Room on the disk.
    pub space: Space,
    /// Whether the venue is about to stop.
    pub is_draining: bool,
}

impl Conditions<'_> {
    /// Whether a request of this size is accepted; one that adds risk takes from the sender's
    /// bucket, if all else permits it.
    ///
    /// # Errors
    /// Why not, and after what time it may be; 0: there is no hint.
    pub fn admit(
        &self,
        now: Ns,
        request: &Request,
        bytes: u64,
        bucket: Option<&mut Bucket>,
    ) -> Result<(), (Refusal, Ns)> {
        let reduces_risk = request.reduces_risk();
        if is_of_the_future(now, request) {
            return Err((Refusal::FutureTime, 0));
        }
        if self.halts.stop(request) {
            return Err((Refusal::Halted, 0));
        }
        if self.is_draining && !reduces_risk {
            return Err((Refusal::Draining, 0));
        }
        match self.space {
            Space::Full => return Err((Refusal::DiskFull, SECOND)),
            Space::Reserve if !reduces_risk => return Err((Refusal::DiskReserve, SECOND)),
            Space::Reserve | Space::Ample => {}
        }
        self.bounds.admit(&self.load, bytes, reduces_risk).map_err(|refusal| {
            let ahead = match refusal {
                Refusal::AccountQueueFull => self.load.account_open,
                _ => self.load.waiting,
            };
            (refusal, self.pace.drained_in(ahead))
        })?;
        match (bucket, &self.bounds.rate) {
            (Some(bucket), Some(limit)) if !reduces_risk => {
                bucket.take(limit, now, 1).map_err(|wait| (Refusal::RateExceeded, wait))
            }
            _ => Ok(()),
        }
    }
}
