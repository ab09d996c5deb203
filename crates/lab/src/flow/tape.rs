//! A tape: recorded prices and messages, on the run's clock.

use surgetank_layer::units::Ns;

/// Recorded prices and messages. The `messages_*` have equal lengths, and so have the `prices_*`.
#[derive(Clone, Debug, Default)]
pub struct Tape {
    /// Time of each price.
    pub prices_ns: Vec<Ns>,
    /// Price of each observation, in USD.
    pub prices_usd: Vec<f64>,
    /// Send time of each message.
    pub messages_ns: Vec<Ns>,
    /// Class number of each message.
    pub messages_class: Vec<u8>,
    /// 1 buy, 2 sell, 0 neither.
    pub messages_side: Vec<u8>,
    /// Price of each message, in USD; 0 without one.
    pub messages_usd: Vec<f64>,
    /// Quantity of each message, in coins.
    pub messages_qty: Vec<f64>,
    /// Key of the resting order that each message concerns; 0 = none.
    pub messages_key: Vec<u64>,
}

impl Tape {
    /// Checks that columns have equal lengths, times do not decrease, prices are positive and codes
    /// known.
    ///
    /// # Errors
    /// Names the column and the index.
    pub fn check(&self) -> Result<(), String> {
        let lengths = [
            ("prices_usd", self.prices_usd.len(), self.prices_ns.len()),
            ("messages_class", self.messages_class.len(), self.messages_ns.len()),
            ("messages_side", self.messages_side.len(), self.messages_ns.len()),
            ("messages_usd", self.messages_usd.len(), self.messages_ns.len()),
            ("messages_qty", self.messages_qty.len(), self.messages_ns.len()),
            ("messages_key", self.messages_key.len(), self.messages_ns.len()),
        ];
        for (name, length, wanted) in lengths {
            if length != wanted {
                return Err(format!("tape: `{name}` has {length} entries where {wanted} are due"));
            }
        }
        for (name, times) in [("prices_ns", &self.prices_ns), ("messages_ns", &self.messages_ns)] {
            if let Some(at) = times.windows(2).position(|pair| pair[1] < pair[0]) {
                return Err(format!("tape: `{name}` goes back in time at entry {}", at + 1));
            }
        }
        if let Some(at) = self.prices_usd.iter().position(|usd| !(*usd > 0.0 && usd.is_finite())) {
            return Err(format!("tape: `prices_usd` is not positive at entry {at}"));
        }
        let amounts = [("messages_usd", &self.messages_usd), ("messages_qty", &self.messages_qty)];
        for (name, amounts) in amounts {
            if let Some(at) = amounts.iter().position(|x| !(*x >= 0.0 && x.is_finite())) {
                return Err(format!("tape: `{name}` is negative or no number at entry {at}"));
            }
        }
        for (name, codes, most) in
            [("messages_class", &self.messages_class, 4), ("messages_side", &self.messages_side, 2)]
        {
            if let Some(at) = codes.iter().position(|code| *code > most) {
                let code = codes[at];
                return Err(format!("tape: `{name}` is {code} at entry {at}; it is 0..{most}"));
            }
        }
        Ok(())
    }
}
