//! Liquidations that a limit deferred, as clients learn of them.
//!
//! # Rules
//! 1. An account's liquidation is deferred while the last order against it that was executed left
//!    something to close because of a limit, and no keeper has sent again since.
//! 2. Whether a block deferred any liquidation is published with the block.

use surgetank_layer::units::{AccountId, Height};
use surgetank_market::Fact;

/// What limits deferred, by block and by account.
pub struct Deferrals {
    /// Whether the venue closes positions out in parts.
    in_parts: bool,
    /// Whether a limit deferred a liquidation, by height.
    by_block: Vec<bool>,
    /// Height at which an account's last liquidation was deferred; 0 = not since it was last sent.
    at: Vec<u32>,
}

impl Deferrals {
    /// None so far, of this many accounts.
    pub fn new(accounts: usize, in_parts: bool) -> Deferrals {
        Deferrals { in_parts, by_block: vec![false], at: vec![0; accounts] }
    }

    /// The next block is executed.
    pub fn begin_block(&mut self) {
        self.by_block.push(false);
    }

    /// Records a fact of the block.
    pub fn note(&mut self, fact: &Fact) {
        let account = match *fact {
            Fact::LiquidationDeferred { account, .. } => account,
            Fact::Liquidated { account, book_qty, deleveraged_qty, remaining, .. }
                if self.in_parts && remaining != 0 && book_qty + deleveraged_qty > 0 =>
            {
                account
            }
            _ => return,
        };
        let height = self.by_block.len() - 1;
        if let Some(at) = self.at.get_mut(account as usize) {
            *at = height as u32;
            self.by_block[height] = true;
        }
    }

    /// Records that a keeper has sent again for the account.
    pub fn sent_again(&mut self, account: AccountId) {
        self.at[account as usize] = 0;
    }

    /// Whether a limit deferred liquidations in the block of this height.
    pub fn any_in(&self, height: Height) -> bool {
        self.by_block[height as usize]
    }

    /// Whether a limit deferred the account's last liquidation, in a block up to this height.
    pub fn is_deferred(&self, account: AccountId, height: u32) -> bool {
        self.at.get(account as usize).is_some_and(|&at| at != 0 && at <= height)
    }
}
