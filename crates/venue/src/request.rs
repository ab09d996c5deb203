//! Requests: messages, and what accounts and operators ask for besides. Journals contain them as
//! they were sent.
//!
//! # Layout, version 1, little-endian
//! ```text
//! 0 message         message (crates/layer/src/codec), its id the request's number
//! 1 open account    common | account u32 | mode u8 (0 isolated, 1 cross, 2 portfolio)
//! 2 deposit         common | account u32 | cash i128
//! 3 withdraw        common | account u32 | cash i128
//! 4 cancel all      common | account u32 | symbol Option<u16>
//! 5 halt, resume    common | account Option<u32> | symbol Option<u16> | halted bool
//! 8 padded message  padding u16 (1 to 4,096) | as many zeros | message
//! common            number u32 | sender u32 | sent_ns u64 | cl_ord_id u64
//! ```
//! 6 (settings) and 7 (end of day) are reserved.
//!
//! # Rules
//! 1. One request has one encoding, so that a signature or a hash of the bytes is one of the request.
//! 2. The ordering rule sees a request's *class*, which for what is no message is a priority: of a
//!    cancel for 4, of an order for the others. `Class` has no members for these, so that verifiers
//!    of journals need not know them.

use serde::{Deserialize, Serialize};
use surgetank_layer::codec::{self, FieldReader, Read};
use surgetank_layer::message::{Body, Class, Envelope, Message, flags};
use surgetank_layer::units::{AccountId, Money, Ns};
use surgetank_market::MarginMode;

use crate::encoding::{Encoded, numbered, too_large};

/// Greatest size of the encoding of a request, in bytes.
pub const REQUEST_BYTES_MAX: usize = PADDING_MAX as usize + 256;
/// Greatest padding of a message, in bytes.
pub const PADDING_MAX: u16 = 4096;
const MESSAGE: u8 = 0;
const PADDED: u8 = 8;

/// A request of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Number of the request in its session, from 1.
    pub number: u32,
    /// Account of the sender.
    pub sender: AccountId,
    /// Time at which the client intended to send it, by its own clock.
    pub sent_ns: Ns,
    /// What is asked for.
    pub action: Action,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// An order, a cancel, a price or a liquidation.
    Message {
        /// Content of the message.
        body: Body,
        /// Zeros that are carried with it, in bytes, to reach the size that a stress run asks for.
        padding: u16,
    },
    /// A request that concerns accounts.
    Account {
        /// ClOrdID of the request, of the same space as those of the sender's orders.
        cl_ord_id: u64,
        /// The request.
        request: AccountRequest,
    },
}

/// A request that concerns accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum AccountRequest {
    /// Opens an account, without money.
    Open {
        /// Number of the new account.
        account: AccountId,
        /// Whether its positions share their collateral.
        mode: MarginMode,
    },
    /// Pays money in.
    Deposit {
        /// Account that is credited.
        account: AccountId,
        /// Amount, in quanta.
        cash: Money,
    },
    /// Pays money out, which must not be needed as initial margin.
    Withdraw {
        /// Account that is debited.
        account: AccountId,
        /// Amount, in quanta.
        cash: Money,
    },
    /// Cancels the resting orders of an account.
    CancelAll {
        /// Owner of the orders.
        account: AccountId,
        /// Index of the market; `None`: all.
        symbol: Option<u16>,
    },
    /// Stops new orders of an account, of a market, or of both together, or lets them in again.
    Halt {
        /// The account; `None`: all.
        account: Option<AccountId>,
        /// Index of the market; `None`: all.
        symbol: Option<u16>,
        /// Whether new orders are refused from now on.
        halted: bool,
    },
}

impl Request {
    /// ClOrdID of the request; `None` for a price or a liquidation, which have none: a second copy
    /// of these is executed on the market as it is then.
    pub fn cl_ord_id(&self) -> Option<u64> {
        match self.action {
            Action::Account { cl_ord_id, .. } => Some(cl_ord_id),
            Action::Message { body, .. } => match body {
                Body::NewOrderSingle(new) => Some(new.cl_ord_id),
                Body::OrderCancelRequest(cancel) => Some(cancel.cl_ord_id),
                Body::OrderCancelReplaceRequest(replace) => Some(replace.cl_ord_id),
                _ => None,
            },
        }
    }

    /// Class for the ordering rule; see the module's rule 2.
    pub fn class(&self) -> Class {
        match self.action {
            Action::Message { body, .. } => body.class(),
            Action::Account { request: AccountRequest::CancelAll { .. }, .. } => {
                Class::OrderCancelRequest
            }
            Action::Account { .. } => Class::NewOrderSingle,
        }
    }

    /// Bits of [`flags`] for the ordering rule.
    pub fn flags(&self) -> u8 {
        match self.action {
            Action::Message { body: Body::NewOrderSingle(new), .. } => new.flags(),
            _ => 0,
        }
    }

    /// Whether it reduces risk, as [`Envelope::reduces_risk`] has it; deposits, cancels of all
    /// orders, and halts do too.
    pub fn reduces_risk(&self) -> bool {
        match self.action {
            Action::Message { .. } => {
                let envelope = Envelope::plain(self.number, self.class(), 0, self.sender);
                Envelope { flags: self.flags() & flags::REDUCE_ONLY, ..envelope }.reduces_risk()
            }
            Action::Account { request, .. } => match request {
                AccountRequest::Deposit { .. }
                | AccountRequest::CancelAll { .. }
                | AccountRequest::Halt { .. } => true,
                AccountRequest::Open { .. } | AccountRequest::Withdraw { .. } => false,
            },
        }
    }

