//! Messages whose content is not known until their place is fixed.
//!
//! [`commit_reveal`]: each sender commits to a hash, with a bond, and reveals later.
//! [`keypers`]: senders encrypt to a batch, and t of n keypers together open it once it is sealed.
//! What each promises and what it does not is in `docs/sealed.md`.

pub mod commit_reveal;
pub mod keypers;
