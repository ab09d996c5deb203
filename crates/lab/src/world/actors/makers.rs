//! Market makers: a ladder on both sides of the outside price, requoted when it has moved.

use surgetank_layer::message::{
    Body, NewOrderSingle, OrdType, OrderCancelReplaceRequest, OrderCancelRequest, Side, TimeInForce,
};
use surgetank_layer::units::{AccountId, Ns, Price, Qty, SECOND};

use crate::scenario::{self, ms};
use crate::trace::Source;
use crate::world::actors::Wake;
use crate::world::{Event, World};

/// One order of a ladder. ClOrdIDs of a maker count up from 1.
#[derive(Clone, Copy, Default)]
struct Quote {
    cl_ord_id: u64,
    /// The maker believes that it rests.
    alive: bool,
}

struct Maker {
    /// Outside price at the last quote, in ticks; 0 = never quoted.
    centre: Price,
    /// Whether a decision is on its way.
    deciding: bool,
    next_id: u64,
    /// Buys, then sells.
    quotes: Vec<Quote>,
}

/// All makers.
pub struct Makers {
    makers: Vec<Maker>,
    notices: Vec<(u32, u64)>,
}

impl Makers {
    pub(super) fn new(config: &scenario::Makers) -> Makers {
        let quotes = vec![Quote::default(); 2 * config.levels as usize];
        let maker = || Maker { centre: 0, deciding: false, next_id: 0, quotes: quotes.clone() };
        Makers { makers: (0..config.count).map(|_| maker()).collect(), notices: Vec::new() }
    }
}

impl World {
    /// The outside price has stepped: makers who find it moved enough will requote.
    pub(in crate::world) fn alert_makers(&mut self) {
        let Some(exchange) = &self.exchange else { return };
        let outside = exchange.outside_ticks();
        let config = &self.scenario.flow.makers;
        let at = self.now + ms(config.reaction_ms);
        let requote = config.requote_bp / 1e4;
        let live = self.flows(at);
        for (index, maker) in self.actors.makers.makers.iter_mut().enumerate() {
            let moved = (outside - maker.centre).abs() as f64 / outside as f64;
            if live && !maker.deciding && (maker.centre == 0 || moved >= requote) {
                maker.deciding = true;
                let wake = Wake::Maker { maker: index as u32 };
                self.agenda.push(at, Event::Actor(wake));
            }
        }
    }

    /// A maker sends its ladder anew: replaces what rests, places what does not.
    pub(super) fn quote(&mut self, index: u32) {
        let Some(exchange) = &self.exchange else { return };
        let config = self.scenario.flow.makers.clone();
        let centre = exchange.outside_ticks();
        let size =
            config.level_usd * (1.0 - config.fear * exchange.move_pct(SECOND).abs()).max(0.0);
        let account = self.actors.accounts.makers_from() + index;
        let (qty, _) = self.size_and_price(size, Side::Buy, 0.0);
        let qty = if size < config.level_usd * 0.01 { 0 } else { qty };
        let maker = &mut self.actors.makers.makers[index as usize];
        (maker.deciding, maker.centre) = (false, centre);
        for side in [Side::Buy, Side::Sell] {
            for level in 0..config.levels {
                let distance = (config.half_spread_bp + config.step_bp * f64::from(level)) / 1e4;
                let ticks = ((centre as f64 * distance).ceil() as Price).max(1);
                let price = (centre - side.sign() * ticks).max(1);
                self.quote_level(account, index, side, level, price, qty);
            }
        }
    }

    fn quote_level(
        &mut self,
        account: AccountId,
        index: u32,
        side: Side,
        level: u32,
        price: Price,
        order_qty: Qty,
    ) {
        let levels = self.scenario.flow.makers.levels;
        let at = if side == Side::Buy { level } else { levels + level } as usize;
        let maker = &mut self.actors.makers.makers[index as usize];
        let old = maker.quotes[at];
        if order_qty == 0 && !old.alive {
            return;
        }
        maker.next_id += 1;
        let cl_ord_id = maker.next_id;
        maker.quotes[at] = Quote { cl_ord_id, alive: order_qty > 0 };
        let orig_cl_ord_id = old.cl_ord_id;
        let body = if order_qty == 0 {
            Body::OrderCancelRequest(OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: 0 })
        } else if old.alive {
            Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
                cl_ord_id,
                orig_cl_ord_id,
                symbol: 0,
                price,
                order_qty,
            })
        } else {
            Body::NewOrderSingle(NewOrderSingle {
                cl_ord_id,
                symbol: 0,
                side,
                ord_type: OrdType::Limit,
                time_in_force: TimeInForce::GoodTillCancel,
                post_only: false,
                reduce_only: false,
                price,
                order_qty,
            })
        };
        self.send(self.now, account, self.gateway_of(account), Source::Maker, body);
    }

    /// The venue reports that a maker's order is gone: the maker will hear of it.
    pub(in crate::world) fn tell_maker(&mut self, account: AccountId, cl_ord_id: u64, at: Ns) {
        let first = self.actors.accounts.makers_from();
        let maker = account.wrapping_sub(first);
        if maker < self.actors.accounts.makers {
            let slot = self.actors.makers.notices.len() as u32;
            self.actors.makers.notices.push((maker, cl_ord_id));
            self.agenda.push(at, Event::Actor(Wake::Notice { slot }));
        }
    }

    pub(super) fn notice(&mut self, slot: u32) {
        let (maker, cl_ord_id) = self.actors.makers.notices[slot as usize];
        for quote in &mut self.actors.makers.makers[maker as usize].quotes {
            if quote.cl_ord_id == cl_ord_id {
                quote.alive = false;
            }
        }
    }
}
