//! Market makers: a ladder on both sides of the outside price, with a position, capital and doubts.
//!
//! # Rules
//! 1. A maker requotes when the outside price has moved by `requote_bp` since it last quoted, or when
//!    it has heard that one of its orders traded or was refused. Orders that stand where they should
//!    are left alone.
//!    What it decides on is the outside price of `reaction_ms` ago.
//! 2. It knows its orders, position and equity as the venue reports them: one report for each block
//!    in which something became of its orders, a client link later.
//! 3. Both sides move against its position (`skew_bp`), and no more is quoted on a side than the
//!    position may still grow (`inventory_usd`), orders counted in whose end it has not heard of. The spread widens with the last second's move of the outside price (`widen`),
//!    and size falls with it (`fear`).
//! 4. It pulls all quotes while that move is `pull_pct` or more, and while a message of its own has
//!    been without an answer for `stale_ms`: what it knows of its position is old. After as long
//!    again without news it tries once more.
//! 5. When it has lost `loss_max` of its capital it pulls all quotes for good.
//!
//! A quote moves by a cancel and a new order, all cancels first, as where a queue serves cancels and
//! post-only orders before those that take (Hyperliquid); or by one cancel-replace. A refused replace
//! leaves the old order in the book, at the old price: the maker cancels it when it hears so. A
//! cancel that overtook its order on the way found nothing: it is sent again when the venue accepts
//! the order after all.
//!
//! Source: Avellaneda & Stoikov, "High-frequency trading in a limit order book" (Quantitative
//! Finance 8, 2008) for the shift of both quotes in proportion to inventory, and the spread's growth
//! with volatility; the coefficients are the scenario's, not the paper's optimum.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use surgetank_layer::message::{
    Body, Message, NewOrderSingle, OrdType, OrderCancelReplaceRequest, OrderCancelRequest, Side,
    TimeInForce,
};
use surgetank_layer::units::{AccountId, Ns, Price, Qty, SECOND};
use surgetank_market::{Fact, Reject};

use crate::scenario::{self, Requote, ms};
use crate::trace::Source;
use crate::world::actors::Wake;
use crate::world::{Event, World};

/// One order of a ladder. ClOrdIDs of a maker count up from 1.
#[derive(Clone, Copy, Default)]
struct Quote {
    cl_ord_id: u64,
    price: Price,
    qty: Qty,
    /// The maker believes that it rests.
    alive: bool,
}

#[derive(Clone)]
struct Maker {
    /// Outside price at the last quote, in ticks; 0 = never quoted.
    centre: Price,
    /// Whether a decision is on its way.
    deciding: bool,
    /// Outside price on which it will decide, in ticks.
    seen: Price,
    /// Whether something became of its orders since the last quote.
    disturbed: bool,
    /// Whether it has stopped for good.
    broke: bool,
    next_id: u64,
    /// Buys, then sells.
    quotes: Vec<Quote>,
    /// Replaces that were sent: the ClOrdID of each, and of what it replaces.
    replaces: BTreeMap<u64, u64>,
    /// Cancels that were sent: the ClOrdID of each, and of what it cancels.
    cancels: BTreeMap<u64, u64>,
    /// Orders that the venue did not know yet when their end came; still on their way.
    overtaken: BTreeSet<u64>,
    /// Orders that may trade: sent, and not known to be gone. What each may buy (sell: below zero).
    open: BTreeMap<u64, Qty>,
    /// When its messages without an answer were sent.
    unanswered: VecDeque<Ns>,
    /// When it last sent.
    sent_ns: Ns,
    /// Signed position, as it was told.
    position: Qty,
    /// Equity less the position's value, in USD, as it was told.
    cash_usd: f64,
}

