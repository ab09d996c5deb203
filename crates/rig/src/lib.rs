//! # surgetank-rig: the lab's actors against a running venue
//!
//! In reading order: [`clock`], [`connection`] (sockets), [`unanswered`] (requests without an
//! answer), [`link`] (one connection after another), [`promises`] (answers against the journal),
//! [`record`] (what happened, and when), [`agenda`], [`host`] (actors on a real clock),
//! [`playing`] (its thread), [`rows`] (the tables of a trace).
//!
//! # Theory of operation
//! Actors are machines that hear events and answer with actions. In the lab a world hosts them; here
//! a host does that has a real clock, sends what they send to a venue as requests, and lets them
//! hear what the venue has published when it arrives. What they can look up is a *shadow*: the
//! lab's exchange, which executes the batches of the venue's journal in their order, so that it is
//! the venue as of the last batch received.
//!
//! After the run the batches, at the times at which the venue has executed them, and the steps of the
//! outside prices are merged, and an exchange that opens like the first one records the rows of the
//! market's table: bad debt and late liquidations are those of the venue, not those of the shadow.

pub mod agenda;
pub mod clock;
pub mod connection;
pub mod host;
pub mod link;
pub mod playing;
pub mod promises;
pub mod record;
pub mod rows;
pub mod unanswered;
