//! All tests of the crate, in one binary: it is linked once.

mod accounts;
mod auction_call;
mod auction_properties;
mod book_matching;
mod book_properties;
mod collateral;
mod conservation;
mod desk;
mod funding;
mod liquidation_at_oracle;
mod liquidation_backstop;
mod liquidation_execution;
mod liquidation_limits;
mod margin_requirements;
mod margin_tiers;
mod mark_update;
mod options_accounts;
mod options_pricing;
mod price_protection;
mod safe_leverage;
mod several_markets;
mod stored_state;