/// What a maker is told of one block.
#[derive(Clone, Default)]
pub struct Notice {
    maker: u32,
    /// Orders let into the book.
    accepted: Vec<u64>,
    /// Orders that no longer rest.
    gone: Vec<u64>,
    /// Messages refused; whether a replaced order still rests.
    refused: Vec<(u64, bool)>,
    /// Sending time of the latest message answered; 0 = none.
    answered_ns: Ns,
    position: Qty,
    cash_usd: f64,
}

/// All makers.
pub struct Makers {
    makers: Vec<Maker>,
    notices: Vec<Notice>,
}

impl Makers {
    pub(super) fn new(config: &scenario::Makers) -> Makers {
        let maker = Maker {
            centre: 0,
            deciding: false,
            seen: 0,
            disturbed: false,
            broke: false,
            next_id: 0,
            quotes: vec![Quote::default(); 2 * config.levels as usize],
            replaces: BTreeMap::new(),
            cancels: BTreeMap::new(),
            overtaken: BTreeSet::new(),
            open: BTreeMap::new(),
            unanswered: VecDeque::new(),
            sent_ns: 0,
            position: 0,
            cash_usd: config.capital_usd,
        };
        Makers { makers: vec![maker; config.count as usize], notices: Vec::new() }
    }

    /// How many have stopped for good.
    pub fn broke(&self) -> usize {
        self.makers.iter().filter(|maker| maker.broke).count()
    }
}

impl Maker {
    /// What orders that its ladder no longer holds may still buy and sell: cancelled or replaced, but
    /// the venue has not said so yet.
    fn open_beside_quotes(&self) -> (Qty, Qty) {
        let quoted =
            |id: &u64| self.quotes.iter().any(|quote| quote.alive && quote.cl_ord_id == *id);
        let open = self.open.iter().filter(|(id, _)| !quoted(id)).map(|(_, &qty)| qty);
        open.fold((0, 0), |(buys, sells), qty| (buys + qty.max(0), sells - qty.min(0)))
    }

    fn cancel(&mut self, orig_cl_ord_id: u64) -> Body {
        self.next_id += 1;
        self.cancels.insert(self.next_id, orig_cl_ord_id);
        cancel(self.next_id, orig_cl_ord_id)
    }

    /// Cancels for orders that rest although the maker had asked for their end.
    fn ends_again(&mut self, notice: &Notice) -> Vec<Body> {
        let mut bodies = Vec::new();
        for &(cl_ord_id, old_rests) in &notice.refused {
            let replaced = self.replaces.remove(&cl_ord_id);
            let Some(old) = replaced.or_else(|| self.cancels.remove(&cl_ord_id)) else { continue };
            if old_rests && replaced.is_some() {
                bodies.push(self.cancel(old));
            } else if !old_rests && self.open.contains_key(&old) {
                self.overtaken.insert(old);
            }
        }
        for gone in &notice.gone {
            self.overtaken.remove(gone);
            self.cancels.retain(|_, orig| orig != gone);
        }
        for accepted in &notice.accepted {
            if self.overtaken.remove(accepted) {
                bodies.push(self.cancel(*accepted));
            }
        }
        bodies
    }

    /// Whether a message has been without an answer for too long.
    fn is_stale(&self, now: Ns, stale_ns: Ns) -> bool {
        stale_ns > 0 && self.unanswered.front().is_some_and(|&sent| now >= sent + stale_ns)
    }
}

/// Where a maker wants its orders: price and quantity by level, buys then sells.
type Ladder = Vec<(Price, Qty)>;

impl World {
    /// The outside price has stepped: makers who find reason to will requote.
    pub(in crate::world) fn alert_makers(&mut self) {
        let Some(exchange) = &self.exchange else { return };
        let outside = exchange.outside_ticks();
        let config = &self.scenario.flow.makers;
        let at = self.now + ms(config.reaction_ms);
        let requote = config.requote_bp / 1e4;
        let stale_ns = ms(config.stale_ms);
        let live = self.flows(at);
        for (index, maker) in self.actors.makers.makers.iter_mut().enumerate() {
            let moved = (outside - maker.centre).abs() as f64 / outside as f64 >= requote;
            let quoting = maker.quotes.iter().any(|quote| quote.alive);
            let stale = maker.is_stale(at, stale_ns);
            let reason = moved || maker.disturbed || stale || !quoting;
            if live && !maker.deciding && !maker.broke && reason {
                (maker.deciding, maker.seen) = (true, outside);
                let wake = Wake::Maker { maker: index as u32 };
                self.agenda.push(at, Event::Actor(wake));
            }
        }
    }

