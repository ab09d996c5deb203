//! The attacker of `[attack]`: what it observes, and what it sends.
//!
//! # Rules
//! 1. It is a machine like the [actors](crate::actors): events and a view in, actions out.
//! 2. It draws from its own stream, so all other flow is the same with and without it, until they
//!    meet in a queue.
//! 3. It has its own accounts and sends ordinary orders: it gains only by trades that the market
//!    executes. Its gain is computed from the trace: every trade against the outside price at that
//!    time, less fees, bonds and the price of the lane.
//! 4. It reads only messages that pass its node, and only if they are readable there.
//! 5. It changes what a node of its own proposes or publishes by actions only; the node's machine
//!    remains honest.
//!
//! A new kind is a file here and a line of [`KINDS`]; Python declares its keys
//! (`surgetank.scenario.attack`).

mod censor;
mod equivocator;
mod floods;
mod means;
mod mute;
mod proposer;
mod racer;
mod reader;
mod stampede;
#[cfg(test)]
mod tests;
mod validators;
mod withholder;

use serde::de::DeserializeOwned;
use surgetank_layer::message::Statement;
use surgetank_layer::node::{Node, Unsealing};
use surgetank_layer::units::{MessageId, NodeId, Ns, Weight};

use crate::actors::{Accounts, Action, ActorEvent, Timer, View};
use crate::scenario::{Kinded, Scenario};
use crate::seed::Seed;
use means::Means;
use proposer::{OwnOrder, Proposer};

/// The kinds of attack, by their names in a scenario. Without an attack the kind is `none`.
const KINDS: &[(&str, Build)] = &[
    ("spam", floods::spam),
    ("sybil", floods::sybil),
    ("cancel-storm", floods::cancel_storm),
    ("stampede", stampede::build),
    ("sandwich", reader::sandwich),
    ("insider", reader::insider),
    ("grind", reader::sandwich),
    ("withhold", withholder::build),
    ("latency-race", racer::build),
    ("fee-jump", racer::build),
    ("censor", censor::build),
    ("equivocate", equivocator::build),
    ("mute", mute::build),
    ("withhold-votes", validators::withhold_votes),
    ("late-proposal", validators::late_proposal),
];

/// Builds an attack of one kind from the scenario's entry.
type Build = fn(&AttackRequest<'_>) -> Result<Box<dyn Attack>, String>;

/// An attack as the scenario requests it, and what an attacker knows of the venue.
struct AttackRequest<'a> {
    what: &'a Kinded,
    /// How blocks are opened.
    unsealing: &'a Unsealing,
    /// The node that orders for all others, if one does.
    leader: Option<NodeId>,
    /// Voting weight of each node.
    weights: Vec<Weight>,
    /// Length of a round of the express lane, in ns.
    round_ns: Ns,
}

impl AttackRequest<'_> {
    fn build(&self) -> Result<Option<Box<dyn Attack>>, String> {
        if self.what.kind() == "none" {
            return self.keys::<NoKeys>().map(|_| None);
        }
        let (_, build) = self.what.among(KINDS, "attack")?;
        build(self).map(Some)
    }

    /// The keys of this kind.
    fn keys<T: DeserializeOwned>(&self) -> Result<T, String> {
        self.what.keys("attack")
    }
}

/// The keys of a kind that has none.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct NoKeys {}

/// One kind of attack. The defaults do nothing.
trait Attack: Send + Sync {
    /// It is set up, long before it begins.
    fn start(&mut self, _means: &Means, _out: &mut Vec<Action>) {}

    /// Processes one event.
    fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        means: &mut Means,
        view: &dyn View,
        out: &mut Vec<Action>,
    );

    /// What it needs beyond the power of a client, if anything.
    fn needs(&self) -> Option<&'static str> {
        None
    }

    /// Node at which it reads the messages that pass.
    fn reads_at(&self) -> Option<NodeId> {
        None
    }

    /// Whether it waits for the execution of this message.
    fn follows(&self, _message: MessageId) -> bool {
        false
    }

    /// Whether it has commitments that it may withhold.
    fn may_withhold(&self) -> bool {
        false
    }

    /// Whether it decides what this validator publishes.
    fn controls(&self, _node: NodeId) -> bool {
        false
    }

    /// Whether a validator that it controls keeps a statement of its own back, during the attack: it
    /// says it to itself, and to the others afterwards.
    fn keeps_back(&self, _statement: &Statement) -> bool {
        false
    }

    /// Whether this node passes no messages of others on, during the attack.
    fn mutes(&self, _node: NodeId) -> bool {
        false
    }

    /// Delay of its own client link, in ns, if different from the other clients'.
    fn link_ns(&self) -> Option<Ns> {
        None
    }
}

/// The attacker of a run.
pub struct Adversary {
    /// `None` without an attack.
    attack: Option<Box<dyn Attack>>,
    means: Means,
    reads_at: Option<NodeId>,
}

