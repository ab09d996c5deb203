//! Decoding of messages.

use super::reader::{FieldReader, Read};
use super::{DecodeError, Malformed, VERSION};
use crate::message::{
    Body, Class, ExecType, ExecutionReport, LiquidationOrder, Message, NewOrderSingle, OrdType,
    OrderCancelReplaceRequest, OrderCancelRequest, PriceUpdate, Proposal, Side, TimeInForce, Vote,
    VoteType,
};
use crate::units::Digest;

/// Reads one message from the front of `bytes`; also returns the number of bytes read.
///
/// # Errors
/// Names the field at which the bytes are not a message, and its offset.
pub fn decode(bytes: &[u8]) -> Read<(Message, usize)> {
    let mut reader = FieldReader::new(bytes);
    let message = reader.message()?;
    Ok((message, reader.at()))
}

impl FieldReader<'_> {
    /// One message.
    ///
    /// # Errors
    /// Names the field at which the bytes are not a message, and its offset.
    pub fn message(&mut self) -> Read<Message> {
        let offset = self.at();
        let version = self.byte("version")?;
        if version != VERSION {
            let kind = Malformed::UnknownVersion(version);
            return Err(DecodeError { offset, field: "version", kind });
        }
        let class = self.one_of("class", Class::ALL, |class| class as u8)?;
        let id = self.u32("id")?;
        let account = self.u32("account")?;
        let sent_ns = self.u64("sent_ns")?;
        let body = self.body(class)?;
        Ok(Message { id, account, sent_ns, body })
    }

    fn side(&mut self) -> Read<Side> {
        self.one_of("side", [Side::Buy, Side::Sell], |side| side as u8)
    }

    /// A flag and a value, which must be zero where the flag is 0.
    fn option<T: Default + PartialEq>(
        &mut self,
        field: &'static str,
        value: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<Option<T>> {
        let there = self.flag(field)?;
        let start = self.at();
        let value = value(self)?;
        if there {
            return Ok(Some(value));
        }
        if value == T::default() {
            return Ok(None);
        }
        Err(self.unknown_at(start, field))
    }

    fn body(&mut self, class: Class) -> Read<Body> {
        Ok(match class {
            Class::PriceUpdate => Body::PriceUpdate(PriceUpdate {
                symbol: self.u16("symbol")?,
                price: self.i64("price")?,
                observed_ns: self.u64("observed_ns")?,
            }),
            Class::LiquidationOrder => Body::LiquidationOrder(LiquidationOrder {
                symbol: self.u16("symbol")?,
                target: self.u32("target")?,
                order_qty: self.i64("order_qty")?,
                trigger_price: self.i64("trigger_price")?,
            }),
            Class::OrderCancelRequest => Body::OrderCancelRequest(OrderCancelRequest {
                cl_ord_id: self.u64("cl_ord_id")?,
                orig_cl_ord_id: self.u64("orig_cl_ord_id")?,
                symbol: self.u16("symbol")?,
            }),
            Class::OrderCancelReplaceRequest => {
                Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
                    cl_ord_id: self.u64("cl_ord_id")?,
                    orig_cl_ord_id: self.u64("orig_cl_ord_id")?,
                    symbol: self.u16("symbol")?,
                    price: self.i64("price")?,
                    order_qty: self.i64("order_qty")?,
                })
            }
            Class::NewOrderSingle => Body::NewOrderSingle(self.new_order_single()?),
            Class::ExecutionReport => Body::ExecutionReport(self.execution_report()?),
            Class::Proposal => Body::Proposal(Proposal {
                height: self.u64("height")?,
                round: self.u32("round")?,
                value: Digest(self.array("value")?),
                valid_round: self.option("valid_round", |r| r.u32("valid_round"))?,
                validator: self.u32("validator")?,
            }),
            Class::Vote => Body::Vote(Vote {
                vote_type: self.one_of(
                    "vote_type",
                    [VoteType::Prevote, VoteType::Precommit],
                    |vote_type| vote_type as u8,
                )?,
                height: self.u64("height")?,
                round: self.u32("round")?,
                value: self.option("value", |r| r.array("value").map(Digest))?,
                validator: self.u32("validator")?,
            }),
        })
    }

    fn new_order_single(&mut self) -> Read<NewOrderSingle> {
        use TimeInForce::{GoodTillCancel, ImmediateOrCancel};
        Ok(NewOrderSingle {
            cl_ord_id: self.u64("cl_ord_id")?,
            symbol: self.u16("symbol")?,
            side: self.side()?,
            ord_type: self.one_of("ord_type", [OrdType::Market, OrdType::Limit], |t| t as u8)?,
            time_in_force: self.one_of(
                "time_in_force",
                [GoodTillCancel, ImmediateOrCancel],
                |t| t as u8,
            )?,
            post_only: self.flag("post_only")?,
            reduce_only: self.flag("reduce_only")?,
            price: self.i64("price")?,
            order_qty: self.i64("order_qty")?,
        })
    }

    fn execution_report(&mut self) -> Read<ExecutionReport> {
        use ExecType::{Canceled, New, Rejected, Replaced, Trade};
        Ok(ExecutionReport {
            cl_ord_id: self.u64("cl_ord_id")?,
            symbol: self.u16("symbol")?,
            exec_type: self.one_of(
                "exec_type",
                [New, Trade, Canceled, Replaced, Rejected],
                |exec_type| exec_type as u8,
            )?,
            side: self.side()?,
            last_px: self.i64("last_px")?,
            last_qty: self.i64("last_qty")?,
            leaves_qty: self.i64("leaves_qty")?,
            ord_rej_reason: self.byte("ord_rej_reason")?,
        })
    }
}