    /// A maker looks at price, position and what it knows, and brings its ladder in line.
    pub(super) fn quote(&mut self, index: u32) {
        let Some(exchange) = &self.exchange else { return };
        let config = &self.scenario.flow.makers;
        let maker = &mut self.actors.makers.makers[index as usize];
        let seen = maker.seen;
        maker.deciding = false;
        let stale_ns = ms(config.stale_ms);
        let stale = maker.is_stale(self.now, stale_ns);
        let quoting = maker.quotes.iter().any(|quote| quote.alive);
        if stale && !quoting {
            if self.now < maker.sent_ns + stale_ns {
                return;
            }
            // As long again without news: what was sent is taken for lost.
            maker.unanswered.clear();
            maker.open.clear();
            maker.cancels.clear();
            maker.overtaken.clear();
        }
        (maker.centre, maker.disturbed) = (seen, false);
        let value_usd = maker.position as f64 * seen as f64 * exchange.quantum_usd();
        let left_usd = (1.0 - config.loss_max) * config.capital_usd;
        maker.broke |= maker.cash_usd + value_usd <= left_usd;
        let moved_pct = exchange.move_pct(SECOND).abs();
        let pulls = config.pull_pct > 0.0 && moved_pct >= config.pull_pct;
        let ladder = if maker.broke || pulls || stale && quoting {
            vec![(0, 0); maker.quotes.len()]
        } else {
            let held = (maker.position, maker.open_beside_quotes());
            ladder(config, (seen as f64, exchange.quantum_usd()), moved_pct, held)
        };
        self.bring_in_line(index, &ladder);
    }

    /// Cancels what should not stand, then places what is missing.
    fn bring_in_line(&mut self, index: u32, ladder: &Ladder) {
        let replaces = self.scenario.flow.makers.requote == Requote::Replace;
        let mut bodies = Vec::new();
        let maker = &mut self.actors.makers.makers[index as usize];
        for (at, &(price, qty)) in ladder.iter().enumerate() {
            let quote = maker.quotes[at];
            let stands = (quote.price, quote.qty) == (price, qty);
            if quote.alive && !stands && !(replaces && qty > 0) {
                bodies.push(maker.cancel(quote.cl_ord_id));
                maker.quotes[at].alive = false;
            }
        }
        for (at, &(price, qty)) in ladder.iter().enumerate() {
            let quote = maker.quotes[at];
            if qty == 0 || quote.alive && (quote.price, quote.qty) == (price, qty) {
                continue;
            }
            maker.next_id += 1;
            let cl_ord_id = maker.next_id;
            if quote.alive {
                maker.replaces.insert(cl_ord_id, quote.cl_ord_id);
                bodies.push(replace(cl_ord_id, quote.cl_ord_id, price, qty));
            } else {
                let side = if at < ladder.len() / 2 { Side::Buy } else { Side::Sell };
                let post_only = self.scenario.flow.makers.post_only;
                bodies.push(resting(cl_ord_id, side, post_only, price, qty));
            }
            maker.quotes[at] = Quote { cl_ord_id, price, qty, alive: true };
            maker.open.insert(cl_ord_id, if at < ladder.len() / 2 { qty } else { -qty });
        }
        self.send_as_maker(index, bodies);
    }

