//! The model that judges recoveries and refusals: the rules of [`super`].

use surgetank_layer::units::Digest;
use surgetank_venue::storage::damage::{Damage, DamageKind, Place};
use surgetank_venue::storage::effect::{FileName, Recovered, Replayed};
use surgetank_venue::storage::record::RecordHeader;
use surgetank_venue::storage::segment::Geometry;
use surgetank_venue::storage::slot::SLOT_BYTES;

use super::{End, Life, SEGMENT_BYTES, Violation, World};
use crate::disk::{File, Range};

impl World {
    pub(super) fn replay(&mut self, life: &mut Life, replayed: &Replayed) -> Result<(), Violation> {
        let number = replayed.number;
        let content = Digest(*blake3::hash(&replayed.append.payload).as_bytes());
        let holds = replayed.append.hash == self.hash(number) && content == replayed.append.hash;
        if number != life.replayed + 1 || !holds {
            return Err(Violation::Altered { number });
        }
        life.replayed = number;
        Ok(())
    }

    pub(super) fn recovered(
        &mut self,
        life: &mut Life,
        recovered: &Recovered,
    ) -> Result<(), Violation> {
        let number = recovered.number;
        if life.replayed != number || recovered.hash != self.hash(number) {
            return Err(Violation::Altered { number });
        }
        let required = if self.faults.touched.is_empty() { self.durable } else { self.excused() };
        if self.is_judged && number < required {
            return Err(Violation::Lost { durable: self.durable, recovered: number });
        }
        life.serves = true;
        self.appended.truncate(number as usize);
        (self.durable, self.proved) = (number, self.proved.min(number));
        self.outcome.recovered += 1;
        let torn = |damage: &&Damage| damage.kind == DamageKind::TornTail;
        self.outcome.torn += recovered.damage.iter().filter(torn).count() as u32;
        Ok(())
    }

    /// The highest number that must be recovered although the disk has lied.
    fn excused(&self) -> u64 {
        let written = || self.appended.iter().filter_map(|(_, header)| header.as_ref());
        let touched = |header: &&RecordHeader| {
            self.faults.touched.iter().any(|lie| lie.overlaps(&at(header)))
        };
        let last_group = written().find(|header| header.number > self.proved && touched(header));
        let with_slot = self.covered.as_ref().and_then(|(range, before)| {
            let segment =
                |header: &&RecordHeader| at(header).file == range.file && header.number <= *before;
            let first = written().find(segment)?.number;
            let geometry = Geometry { bytes: SEGMENT_BYTES };
            let hit = written().filter(segment).find(|header| {
                let slot = geometry.slot_offset(header.number - first) + SLOT_BYTES as u64;
                range.from < slot && range.overlaps(&at(header))
            })?;
            let proves = |header: &RecordHeader| {
                let is_durable = header.number <= self.durable;
                is_durable && header.durable >= hit.number && !touched(&header)
            };
            let is_proved = self.snapshot >= hit.number || written().any(proves);
            (!is_proved).then_some(hit)
        });
        let lost = [last_group, with_slot].into_iter().flatten().map(|header| header.number - 1);
        lost.min().unwrap_or(self.durable).min(self.durable)
    }

    pub(super) fn refused(&mut self, damage: Vec<Damage>) -> Result<Option<End>, Violation> {
        let names = |damage: &Damage| {
            self.faults.touched.iter().any(|lie| match damage.place {
                Place::Superblock => lie.file == File::Superblock,
                Place::File(name) => lie.file == File::Data(name),
            })
        };
        // What snapshots no longer cover may be in the archive.
        let counts =
            |damage: &&Damage| damage.kind.refuses() || damage.kind == DamageKind::Snapshot;
        if !damage.iter().filter(counts).any(names) {
            return Err(Violation::Refused(damage));
        }
        self.outcome.refused += 1;
        Ok(Some(End::Refused))
    }
}

/// Where a record stands.
fn at(header: &RecordHeader) -> Range {
    let file = File::Data(FileName::Segment(header.segment));
    Range { file, from: header.offset, to: header.offset + header.size() }
}
