//! Messages whose content is not known until their place is fixed.
//!
//! [`keypers`]: senders encrypt to a batch, and t of n keypers together open it once it is sealed.
//! Commit–reveal needs no machine: it is a wait, `Unsealing::reveal_ns` of [`crate::node`].
//! What each promises and what it does not is in `docs/sealed.md`.

pub mod keypers;
