//! The exchange as clients see it.

use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Money, Ns, Price, Qty};
use surgetank_venue::execution::touch;

use super::Exchange;
use super::due::unit;
use super::perpetual::Perpetual;
use crate::actors::{Holding, Outside, View};

/// The exchange as clients see it; `None` without a market.
pub struct Public<'a>(pub Option<&'a Exchange>);

impl View for Public<'_> {
    fn markets(&self) -> u16 {
        self.0.map_or(1, |exchange| exchange.execution.market().symbols())
    }

    #[inline]
    fn outside(&self, market: u16) -> Option<Outside> {
        let perpetuals = &self.0?.recorder.perpetuals;
        let Perpetual { ticks, tick_usd, lot, .. } = *perpetuals.get(usize::from(market))?;
        Some(Outside { ticks, tick_usd, lot })
    }

    fn move_pct(&self, market: u16, window: Ns) -> f64 {
        self.0.map_or(0.0, |exchange| exchange.outside[usize::from(market)].move_pct(window))
    }

    fn touch(&self, market: u16) -> (Option<Price>, Option<Price>) {
        self.0.map_or((None, None), |exchange| touch(exchange.execution.market(), market))
    }

    fn best_levels(&self, market: u16, side: Side) -> Option<(Price, Qty, Price)> {
        let mut levels = self.0?.execution.market().book(market).levels(side);
        let ((price, qty), (next, _)) = (levels.next()?, levels.next()?);
        Some((price, qty, next))
    }

    fn holding(&self, account: AccountId, market: u16) -> Holding {
        let Some(exchange) = self.0 else { return Holding::default() };
        let venue = exchange.execution.market();
        let position = venue.position(account, market);
        let value = Money::from(position) * Money::from(venue.mark(market));
        Holding { position, cash: venue.equity(account) - value }
    }

    fn below_maintenance(&self, marks: &[Price]) -> Vec<(AccountId, u16)> {
        self.0.map_or_else(Vec::new, |exchange| {
            exchange.recorder.below_maintenance(exchange.execution.market(), marks)
        })
    }

    fn collateral_unit(&self, account: AccountId, market: u16) -> u16 {
        self.0.map_or(0, |exchange| unit(exchange.execution.market(), account, market))
    }

    fn due(&self) -> impl Iterator<Item = (AccountId, u16)> {
        self.0
            .into_iter()
            .flat_map(|exchange| exchange.recorder.due_units(exchange.execution.market()))
    }

    fn liquidation_deferred(&self, account: AccountId, height: u32) -> bool {
        self.0.is_some_and(|exchange| exchange.deferrals.is_deferred(account, height))
    }
}
