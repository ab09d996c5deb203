//! The exchange as clients see it.

use surgetank_layer::message::Side;
use surgetank_layer::units::{AccountId, Money, Ns, Price, Qty};

use super::Exchange;
use crate::actors::{Holding, Outside, View};

/// The exchange as clients see it; `None` without a market.
pub struct Public<'a>(pub Option<&'a Exchange>);

impl View for Public<'_> {
    #[inline]
    fn outside(&self) -> Option<Outside> {
        let Exchange { ticks, tick_usd, lot, .. } = *self.0?;
        Some(Outside { ticks, tick_usd, lot })
    }

    fn move_pct(&self, window: Ns) -> f64 {
        self.0.map_or(0.0, |exchange| exchange.outside.move_pct(window))
    }

    fn touch(&self) -> (Option<Price>, Option<Price>) {
        self.0.map_or((None, None), Exchange::touch)
    }

    fn best_levels(&self, side: Side) -> Option<(Price, Qty, Price)> {
        let mut levels = self.0?.market.book(0).levels(side);
        let ((price, qty), (next, _)) = (levels.next()?, levels.next()?);
        Some((price, qty, next))
    }

    fn holding(&self, account: AccountId) -> Holding {
        let Some(Exchange { market, .. }) = self.0 else { return Holding::default() };
        let position = market.position(account, 0);
        let value = Money::from(position) * Money::from(market.mark(0));
        Holding { position, cash: market.equity(account) - value }
    }

    fn below_maintenance(&self, mark: Price) -> Vec<AccountId> {
        self.0.map_or_else(Vec::new, |exchange| exchange.below_maintenance(mark))
    }

    fn due(&self) -> impl Iterator<Item = AccountId> {
        self.0.into_iter().flat_map(Exchange::due_accounts)
    }

    fn liquidation_deferred(&self, account: AccountId, height: u32) -> bool {
        self.0.is_some_and(|exchange| exchange.liquidation_deferred(account, height))
    }
}
