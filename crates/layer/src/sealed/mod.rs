//! Messages whose content is secret until their place in the order is fixed.
//!
//! [`keypers`]: senders encrypt to a batch, and t of n keypers release its key once it is sealed.
//! Commit–reveal needs no machine: it is a wait, `Unsealing::reveal_ns` of [`crate::node`].
//! `docs/sealed.md` says what each guarantees and what it does not.

pub mod keypers;