impl Adversary {
    /// The attacker of a scenario. `venue` is one of its nodes, of which it knows how blocks are
    /// opened and who leads.
    ///
    /// # Errors
    /// Names the key that is not one of its kind.
    pub fn new(scenario: &Scenario, venue: &Node, seed: &Seed) -> Result<Adversary, String> {
        let leader = venue.engine().leader();
        Adversary::asked(scenario, &request(scenario, venue.unsealing(), leader), seed)
    }

    fn asked(
        scenario: &Scenario,
        asked: &AttackRequest<'_>,
        seed: &Seed,
    ) -> Result<Adversary, String> {
        let attack = asked.build()?;
        let accounts = Accounts::new(scenario);
        let means = Means::new(&scenario.attack, scenario.duration_s, accounts, seed);
        let reads_at = attack.as_ref().and_then(|attack| attack.reads_at());
        Ok(Adversary { attack, means, reads_at })
    }

    /// The attacker of a scenario at a venue of which it is a client and knows nothing more: no
    /// message there is hidden, no order is drawn, no fast lane is sold.
    ///
    /// # Errors
    /// Names the key that is not one of its kind.
    pub fn of_client(scenario: &Scenario, seed: &Seed) -> Result<Adversary, String> {
        Adversary::asked(scenario, &request(scenario, &Unsealing::at_once(), None), seed)
    }

    /// What the attack needs beyond the power of a client, if anything.
    pub fn needs(&self) -> Option<&'static str> {
        self.attack.as_ref().and_then(|attack| attack.needs())
    }

    /// Whether a scenario's attack can be read.
    ///
    /// # Errors
    /// Names the key that is not one of its kind.
    pub fn check(scenario: &Scenario) -> Result<(), String> {
        request(scenario, &Unsealing::at_once(), None).build().map(|_| ())
    }

    /// Delay of its own client link, in ns, if different from the other clients'.
    pub fn link_ns(&self) -> Option<Ns> {
        self.attack.as_ref().and_then(|attack| attack.link_ns())
    }

    /// Orders that it found worth acting on.
    pub fn found(&self) -> u64 {
        self.means.found
    }

    /// Number of commitments that it did not reveal.
    pub fn withheld(&self) -> u64 {
        self.means.withheld
    }

    /// Whether it reads the messages that pass this node.
    #[inline]
    pub fn reads_at(&self, node: NodeId) -> bool {
        self.reads_at == Some(node)
    }

    /// Whether it waits for the execution of this message.
    #[inline]
    pub fn follows(&self, message: MessageId) -> bool {
        self.attack.as_ref().is_some_and(|attack| attack.follows(message))
    }

    /// Whether it has commitments that it may withhold.
    pub fn may_withhold(&self) -> bool {
        self.attack.as_ref().is_some_and(|attack| attack.may_withhold())
    }

    /// Whether it decides what this validator publishes.
    pub fn controls(&self, node: NodeId) -> bool {
        self.attack.as_ref().is_some_and(|attack| attack.controls(node))
    }

    /// Whether this node passes no messages of others on.
    #[inline]
    pub fn mutes(&self, now: Ns, node: NodeId) -> bool {
        self.in_force(now).is_some_and(|attack| attack.mutes(node))
    }

    /// Whether a validator that it controls keeps a statement of its own back.
    pub fn keeps_back(&self, now: Ns, statement: &Statement) -> bool {
        self.in_force(now).is_some_and(|attack| attack.keeps_back(statement))
    }

    /// The attack, if it has begun and is not over.
    #[inline]
    fn in_force(&self, now: Ns) -> Option<&dyn Attack> {
        self.attack.as_deref().filter(|_| self.means.window.contains(&now))
    }

    /// Sets the timer at which the attack begins.
    pub fn start(&mut self, out: &mut Vec<Action>) {
        let Some(attack) = self.attack.as_mut().filter(|_| !self.means.window.is_empty()) else {
            return;
        };
        attack.start(&self.means, out);
        out.push(Action::Wake { at: self.means.window.start, timer: Timer::Attack });
    }

    /// Processes one event.
    pub fn step(
        &mut self,
        now: Ns,
        event: ActorEvent<'_>,
        view: &impl View,
        out: &mut Vec<Action>,
    ) {
        if let Some(attack) = &mut self.attack {
            attack.step(now, event, &mut self.means, view, out);
        }
    }
}

fn request<'a>(
    scenario: &'a Scenario,
    unsealing: &'a Unsealing,
    leader: Option<NodeId>,
) -> AttackRequest<'a> {
    AttackRequest {
        what: &scenario.attack.what,
        unsealing,
        leader,
        weights: scenario.network.weights(),
        round_ns: scenario.layer.queue.express.round_ns,
    }
}
