//! Actors are machines: fed with what a venue publishes, without a world around them.

use surgetank_lab::actors::{
    Accounts, Action, ActorEvent, Holding, Keepers, Makers, Outside, Published, Sending, Timer,
    Times, View,
};
use surgetank_lab::scenario::{self, Requote, Watch};
use surgetank_layer::message::{Body, Side};
use surgetank_layer::units::{AccountId, MS, Ns, Price, Qty};
use surgetank_market::Fact;

/// What a client of some venue sees: prices in USD, coins as lots.
#[derive(Clone, Default)]
struct Screen {
    ticks: Price,
    below: Vec<AccountId>,
    liquidation_deferred: Vec<AccountId>,
    position: Qty,
}

impl View for Screen {
    fn markets(&self) -> u16 {
        1
    }

    fn outside(&self, _market: u16) -> Option<Outside> {
        Some(Outside { ticks: self.ticks, tick_usd: 1.0, lot: 1.0 })
    }

    fn move_pct(&self, _market: u16, _window: Ns) -> f64 {
        0.0
    }

    fn touch(&self, _market: u16) -> (Option<Price>, Option<Price>) {
        (None, None)
    }

    fn best_levels(&self, _market: u16, _side: Side) -> Option<(Price, Qty, Price)> {
        None
    }

    fn holding(&self, _account: AccountId, _market: u16) -> Holding {
        Holding { position: self.position, cash: 1_000_000 }
    }

    fn below_maintenance(&self, _marks: &[Price]) -> Vec<(AccountId, u16)> {
        self.below.iter().map(|&account| (account, 0)).collect()
    }

    fn collateral_unit(&self, _account: AccountId, market: u16) -> u16 {
        market
    }

    fn due(&self) -> impl Iterator<Item = (AccountId, u16)> {
        self.below.iter().map(|&account| (account, 0))
    }

    fn liquidation_deferred(&self, account: AccountId, _height: u32) -> bool {
        self.liquidation_deferred.contains(&account)
    }
}

/// Ten leveraged accounts, one maker and two keepers on two nodes.
const ACCOUNTS: Accounts = Accounts {
    leveraged: 10,
    portfolios: 0,
    hedgers: 0,
    background: 0,
    makers: 1,
    keepers: 2,
    oracles: 0,
    attackers: 0,
    nodes: 2,
};
const TIMES: Times = Times { link_ns: 5 * MS, flow_end_ns: Ns::MAX };

fn makers() -> Makers {
    let config = scenario::MakersConfig {
        count: 1,
        levels: 2,
        half_spread_bp: 100.0,
        step_bp: 100.0,
        level_usd: 3_000.0,
        requote_bp: 50.0,
        reaction_ns: MS,
        fear: 0.0,
        post_only: true,
        requote: Requote::CancelNew,
        capital_usd: 1e6,
        loss_max: 0.5,
        inventory_usd: 1e5,
        skew_bp: 0.0,
        widen: 0.0,
        pull_pct: 0.0,
        stale_ns: 0,
    };
    Makers::new(&config, ACCOUNTS, TIMES, 1)
}

fn keepers(watch: Watch) -> Keepers {
    let config = scenario::KeepersConfig {
        count: 2,
        reaction_ns: MS,
        orders_max: 2,
        resend_ns: 100 * MS,
        watch,
    };
    Keepers::new(&config, ACCOUNTS, TIMES, 1)
}

fn sent(actions: &[Action]) -> Vec<&Sending> {
    let sendings = actions.iter().filter_map(|action| match action {
        Action::Send(sending) => Some(sending),
        _ => None,
    });
    sendings.collect()
}

/// (side, price, quantity) of new orders; (buy, 0, 0) of cancels.
fn orders(actions: &[Action]) -> Vec<(Side, Price, Qty)> {
    let order = |sending: &&Sending| match sending.body {
        Body::NewOrderSingle(order) => (order.side, order.price, order.order_qty),
        _ => (Side::Buy, 0, 0),
    };
    sent(actions).iter().map(order).collect()
}

fn wakes(actions: &[Action]) -> Vec<Ns> {
    let at = |action: &Action| match action {
        Action::Wake { at, .. } => Some(*at),
        _ => None,
    };
    actions.iter().filter_map(at).collect()
}

/// One input; what follows.
fn makers_hear(makers: &mut Makers, now: Ns, event: ActorEvent<'_>, view: &Screen) -> Vec<Action> {
    let mut out = Vec::new();
    makers.step(now, event, view, &mut out);
    out
}

fn keepers_hear(
    keepers: &mut Keepers,
    now: Ns,
    event: ActorEvent<'_>,
    view: &Screen,
) -> Vec<Action> {
    let mut out = Vec::new();
    keepers.step(now, event, view, &mut out);
    out
}

