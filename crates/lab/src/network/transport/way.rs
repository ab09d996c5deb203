//! The packets of a connection on the network's links.

use surgetank_layer::units::Ns;

use super::Ends;
use super::path::{Carried, Path};
use crate::network::Links;

/// The links between the ends of a connection.
pub(super) struct Way<'a> {
    pub(super) links: &'a mut Links,
    pub(super) ends: Ends,
}

impl Path for Way<'_> {
    #[inline]
    fn carry(&mut self, now: Ns, segments: u32, bytes: u32) -> Carried {
        let Ends { from, to, there, .. } = self.ends;
        self.links.carry(now, (from, to), there, segments, bytes)
    }

    #[inline]
    fn answer(&mut self, at: Ns, number: u64) -> Option<Ns> {
        let Ends { from, to, back, .. } = self.ends;
        self.links.answer(at, (to, from), back, number)
    }

    #[inline]
    fn sure_answer(&mut self, at: Ns, number: u64) -> Ns {
        self.links.sure_answer(at, self.ends.back, number)
    }

    #[inline]
    fn is_lossless(&self) -> bool {
        self.links.is_lossless()
    }
}
