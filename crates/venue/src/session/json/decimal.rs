//! Decimal numbers as clients write them, and whole multiples of ticks, lots and quanta: exact in both
//! directions, without floating point.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// Greatest length of a number in a client's text, in bytes.
pub const NUMBER_BYTES_MAX: usize = 48;
/// Greatest power of ten, of either sign, in a number.
const EXPONENT_MAX: i32 = 30;

/// `digits` × 10^−`scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    digits: i128,
    scale: u32,
}

impl Decimal {
    /// Reads a number of JSON (RFC 8259, section 6); `None`: it is none, or is out of bounds.
    pub fn parse(text: &str) -> Option<Decimal> {
        if text.len() > NUMBER_BYTES_MAX {
            return None;
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (is_negative, mantissa) =
            mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
        let (whole, fraction) = match mantissa.split_once('.') {
            Some((_, "")) => return None,
            Some(parts) => parts,
            None => (mantissa, ""),
        };
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let mut digits: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            digits = digits.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
        }
        let scale = i32::try_from(fraction.len()).ok()? - exponent;
        if exponent.abs() > EXPONENT_MAX {
            return None;
        }
        let signed = if is_negative { -digits } else { digits };
        let Ok(scale) = u32::try_from(scale) else {
            let digits = signed.checked_mul(ten_to(scale.unsigned_abs())?)?;
            return Some(Decimal { digits, scale: 0 });
        };
        Some(Decimal { digits: signed, scale }.shortest())
    }

    /// Without zeros at the end of the fraction.
    fn shortest(mut self) -> Decimal {
        while self.scale > 0 && self.digits % 10 == 0 {
            self.digits /= 10;
            self.scale -= 1;
        }
        self
    }
}

fn ten_to(power: u32) -> Option<i128> {
    10_i128.checked_pow(power)
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decimal { digits, scale } = *self;
        let sign = if digits < 0 { "-" } else { "" };
        let (digits, scale) = (digits.unsigned_abs().to_string(), scale as usize);
        if scale == 0 {
            return write!(f, "{sign}{digits}");
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = padded.split_at(padded.len() - scale);
        write!(f, "{sign}{whole}.{fraction}")
    }
}

impl Serialize for Decimal {
    /// A number of JSON with exactly these digits.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl JsonSchema for Decimal {
    fn schema_name() -> Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number"})
    }
}

/// A positive step of which amounts are whole multiples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit(Decimal);

impl Unit {
    /// The step that a configuration writes as this number; 1 if it is not positive or needs more
    /// digits than a number may have.
    pub fn of(step: f64) -> Unit {
        let one = Decimal { digits: 1, scale: 0 };
        let parsed = Decimal::parse(&step.to_string());
        Unit(parsed.filter(|step| step.digits > 0).unwrap_or(one))
    }

    /// The product of two steps, as a tick and a lot make a quantum of money.
    pub fn times(self, other: Unit) -> Unit {
        let digits = self.0.digits.saturating_mul(other.0.digits);
        Unit(Decimal { digits, scale: self.0.scale + other.0.scale }.shortest())
    }

    /// How many of it an amount is; `None` if that is no whole number.
    pub fn count(self, amount: Decimal) -> Option<i128> {
        // amount / step = digits × 10^step.scale / (step.digits × 10^amount.scale)
        let common = self.0.scale.min(amount.scale);
        let above = amount.digits.checked_mul(ten_to(self.0.scale - common)?)?;
        let below = self.0.digits.checked_mul(ten_to(amount.scale - common)?)?;
        (above % below == 0).then_some(above / below)
    }

    /// So many of it.
    pub fn amount(self, count: i128) -> Decimal {
        let digits = self.0.digits.saturating_mul(count);
        Decimal { digits, scale: self.0.scale }.shortest()
    }

    /// One of it.
    pub fn step(self) -> Decimal {
        self.0
    }
}
