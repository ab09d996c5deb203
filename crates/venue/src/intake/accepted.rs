//! Which requests have a place in the journal: nothing is executed twice, with bounded memory.
//!
//! # Rules
//! 1. Requests of the journal are remembered by account and ClOrdID, at most `remembered_max` of all
//!    accounts together. Beyond that, the account whose request is the oldest forgets the least
//!    ClOrdID that it remembers; its greatest it never forgets.
//! 2. An account's *floor* is the greatest ClOrdID of it that was forgotten, 0 before. At or below
//!    the floor a ClOrdID that is not remembered may have been executed, and is refused.
//! 3. The table is a function of the journal's requests in their order and of `remembered_max`.
//!
//! # Theory of operation
//! A ClOrdID above the floor that is not remembered was never placed: whatever was placed is
//! remembered, or was forgotten and has raised the floor to itself at least. So clients whose
//! ClOrdIDs rise by and large never meet the floor. One that is far above all others, by mistake, is
//! the greatest: it stays remembered, and does not put the floor above every ClOrdID to come.

use std::collections::{BTreeMap, VecDeque};

use surgetank_layer::codec::{DecodeError, Malformed, Read};
use surgetank_layer::units::AccountId;

use crate::answer::JournalPlace;
use crate::encoding::{Encoded, fields};

/// The ClOrdIDs with a place in the journal.
#[derive(Clone, Debug)]
pub struct Accepted {
    remembered_max: usize,
    accounts: BTreeMap<AccountId, Account>,
    /// The account of each request that is remembered, in the order of the journal; not of the
    /// greatest of an account of which all others are forgotten.
    order: VecDeque<AccountId>,
}

#[derive(Clone, Debug, Default)]
struct Account {
    floor: u64,
    places: BTreeMap<u64, JournalPlace>,
}

/// What is known of a ClOrdID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It has no place in the journal.
    Never,
    /// It has this place.
    Placed(JournalPlace),
    /// It is not above the floor and not remembered: it may have had a place.
    Forgotten,
}

impl Accepted {
    /// Before the journal's first request.
    pub fn new(remembered_max: usize) -> Accepted {
        Accepted { remembered_max, accounts: BTreeMap::new(), order: VecDeque::new() }
    }

    /// What is known of a ClOrdID.
    pub fn known(&self, account: AccountId, cl_ord_id: u64) -> Known {
        let Some(known) = self.accounts.get(&account) else {
            return if cl_ord_id == 0 { Known::Forgotten } else { Known::Never };
        };
        match known.places.get(&cl_ord_id) {
            Some(place) => Known::Placed(*place),
            None if cl_ord_id <= known.floor => Known::Forgotten,
            None => Known::Never,
        }
    }

    /// Remembers the next request of the journal. ClOrdID 0, of requests that the venue itself
    /// makes, is not remembered, and no client can use it.
    pub fn place(&mut self, account: AccountId, cl_ord_id: u64, place: JournalPlace) {
        // It may be below its account's floor, if that has risen while it waited.
        let is_new = !matches!(self.known(account, cl_ord_id), Known::Placed(_));
        if is_new && cl_ord_id != 0 {
            self.accounts.entry(account).or_default().places.insert(cl_ord_id, place);
            self.order.push_back(account);
            self.forget_surplus();
        }
    }

    fn forget_surplus(&mut self) {
        while self.order.len() > self.remembered_max {
            let Some(account) = self.order.pop_front() else { return };
            if let Some(known) = self.accounts.get_mut(&account).filter(|of| of.places.len() > 1)
                && let Some((cl_ord_id, _)) = known.places.pop_first()
            {
                known.floor = known.floor.max(cl_ord_id);
            }
        }
    }

    /// Number of ClOrdIDs that are remembered.
    pub fn remembered(&self) -> usize {
        self.accounts.values().map(|known| known.places.len()).sum()
    }

    /// Its content, for a snapshot.
    pub fn state(&self) -> Vec<u8> {
        let floors =
            self.accounts.iter().map(|(&account, known)| Floor { account, floor: known.floor });
        let placed = self.accounts.iter().flat_map(|(&account, known)| {
            let places = known.places.iter();
            places.map(move |(&cl_ord_id, &place)| Placed { account, cl_ord_id, place })
        });
        let order = self.order.iter().copied().collect();
        State { floors: floors.collect(), order, placed: placed.collect() }.to_bytes()
    }

    /// The table with this content.
    ///
    /// # Errors
    /// The bytes are no such content.
    pub fn restore(remembered_max: usize, state: &[u8]) -> Read<Accepted> {
        let State { floors, order, placed } = State::from_bytes(state)?;
        let mut accepted = Accepted::new(remembered_max);
        for Floor { account, floor } in floors {
            accepted.accounts.entry(account).or_default().floor = floor;
        }
        for Placed { account, cl_ord_id, place } in placed {
            accepted.accounts.entry(account).or_default().places.insert(cl_ord_id, place);
        }
        // As many turns of an account as requests of it, or one less.
        let uneven = |kind| DecodeError { offset: 0, field: "order", kind };
        let mut left: BTreeMap<AccountId, usize> = BTreeMap::new();
        for (account, known) in &accepted.accounts {
            left.insert(*account, known.places.len());
        }
        for account in &order {
            let due =
                left.get_mut(account).filter(|due| **due > 0).ok_or(uneven(Malformed::Surplus))?;
            *due -= 1;
        }
        if left.values().any(|due| *due > 1) {
            return Err(uneven(Malformed::Truncated));
        }
        accepted.order = order.into();
        accepted.forget_surplus();
        Ok(accepted)
    }
}

struct State {
    floors: Vec<Floor>,
    order: Vec<AccountId>,
    placed: Vec<Placed>,
}

fields!(State { floors, order, placed });

struct Floor {
    account: AccountId,
    floor: u64,
}

fields!(Floor { account, floor });

struct Placed {
    account: AccountId,
    cl_ord_id: u64,
    place: JournalPlace,
}

fields!(Placed { account, cl_ord_id, place });