    fn send_as_maker(&mut self, index: u32, bodies: Vec<Body>) {
        if bodies.is_empty() {
            return;
        }
        let maker = &mut self.actors.makers.makers[index as usize];
        maker.sent_ns = self.now;
        maker.unanswered.push_back(self.now);
        let account = self.actors.accounts.makers_from() + index;
        for body in bodies {
            self.send(self.now, account, self.gateway_of(account), Source::Maker, body);
        }
    }

    /// A block was executed: every maker of whose orders something became will hear of it.
    pub(in crate::world) fn tell_makers(&mut self, messages: &[Message], facts: &[Fact]) {
        let Some(exchange) = &self.exchange else { return };
        let accounts = self.actors.accounts;
        let mut notices: BTreeMap<AccountId, Notice> = BTreeMap::new();
        for message in messages {
            if accounts.maker(message.account).is_some() {
                let notice = notices.entry(message.account).or_default();
                notice.answered_ns = notice.answered_ns.max(message.sent_ns);
            }
        }
        for fact in facts {
            for (account, what) in becomes(fact).into_iter().flatten() {
                if accounts.maker(account).is_some() {
                    notices.entry(account).or_default().note(what);
                }
            }
        }
        let at = self.now + ms(self.scenario.flow.client_link.fixed_ms);
        for (account, mut notice) in notices {
            notice.maker = account - accounts.makers_from();
            notice.position = exchange.market.position(account, 0);
            let value = i128::from(notice.position) * i128::from(exchange.market.mark(0));
            notice.cash_usd =
                (exchange.market.equity(account) - value) as f64 * exchange.quantum_usd();
            let slot = self.actors.makers.notices.len() as u32;
            self.actors.makers.notices.push(notice);
            self.agenda.push(at, Event::Actor(Wake::Notice { slot }));
        }
    }

    /// A maker hears what became of its orders in a block.
    pub(super) fn notice(&mut self, slot: u32) {
        let notice = std::mem::take(&mut self.actors.makers.notices[slot as usize]);
        let maker = &mut self.actors.makers.makers[notice.maker as usize];
        (maker.position, maker.cash_usd) = (notice.position, notice.cash_usd);
        while maker.unanswered.front().is_some_and(|&sent| sent <= notice.answered_ns) {
            maker.unanswered.pop_front();
        }
        let bodies = maker.ends_again(&notice);
        for cl_ord_id in notice.gone.iter().chain(notice.refused.iter().map(|(id, _)| id)) {
            maker.open.remove(cl_ord_id);
        }
        let refused = notice.refused.iter().map(|(cl_ord_id, _)| cl_ord_id);
        for cl_ord_id in notice.gone.iter().chain(refused) {
            maker.replaces.remove(cl_ord_id);
            for quote in maker.quotes.iter_mut().filter(|quote| quote.alive) {
                if quote.cl_ord_id == *cl_ord_id {
                    (quote.alive, maker.disturbed) = (false, true);
                }
            }
        }
        self.send_as_maker(notice.maker, bodies);
    }
}

/// What became of an order.
#[derive(Clone, Copy)]
enum Became {
    /// It no longer rests.
    Gone(u64),
    /// It was refused; whether the order that it was to replace still rests.
    Refused(u64, bool),
    /// It was let into the book.
    Accepted(u64),
    /// Its owner's position changed.
    Traded,
}

impl Notice {
    fn note(&mut self, what: Became) {
        match what {
            Became::Gone(cl_ord_id) => self.gone.push(cl_ord_id),
            Became::Refused(cl_ord_id, old_rests) => self.refused.push((cl_ord_id, old_rests)),
            Became::Accepted(cl_ord_id) => self.accepted.push(cl_ord_id),
            Became::Traded => {}
        }
    }
}

