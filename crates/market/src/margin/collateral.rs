//! Assets as collateral: worth their mark, and counted for margin at a haircut.
//!
//! Rules: an account in cross mode may hold amounts of the assets that the venue accepts. For
//! margin an asset counts as its value less the haircut; the account's equity has its whole value.
//! When an account without positions has negative cash, its assets are sold, in the venue's order,
//! at the mark less the haircut to one buyer, as much as the debt needs; what remains of the debt is
//! bad debt.
//!
//! Theory of operation: an amount is counted in lots of the market that prices the asset, or in
//! quanta where its price is constant, so amount × price is exact. A sale moves cash and amounts
//! between two accounts: total money, and each asset's total amount, stay.
//!
//! Source: Binance, "Multi-Assets Mode" (collateral value ratio, conversion of negative balances);
//! Paradex docs and Deribit, "Cross collateral" (haircuts).
//!
//! Departures: a venue converts a negative balance from a threshold on; here when the account is
//! flat. Portfolio and isolated accounts hold no assets.

use serde::{Deserialize, Serialize};
use surgetank_layer::units::{AccountId, Money, Price};

use super::Ledger;
use crate::config::{AssetPrice, CollateralAsset, PPM};

/// The assets accepted, and who holds them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Assets {
    #[serde(skip)]
    pub accepted: Vec<CollateralAsset>,
    /// Amounts by account, then by asset; empty: none.
    pub(super) held: Vec<Vec<Money>>,
}

impl Assets {
    fn of(&self, account: AccountId) -> &[Money] {
        self.held.get(account as usize).map_or(&[], Vec::as_slice)
    }
}

impl Ledger {
    /// Adds an amount of an asset to an account's collateral (negative: takes it).
    pub(crate) fn add_asset(&mut self, account: AccountId, asset: usize, amount: Money) {
        let (index, kinds) = (account as usize, self.assets.accepted.len());
        if index >= self.assets.held.len() {
            self.assets.held.resize(index + 1, Vec::new());
        }
        self.assets.held[index].resize(kinds, 0);
        self.assets.held[index][asset] += amount;
    }

    /// Amount of an asset that an account holds.
    pub(crate) fn asset(&self, account: AccountId, asset: usize) -> Money {
        self.assets.of(account).get(asset).copied().unwrap_or(0)
    }

    /// Whether the account holds any asset.
    pub(crate) fn has_assets(&self, account: AccountId) -> bool {
        self.assets.of(account).iter().any(|&amount| amount != 0)
    }

    fn summed(
        &self,
        account: AccountId,
        price: impl Fn(usize) -> Price,
        share_ppm: impl Fn(&CollateralAsset) -> u32,
    ) -> Money {
        let held = self.assets.of(account).iter().zip(&self.assets.accepted);
        held.map(|(amount, asset)| {
            let unit = match asset.price {
                AssetPrice::Mark { symbol } => Money::from(price(usize::from(symbol))),
                AssetPrice::Constant {} => 1,
            };
            amount * unit * Money::from(share_ppm(asset))
        })
        .sum::<Money>()
        .div_euclid(Money::from(PPM))
    }

    /// Value of an account's assets with each market at its price, in quanta.
    pub(crate) fn assets_value(&self, account: AccountId, price: impl Fn(usize) -> Price) -> Money {
        self.summed(account, price, |_| PPM)
    }

    /// What they count for margin, rounded down.
    pub(crate) fn assets_margin(
        &self,
        account: AccountId,
        price: impl Fn(usize) -> Price,
    ) -> Money {
        self.summed(account, price, |asset| PPM - asset.haircut_ppm)
    }

    /// Moves all of an account's assets to another; returns what they count for margin.
    pub(crate) fn move_assets(&mut self, from: AccountId, to: AccountId) -> Money {
        let margin = self.assets_margin(from, |s| self.marks[s]);
        for asset in 0..self.assets.of(from).len() {
            let amount = self.asset(from, asset);
            self.add_asset(from, asset, -amount);
            self.add_asset(to, asset, amount);
        }
        margin
    }

    /// Sells of an account's assets what covers its negative cash, at the marks less the haircuts;
    /// returns (asset, amount, proceeds) of each sale.
    pub(crate) fn sell_assets(
        &mut self,
        account: AccountId,
        buyer: AccountId,
    ) -> Vec<(usize, Money, Money)> {
        let mut sales = Vec::new();
        for asset in 0..self.assets.accepted.len() {
            let (held, debt) = (self.asset(account, asset), -self.cash(account));
            if held <= 0 || debt <= 0 {
                continue;
            }
            let CollateralAsset { price, haircut_ppm } = self.assets.accepted[asset];
            let unit = match price {
                AssetPrice::Mark { symbol } => Money::from(self.marks[usize::from(symbol)]),
                AssetPrice::Constant {} => 1,
            };
            // In millionths of a quantum; the amount rounded up, the proceeds down.
            let each = unit * Money::from(PPM - haircut_ppm);
            let wanted = (debt * Money::from(PPM) + each - 1) / each.max(1);
            let amount = wanted.min(held);
            let proceeds = amount * each / Money::from(PPM);
            self.add_asset(account, asset, -amount);
            self.add_asset(buyer, asset, amount);
            self.pay(account, 0, -proceeds);
            self.pay(buyer, 0, proceeds);
            sales.push((asset, amount, proceeds));
        }
        sales
    }
}
