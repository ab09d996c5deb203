//! The keys of a venue: who may log on, for which account, to do what.
//!
//! # Format
//! ```toml
//! [desk]                       # name of the key, as the logon has it
//! account = 7
//! permissions = ["trade", "withdraw"]
//! ed25519 = "<64 hexadecimal digits of the public key>"
//!
//! [desk-2]                     # several keys of an account: add one, then remove the other
//! account = 7
//! permissions = ["trade"]
//! hmac = "<64 hexadecimal digits of the secret>"
//! sign-requests = true         # every request is signed, not only withdrawals
//! ```
//! The file is TOML; the host reads it, refuses one that others can read, and hands it over as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Deserializer};
use surgetank_layer::message::Body;
use surgetank_layer::units::AccountId;
use surgetank_market::ACCOUNTS_MAX;

use crate::answer::Refusal;
use crate::request::{AccountRequest, Action, Request};

/// All keys, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Keys(BTreeMap<String, Entry>);

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Entry {
    /// Account for which it speaks.
    pub account: AccountId,
    /// What it may do.
    pub permissions: BTreeSet<Permission>,
    /// How its signatures are checked.
    pub verifier: Verifier,
    /// Whether every request must be signed; withdrawals must be in any case.
    pub sign_requests: bool,
}

/// What a key may do besides reading public streams and those of its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Orders, replaces and cancels of its account.
    Trade,
    /// Withdrawals of its account.
    Withdraw,
    /// Liquidation orders.
    Keeper,
    /// Oracle prices.
    Price,
    /// Opening accounts, deposits, halts, and cancels for any account.
    Operate,
    /// Requests in the name of any account, as a broker sends its clients' and a stress run those
    /// of all its actors. What they may be, the other permissions say.
    OnBehalf,
}

/// How signatures are checked.
#[derive(Clone, PartialEq, Eq)]
pub enum Verifier {
    /// By a public key.
    Ed25519(VerifyingKey),
    /// By a shared secret.
    HmacSha256([u8; 32]),
}

impl fmt::Debug for Verifier {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verifier::Ed25519(_) => "Ed25519",
            Verifier::HmacSha256(_) => "HmacSha256",
        })
    }
}

impl Keys {
    /// Reads the file's content, as JSON.
    ///
    /// # Errors
    /// Says which key is wrong, and how; never shows a secret.
    pub fn parse(json: &str) -> Result<Keys, String> {
        let tables: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(json).map_err(|_| "keys: not a table of tables".to_owned())?;
        let entry = |(name, table): (String, serde_json::Value)| {
            let read = Entry::deserialize(table).map_err(|e| format!("keys: [{name}]: {e}"));
            read.map(|entry| (name, entry))
        };
        tables.into_iter().map(entry).collect::<Result<_, _>>().map(Keys)
    }

    /// The key of this name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.0.get(name)
    }
}

impl Entry {
    /// Whether the key may send this request.
    ///
    /// # Errors
    /// Why not.
    pub fn permits(&self, request: &Request) -> Result<(), Refusal> {
        let (permission, account) = needed(request).ok_or(Refusal::UnknownClass)?;
        let own =
            request.sender == self.account || self.permissions.contains(&Permission::OnBehalf);
        let for_itself = own && account.is_none_or(|account| account == request.sender);
        let operates = self.permissions.contains(&Permission::Operate);
        let cancels = matches!(
            request.action,
            Action::Account { request: AccountRequest::CancelAll { .. }, .. }
        );
        let allowed = for_itself && self.permissions.contains(&permission)
            || own && operates && (cancels || permission == Permission::Operate);
        allowed.then_some(()).ok_or(Refusal::NotPermitted)
    }

    /// Whether the request must be signed.
    pub fn must_sign(&self, request: &Request) -> bool {
        self.sign_requests || request.withdraws()
    }
}

/// The permission that a request needs, and the account on which it acts, if other than the
/// sender's can be meant; `None` if clients do not send it.
fn needed(request: &Request) -> Option<(Permission, Option<AccountId>)> {
    Some(match request.action {
        Action::Message { body, .. } => match body {
            Body::NewOrderSingle(_)
            | Body::OrderCancelRequest(_)
            | Body::OrderCancelReplaceRequest(_) => (Permission::Trade, None),
            Body::PriceUpdate(_) => (Permission::Price, None),
            Body::LiquidationOrder(_) => (Permission::Keeper, None),
            Body::ExecutionReport(_) | Body::Proposal(_) | Body::Vote(_) => return None,
        },
        Action::Account { request, .. } => match request {
            AccountRequest::Withdraw { account, .. } => (Permission::Withdraw, Some(account)),
            AccountRequest::CancelAll { account, .. } => (Permission::Trade, Some(account)),
            AccountRequest::Open { .. }
            | AccountRequest::Deposit { .. }
            | AccountRequest::Halt { .. } => (Permission::Operate, None),
        },
    })
}

/// An entry as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    account: AccountId,
    permissions: BTreeSet<Permission>,
    #[serde(default, deserialize_with = "hex")]
    ed25519: Option<[u8; 32]>,
    #[serde(default, deserialize_with = "hex")]
    hmac: Option<[u8; 32]>,
    #[serde(default)]
    sign_requests: bool,
}

impl TryFrom<Written> for Entry {
    type Error = String;

    fn try_from(written: Written) -> Result<Entry, String> {
        let Written { account, permissions, ed25519, hmac, sign_requests } = written;
        if account >= ACCOUNTS_MAX {
            return Err(format!("`account` must be below {ACCOUNTS_MAX}"));
        }
        let verifier = match (ed25519, hmac) {
            (Some(public), None) => Verifier::Ed25519(
                VerifyingKey::from_bytes(&public)
                    .ok()
                    .filter(|key| !key.is_weak())
                    .ok_or("`ed25519` is no public key")?,
            ),
            (None, Some(secret)) => Verifier::HmacSha256(secret),
            _ => return Err("give one of `ed25519` and `hmac`".to_owned()),
        };
        Ok(Entry { account, permissions, verifier, sign_requests })
    }
}

/// 64 hexadecimal digits. The error does not repeat them: they may be a secret.
fn hex<'d, D: Deserializer<'d>>(from: D) -> Result<Option<[u8; 32]>, D::Error> {
    let wrong = || serde::de::Error::custom("a key has 64 hexadecimal digits");
    let value = serde_json::Value::deserialize(from).map_err(|_| wrong())?;
    let (digits, rest) =
        value.as_str().map_or(Default::default(), |text| text.as_bytes().as_chunks::<2>());
    let digits: &[[u8; 2]] = digits;
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let byte = |pair: &[u8; 2]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    let bytes: Option<Vec<u8>> = digits.iter().map(byte).collect();
    let key = bytes.and_then(|bytes| bytes.try_into().ok()).filter(|_| rest.is_empty());
    key.map(Some).ok_or_else(wrong)
}
