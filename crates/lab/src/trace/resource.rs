//! Resources for which messages wait.

use surgetank_layer::units::{NodeId, Ns};

macro_rules! resources {
    ($($(#[$doc:meta])* $name:ident = $column:literal,)*) => {
        /// Resource to which a message's time is charged.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Resource { $($(#[$doc])* $name,)* }

        impl Resource {
            /// Its name: that of its column without the unit.
            pub fn name(self) -> &'static str {
                self.column().trim_end_matches("_ns")
            }

            /// All, in the order of the trace's columns.
            pub const ALL: &[Resource] = &[$(Resource::$name),*];

            /// Its column in the trace.
            pub fn column(self) -> &'static str {
                match self { $(Resource::$name => $column,)* }
            }
        }
    };
}

resources! {
    /// The link from the client to its gateway.
    ClientLink = "client_link_ns",
    /// Propagation between nodes.
    Distance = "distance_ns",
    /// Waiting for a node's uplink or downlink, and passing through it.
    Bandwidth = "bandwidth_ns",
    /// Its own validation, at every node on its path.
    ValidationOwn = "validation_own_ns",
    /// Validation of other messages before it.
    ValidationOthers = "validation_others_ns",
    /// Validation of proposals and votes.
    Consensus = "consensus_ns",
    /// Execution of the block that carries it.
    ExecutionOwn = "execution_own_ns",
    /// Execution of blocks before that.
    ExecutionOthers = "execution_others_ns",
    /// Timers of the protocol: the wait between blocks, a batch's window, timeouts of rounds.
    Timers = "timers_ns",
    /// Room in blocks, while others fill them.
    BlockSpace = "block_space_ns",
    /// Admission: refusals and retries.
    Admission = "admission_ns",
    /// Lost packets, until their re-transmission.
    Loss = "loss_ns",
    /// Rules of the venue that hold messages back: reveals, shares of keys, lanes, fair order.
    Rules = "rules_ns",
    /// An injected fault: crash, partition, or delay.
    Faults = "faults_ns",
    /// Not attributed.
    Other = "other_ns",
}

/// Number of resources.
pub const RESOURCES: usize = Resource::ALL.len();

/// Nanoseconds by resource.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charges([Ns; RESOURCES]);

impl Charges {
    /// Adds a time to a resource.
    #[inline]
    pub fn add(&mut self, resource: Resource, span: Ns) {
        self.0[resource as usize] += span;
    }

    /// Time charged to a resource, in ns.
    pub fn get(&self, resource: Resource) -> Ns {
        self.0[resource as usize]
    }

    /// Adds all of another's charges.
    pub fn join(&mut self, other: &Charges) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, more)| *mine += more);
    }

    /// Difference from an earlier state of the same sums.
    pub fn since(&self, earlier: &Charges) -> Charges {
        let mut rest = *self;
        rest.0.iter_mut().zip(earlier.0).for_each(|(mine, before)| *mine -= before);
        rest
    }

    /// Moves the charge of one resource to another.
    pub fn shift(&mut self, from: Resource, to: Resource) {
        let span = std::mem::take(&mut self.0[from as usize]);
        self.add(to, span);
    }

    /// Sum over all resources, in ns.
    pub fn sum(&self) -> Ns {
        self.0.iter().sum()
    }

    /// The charges scaled to exactly this sum, in whole nanoseconds.
    pub fn scaled_to(&self, sum: Ns) -> Charges {
        let (whole, mut scaled) = (self.sum(), Charges::default());
        if whole == 0 {
            scaled.add(Resource::Other, sum);
            return scaled;
        }
        let (mut before, mut given) = (0u128, 0);
        for (part, cell) in self.0.iter().zip(&mut scaled.0) {
            before += u128::from(*part);
            let up_to = (before * u128::from(sum) / u128::from(whole)) as Ns;
            *cell = up_to - given;
            given = up_to;
        }
        scaled
    }
}

/// Attribution of one executed message's time, from creation to execution.
#[derive(Clone, Copy, Debug)]
pub struct WaitRow {
    /// Number of the message.
    pub message: u32,
    /// The charges of its time.
    pub charges: Charges,
}

/// Place of a resource: a node, or the link from one node to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The node, or the start of the link.
    pub node: NodeId,
    /// The end of the link; `NodeId::MAX` = not a link.
    pub peer: NodeId,
}

impl Place {
    /// The place of waits that belong to the venue as a whole: no node and no link.
    pub const NOWHERE: Place = Place { node: NodeId::MAX, peer: NodeId::MAX };

    /// The place of a node.
    pub fn at(node: NodeId) -> Place {
        Place { node, ..Place::NOWHERE }
    }

    /// The link from one node to another.
    pub fn between(node: NodeId, peer: NodeId) -> Place {
        Place { node, peer }
    }

    /// Whether it is a link.
    pub fn is_link(self) -> bool {
        self.peer != NodeId::MAX
    }
}

/// Attributed time of a class's executed messages at a place, in the measured window, without the
/// attacker's.
#[derive(Clone, Copy, Debug)]
pub struct PlaceRow {
    /// Class of the messages.
    pub class: u8,
    /// Resource to which the time is charged.
    pub resource: Resource,
    /// Place of the resource.
    pub place: Place,
    /// Total time, in ns.
    pub span: Ns,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_are_kept_and_no_nanosecond_is_lost() {
        let mut charges = Charges::default();
        charges.add(Resource::Timers, 300);
        charges.add(Resource::Distance, 200);
        charges.add(Resource::ExecutionOthers, 100);
        for sum in [0, 1, 7, 599, 600, 601, 10_000_000_007] {
            let scaled = charges.scaled_to(sum);
            assert_eq!(scaled.sum(), sum);
            assert!(scaled.get(Resource::Timers).abs_diff(sum / 2) <= 1);
            assert!(scaled.get(Resource::ExecutionOthers).abs_diff(sum / 6) <= 1);
        }
    }
}