#[test]
fn a_maker_quotes_on_a_price_and_replaces_what_has_traded() {
    let (mut makers, screen) = (makers(), Screen { ticks: 1_000, ..Screen::default() });
    let (index, decides) = (ActorEvent::Index { next_ns: MS }, Timer::Maker { ladder: 0 });
    let out = makers_hear(&mut makers, 0, index, &screen);
    assert_eq!(wakes(&out), [MS], "it takes its reaction time");
    let out = makers_hear(&mut makers, MS, ActorEvent::Timer(decides), &screen);
    let ladder =
        [(Side::Buy, 990, 3), (Side::Buy, 980, 3), (Side::Sell, 1_010, 3), (Side::Sell, 1_020, 3)];
    assert_eq!(orders(&out), ladder);
    let out = makers_hear(&mut makers, 2 * MS, index, &screen);
    assert!(out.is_empty(), "nothing has moved: {out:?}");

    // The venue reports that the best bid is gone.
    let trade = Fact::Trade {
        symbol: 0,
        price: 990,
        qty: 3,
        maker_account: ACCOUNTS.makers_from(),
        maker_cl_ord_id: 1,
        maker_leaves: 0,
        taker_account: 0,
        taker_cl_ord_id: 7,
        taker_leaves: 0,
        taker_side: Side::Sell,
        liquidation: false,
    };
    let executed = ActorEvent::Executed { messages: &[], facts: &[trade] };
    let out = makers_hear(&mut makers, 3 * MS, executed, &screen);
    assert_eq!(wakes(&out), [8 * MS], "the report crosses its link");
    let [Action::Wake { timer, .. }] = out[..] else { panic!("{out:?}") };
    makers_hear(&mut makers, 8 * MS, ActorEvent::Timer(timer), &screen);
    makers_hear(&mut makers, 9 * MS, index, &screen);
    let out = makers_hear(&mut makers, 10 * MS, ActorEvent::Timer(decides), &screen);
    assert_eq!(orders(&out), [(Side::Buy, 990, 3)], "what still stands is left alone");
}

#[test]
fn a_maker_whose_price_moves_cancels_before_it_quotes_anew() {
    let (mut makers, mut screen) = (makers(), Screen { ticks: 1_000, ..Screen::default() });
    let (index, decides) = (ActorEvent::Index { next_ns: MS }, Timer::Maker { ladder: 0 });
    makers_hear(&mut makers, 0, index, &screen);
    makers_hear(&mut makers, MS, ActorEvent::Timer(decides), &screen);
    screen.ticks = 1_100;
    makers_hear(&mut makers, 2 * MS, index, &screen);
    let out = makers_hear(&mut makers, 3 * MS, ActorEvent::Timer(decides), &screen);
    let cancels = orders(&out).iter().take_while(|order| order.2 == 0).count();
    assert_eq!((cancels, out.len()), (4, 8));
}

#[test]
fn keepers_act_on_what_their_own_gateway_publishes() {
    let mut keepers = keepers(Watch::Venue);
    let screen = Screen { ticks: 1_000, below: (0..8).collect(), ..Screen::default() };
    let gateway = ACCOUNTS.gateway(ACCOUNTS.keepers_from());
    let published = Published { gateway, height: 3, marks: &[900], priced: true, cut: false };
    let out = keepers_hear(&mut keepers, 0, ActorEvent::Published(published), &screen);
    let [Action::Wake { at, timer: timer @ Timer::Marked { keeper: 0, height: 3 } }] = out[..]
    else {
        panic!("one keeper, after link and reaction: {out:?}")
    };
    assert_eq!(at, 6 * MS);
    let out = keepers_hear(&mut keepers, at, ActorEvent::Timer(timer), &screen);
    let targets = |actions: &[Action]| -> Vec<(AccountId, Price)> {
        let order = |sending: &&Sending| match sending.body {
            Body::LiquidationOrder(order) => (order.target, order.trigger_price),
            other => panic!("{other:?}"),
        };
        sent(actions).iter().map(order).collect()
    };
    assert_eq!(targets(&out), [(0, 900), (2, 900)], "its share, and no more than orders_max");
    let out = keepers_hear(&mut keepers, at + MS, ActorEvent::Timer(timer), &screen);
    assert_eq!(targets(&out), [(4, 900), (6, 900)], "no one twice within resend_ms");
    let cut = Screen { liquidation_deferred: vec![2], ..screen };
    let again = Timer::LiquidationDeferred { keeper: 0, height: 3 };
    let out = keepers_hear(&mut keepers, at + 2 * MS, ActorEvent::Timer(again), &cut);
    assert_eq!(targets(&out), [(2, 900)], "but for whom a limit cut off");
}

#[test]
fn keepers_with_eyes_of_their_own_go_by_the_outside_price() {
    let mut keepers = keepers(Watch::Outside);
    let screen = Screen { ticks: 950, below: vec![3], ..Screen::default() };
    let published = Published { gateway: 1, height: 1, marks: &[900], priced: true, cut: false };
    let out = keepers_hear(&mut keepers, 0, ActorEvent::Published(published), &screen);
    assert!(out.is_empty(), "a mark is not what they watch");
    let out = keepers_hear(&mut keepers, 0, ActorEvent::Index { next_ns: MS }, &screen);
    let [Action::Wake { at, timer }] = out[..] else { panic!("{out:?}") };
    let out = keepers_hear(&mut keepers, at, ActorEvent::Timer(timer), &screen);
    let Body::LiquidationOrder(order) = sent(&out)[0].body else { panic!("{out:?}") };
    assert_eq!((order.target, order.trigger_price), (3, 950));
    let out = keepers_hear(&mut keepers, 2 * MS, ActorEvent::Index { next_ns: 3 * MS }, &screen);
    assert!(out.is_empty(), "sent already");
    let refused = Fact::NotLiquidatable { account: 3, keeper: 12, symbol: 0 };
    let event = ActorEvent::Executed { messages: &[], facts: &[refused] };
    keepers_hear(&mut keepers, 2 * MS, event, &screen);
    let out = keepers_hear(&mut keepers, 3 * MS, ActorEvent::Index { next_ns: 4 * MS }, &screen);
    assert_eq!(out.len(), 1, "the order found nothing: it may send again at once");
}