/// To whose orders a fact did what.
fn becomes(fact: &Fact) -> [Option<(AccountId, Became)>; 2] {
    let traded = |leaves, id| if leaves == 0 { Became::Gone(id) } else { Became::Traded };
    match *fact {
        Fact::Trade {
            maker_account,
            maker_cl_ord_id,
            maker_leaves,
            taker_account,
            taker_cl_ord_id,
            taker_leaves,
            ..
        } => [
            Some((maker_account, traded(maker_leaves, maker_cl_ord_id))),
            Some((taker_account, traded(taker_leaves, taker_cl_ord_id))),
        ],
        Fact::Rejected { account, cl_ord_id, reason, .. } => {
            let old_rests = reason != Reject::UnknownOrder;
            [Some((account, Became::Refused(cl_ord_id, old_rests))), None]
        }
        Fact::Canceled { account, cl_ord_id, .. } => {
            [Some((account, Became::Gone(cl_ord_id))), None]
        }
        Fact::Accepted { account, cl_ord_id, .. } => {
            [Some((account, Became::Accepted(cl_ord_id))), None]
        }
        Fact::Replaced { account, cl_ord_id, orig_cl_ord_id, .. } => [
            Some((account, Became::Gone(orig_cl_ord_id))),
            Some((account, Became::Accepted(cl_ord_id))),
        ],
        Fact::Deleveraged { against, .. } => [Some((against, Became::Traded)), None],
        Fact::TakenOver { account, .. } => [Some((account, Became::Traded)), None],
        _ => [None, None],
    }
}

/// The orders that a maker wants around a price of `seen` ticks, buys then sells. It has a position,
/// and orders on their way out that may still buy and sell so much.
fn ladder(
    config: &scenario::Makers,
    (seen, quantum_usd): (f64, f64),
    moved_pct: f64,
    (position, (buys, sells)): (Qty, (Qty, Qty)),
) -> Ladder {
    let value_usd = position as f64 * seen * quantum_usd;
    let full = (value_usd / config.inventory_usd).clamp(-1.0, 1.0);
    let half_bp = config.half_spread_bp + config.widen * moved_pct * 1e2;
    let level_usd = config.level_usd * (1.0 - config.fear * moved_pct).max(0.0);
    let lots = |usd: f64| (usd / (seen * quantum_usd)).round() as Qty;
    let level_lots = if level_usd < config.level_usd * 0.01 { 0 } else { lots(level_usd).max(1) };
    let mut wanted = Vec::with_capacity(2 * config.levels as usize);
    for side in [Side::Buy, Side::Sell] {
        let sign = side.sign() as f64;
        // What this side may still trade before the position is full.
        let on_the_way = if side == Side::Buy { buys } else { sells };
        let mut room = lots(config.inventory_usd) - side.sign() * position - on_the_way;
        for level in 0..config.levels {
            // Away from the middle, and against the position.
            let bp = half_bp + config.step_bp * f64::from(level) + sign * full * config.skew_bp;
            let away = (seen * bp / 1e4).ceil().max(1.0);
            let price = ((seen - sign * away) as Price).max(1);
            let qty = level_lots.min(room).max(0);
            room -= qty;
            wanted.push(if qty > 0 { (price, qty) } else { (0, 0) });
        }
    }
    wanted
}

fn cancel(cl_ord_id: u64, orig_cl_ord_id: u64) -> Body {
    Body::OrderCancelRequest(OrderCancelRequest { cl_ord_id, orig_cl_ord_id, symbol: 0 })
}

fn replace(cl_ord_id: u64, orig_cl_ord_id: u64, price: Price, order_qty: Qty) -> Body {
    Body::OrderCancelReplaceRequest(OrderCancelReplaceRequest {
        cl_ord_id,
        orig_cl_ord_id,
        symbol: 0,
        price,
        order_qty,
    })
}

fn resting(cl_ord_id: u64, side: Side, post_only: bool, price: Price, order_qty: Qty) -> Body {
    Body::NewOrderSingle(NewOrderSingle {
        cl_ord_id,
        symbol: 0,
        side,
        ord_type: OrdType::Limit,
        time_in_force: TimeInForce::GoodTillCancel,
        post_only,
        reduce_only: false,
        price,
        order_qty,
    })
}