    /// Whether it pays money out, for which a signature is always needed.
    pub fn withdraws(&self) -> bool {
        matches!(self.action, Action::Account { request: AccountRequest::Withdraw { .. }, .. })
    }

    /// Index of the market concerned; `None` if it concerns none, or all.
    pub fn symbol(&self) -> Option<u16> {
        match self.action {
            Action::Message { body, .. } => body.symbol(),
            Action::Account { request, .. } => match request {
                AccountRequest::CancelAll { symbol, .. } | AccountRequest::Halt { symbol, .. } => {
                    symbol
                }
                _ => None,
            },
        }
    }
}

impl Encoded for Request {
    fn write(&self, out: &mut Vec<u8>) {
        let Request { number, sender, sent_ns, action } = *self;
        match action {
            Action::Message { body, padding } => {
                out.push(if padding == 0 { MESSAGE } else { PADDED });
                if padding > 0 {
                    padding.write(out);
                    out.resize(out.len() + usize::from(padding), 0);
                }
                let message = Message { id: number, account: sender, sent_ns, body };
                codec::encode(&message, out);
            }
            Action::Account { cl_ord_id, request } => {
                out.push(request.kind());
                number.write(out);
                sender.write(out);
                sent_ns.write(out);
                cl_ord_id.write(out);
                request.write_fields(out);
            }
        }
    }

    fn read(reader: &mut FieldReader<'_>, _: &'static str) -> Read<Request> {
        let start = reader.at();
        let kind = reader.byte("kind")?;
        if kind == MESSAGE || kind == PADDED {
            let padding = if kind == PADDED { padding(reader)? } else { 0 };
            let Message { id: number, account: sender, sent_ns, body } = reader.message()?;
            return Ok(Request {
                number,
                sender,
                sent_ns,
                action: Action::Message { body, padding },
            });
        }
        if !(1..=5).contains(&kind) {
            return Err(reader.unknown_at(start, "kind"));
        }
        let (number, sender) = (reader.u32("number")?, reader.u32("sender")?);
        let (sent_ns, cl_ord_id) = (reader.u64("sent_ns")?, reader.u64("cl_ord_id")?);
        let request = AccountRequest::read_fields(kind, reader)?;
        Ok(Request { number, sender, sent_ns, action: Action::Account { cl_ord_id, request } })
    }
}

fn padding(reader: &mut FieldReader<'_>) -> Read<u16> {
    let start = reader.at();
    let padding = reader.u16("padding")?;
    if padding == 0 || padding > PADDING_MAX {
        return Err(too_large(start, "padding", padding.into()));
    }
    let zeros = reader.slice("padding", padding.into())?;
    match zeros.iter().position(|byte| *byte != 0) {
        Some(at) => Err(reader.unknown_at(start + 2 + at, "padding")),
        None => Ok(padding),
    }
}

impl AccountRequest {
    fn kind(&self) -> u8 {
        match self {
            AccountRequest::Open { .. } => 1,
            AccountRequest::Deposit { .. } => 2,
            AccountRequest::Withdraw { .. } => 3,
            AccountRequest::CancelAll { .. } => 4,
            AccountRequest::Halt { .. } => 5,
        }
    }

    fn write_fields(&self, out: &mut Vec<u8>) {
        match *self {
            AccountRequest::Open { account, mode } => (account.write(out), mode.write(out)),
            AccountRequest::Deposit { account, cash }
            | AccountRequest::Withdraw { account, cash } => (account.write(out), cash.write(out)),
            AccountRequest::CancelAll { account, symbol } => {
                (account.write(out), symbol.write(out))
            }
            AccountRequest::Halt { account, symbol, halted } => {
                account.write(out);
                (symbol.write(out), halted.write(out))
            }
        };
    }

    /// Of a kind from 1 to 5.
    fn read_fields(kind: u8, reader: &mut FieldReader<'_>) -> Read<AccountRequest> {
        if kind == 5 {
            let account = Encoded::read(reader, "account")?;
            let symbol = Encoded::read(reader, "symbol")?;
            let halted = Encoded::read(reader, "halted")?;
            return Ok(AccountRequest::Halt { account, symbol, halted });
        }
        let account = reader.u32("account")?;
        Ok(match kind {
            1 => AccountRequest::Open { account, mode: Encoded::read(reader, "mode")? },
            2 => AccountRequest::Deposit { account, cash: Encoded::read(reader, "cash")? },
            3 => AccountRequest::Withdraw { account, cash: Encoded::read(reader, "cash")? },
            _ => AccountRequest::CancelAll { account, symbol: Encoded::read(reader, "symbol")? },
        })
    }
}

/// The modes by their number.
const MODES: [MarginMode; 3] = [MarginMode::Isolated, MarginMode::Cross, MarginMode::Portfolio];

impl Encoded for MarginMode {
    fn write(&self, out: &mut Vec<u8>) {
        out.push(*self as u8);
    }

    fn read(reader: &mut FieldReader<'_>, field: &'static str) -> Read<MarginMode> {
        reader.one_of(field, MODES, |mode| mode as u8)
    }
}

/// What must have happened to a request before it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Level {
    /// It is executed, and kept in the memory of one process.
    Memory = 0,
    /// Its batch is durable on the disk.
    Disk = 1,
    /// Its batch is durable on a quorum of machines. Reserved: no venue offers it yet.
    Quorum = 2,
}

numbered!(Level { Memory, Disk, Quorum });
