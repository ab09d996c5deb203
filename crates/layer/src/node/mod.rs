//! A node: the composition of gossip, queues, an ordering engine and execution.
//!
//! # Rules
//! 1. A client's message is validated once at every node that receives it, before it is forwarded.
//! 2. The host performs work: a node requests it ([`Task`]) and continues when it is done
//!    ([`Done`]). It knows no durations of work.
//! 3. Messages of consensus are verified one after the other, beside clients' messages, as they have
//!    a thread of their own in CometBFT; they share the links with everything else.
//! 4. A block's effects are visible when the whole block is executed. The next height starts only
//!    then (CometBFT applies the block before it waits out `timeout_commit`).
//! 5. A refusal is always reported, with a reason.
//!
//! # Theory of operation
//! ```text
//! client ─┐                                   ┌─ mempool ── engine ── execution ─→ facts
//! peers ──┴→ ingress queue → validation ──────┤                  (unsealing before it)
//! peers ───→ consensus queue → verification ──┴─ gossip ─→ peers
//! ```
//! Files: [`intake`] (messages arrive and are validated), [`order`] (they become blocks, as the
//! engine of [`ordering`] asks and the [`builder`] chooses), [`fair`] (all nodes contribute to
//! their order), [`unsealing`] (blocks are opened), [`execute`] (they take effect), [`sync`] (a
//! node that fell behind catches up), [`life`] (a process begins, or has died), [`work`] (what
//! hosts do), [`reason`] (of refusals).
//!
//! # Departures from CometBFT
//! Blocks travel whole, not in parts. A block that is synced is trusted without its commit.

mod adaptive;
mod admit;
mod builder;
mod execute;
mod fair;
mod intake;
mod life;
mod order;
pub mod ordering;
mod reason;
mod smoothed;
mod sync;
mod tune;
mod unsealing;
mod work;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::chained::ChainMessage;
use crate::gossip::{self, Frame, Gossip, SeenCache};
use crate::machine::{Draws, Machine};
use crate::message::{Block, Envelope, Payload};
use crate::queue::{self, Queue};
use crate::units::{AccountId, Digest, Height, MessageId, NodeId, Ns, Peer, Price, Round, Weight};

pub use crate::order_report::{ReceivedEntry, Report};
pub use crate::tuning::Change;
pub use adaptive::{AdaptiveTimeouts, Span};
pub use admit::{Admission, Unit};
pub use builder::{BlockBuilder, Honest};
pub use fair::{Fair, FairRule, Tally as FairTally};
pub use life::Disk;
pub use ordering::{Engine, Equivocation, Ordering, Wait, WaitKind};
pub use reason::Reason;
pub use tune::Tuning;
pub use unsealing::{Places, Unsealing, place};
pub use work::{Costs, Done, Task};

/// Parameters of a node.
#[derive(Debug)]
pub struct Config {
    /// Number of this node.
    pub id: NodeId,
    /// Voting weight of each node.
    pub weights: Arc<[Weight]>,
    /// How many neighbours this one has.
    pub degree: u32,
    /// How messages spread.
    pub gossip: gossip::Config,
    /// Discipline of the mempool.
    pub rule: queue::Rule,
    /// Messages that may wait for validation.
    pub ingress_max: usize,
    /// Messages that may wait for ordering.
    pub mempool_max: usize,
    /// Client messages that may be validated at once.
    pub validations_max: u32,
    /// What work takes on average.
    pub costs: Costs,
    /// The ordering engine.
    pub ordering: Ordering,
    /// How the leader puts messages in order, if not as they come. Needs an engine with a leader.
    pub fair: Option<Fair>,
    /// What happens to a decided block before it is executed.
    pub unsealing: Unsealing,
    /// Which messages are admitted; `None` = all.
    pub admission: Option<Admission>,
    /// Controller of what may be set at a node that makes blocks; `None` = nothing changes.
    pub tuning: Option<Tuning>,
}

/// Events of a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// The process begins: the first one, or one that recovers ([`Node::recover`]).
    Start,
    /// A client's message has arrived at this gateway.
    Client(Envelope),
    /// The number of a message that this node asked to publish.
    Publish(Envelope, Payload),
    /// A neighbour's frame has arrived.
    Receive {
        /// From which neighbour.
        from: Peer,
        /// The received frame.
        frame: Frame,
        /// The content, for a message of consensus.
        payload: Payload,
    },
    /// Another node's packet has arrived.
    Packet {
        /// From which node.
        from: NodeId,
        /// The packet itself.
        packet: Packet,
    },
    /// A timer that this node set has expired.
    Timer(Timer),
    /// Work that this node requested is done.
    Done(Done),
    /// The mark after a block that this node has executed, in ticks.
    Mark(Price),
    /// An account of this gateway has earned requests by trading.
    Earned {
        /// The account.
        account: AccountId,
        /// Number of requests.
        requests: u64,
    },
}

/// Packets between two nodes that need not be neighbours.
#[derive(Clone, Debug)]
pub enum Packet {
    /// A client's message, forwarded to the sequencer.
    Forward(Envelope),
    /// The sequencer's next batch, and the hash of the one before.
    Batch(Digest, Arc<Block>),
    /// "Send me the blocks from this height on."
    BlocksWanted(Height),
    /// Blocks, in answer to `BlocksWanted`.
    Blocks(Vec<Arc<Block>>),
    /// The sender's share of a decided block's key.
    Share(Height),
    /// "Send me your share of this block's key."
    ShareWanted(Height),
    /// A message of a chained protocol, or of one on a graph, for this node alone; with its block if it
    /// brings one.
    Chained(Arc<ChainMessage>, Option<Arc<Block>>),
    /// "Send me these vertices and their certificates", by round and author.
    VerticesWanted(Vec<(Round, u32)>),
    /// Report of the sender's receive order.
    OrderReport(Report),
    /// Confirmation of reports.
    OrderConfirmed {
        /// Entries below this number were received.
        next: u64,
        /// Whether later entries are missing and to be sent again.
        again: bool,
    },
}

/// Timers of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// Heartbeat of gossipsub.
    Heartbeat,
    /// A timer of the ordering engine.
    Engine(Wait),
    /// Check of progress, with re-broadcast.
    Rebroadcast,
    /// End of the reveal period of the block of this height.
    Revealed(Height),
    /// Repetition of requests for shares.
    SharesDue,
    /// Report of the local order.
    Report,
    /// Interval of the controller.
    Tune,
}

/// Requests and notifications of a node to its host.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send to all neighbours but one.
    Forward {
        /// Envelope of the message.
        envelope: Envelope,
        /// Not to this one.
        except: Option<Peer>,
    },
    /// Send to one neighbour.
    Send {
        /// Neighbour that receives it.
        to: Peer,
        /// The frame to send.
        frame: Frame,
    },
    /// Send to a node that need not be a neighbour.
    Packet {
        /// Node that receives it.
        to: NodeId,
        /// The packet itself.
        packet: Packet,
    },
    /// Number this message of consensus and hand it back as [`Input::Publish`].
    Publish(Payload),
    /// Re-broadcast: send this to the neighbours that lack it, as the same message.
    PublishAgain(Payload),
    /// Set a timer.
    After(Ns, Timer),
    /// Do this work and pass back [`Task::done`] as [`Input::Done`].
    Work(Task),
    /// A client's message was validated at this gateway.
    Admitted(MessageId),
    /// A message was refused here. Each node at which it waited reports it.
    Refused {
        /// The message's number.
        message: MessageId,
        /// Reason of the refusal.
        reason: Reason,
        /// Time before which a retry is useless; 0 = no hint.
        retry_after_ns: Ns,
    },
    /// This node knows that the block is decided.
    Decided(Arc<Block>, Round),
    /// This node has executed the block.
    Executed(Arc<Block>),
    /// A validator made two statements of one kind in one round.
    Equivocation(Equivocation),
    /// The orderer's block of this height does not follow the one before it, and is not decided.
    Broken(Height),
    /// A message admitted here owes this fee, in millionths of a USD, if it is executed.
    Charged(MessageId, u64),
    /// A setting of this node was changed.
    Changed(Change),
}

/// The composed machine.
pub struct Node {
    id: NodeId,
    nodes: u32,
    started: bool,
    gossip: Option<Gossip>,
    ingress: Queue<intake::Work>,
    validating: u32,
    validations_max: u32,
    costs: Costs,
    /// Messages of consensus that wait for verification, and how many there are of each validator.
    hearing: VecDeque<(Envelope, Payload, Option<Peer>)>,
    hearing_by: Vec<u32>,
    mempool: Queue<Envelope>,
    mempool_bytes: u64,
    /// Messages that are in a decided block, or in the mempool: not to be queued again.
    known: SeenCache,
    included: SeenCache,
    engine: Box<dyn Engine>,
    engine_out: Vec<ordering::Output>,
    fair: Option<Box<fair::State>>,
    /// Decided blocks, from height 1.
    chain: Vec<Arc<Block>>,
    /// Proposed blocks that are not decided.
    proposed: BTreeMap<Digest, Arc<Block>>,
    /// Messages of the undecided blocks below the last one made here, by class number.
    below: [u32; 8],
    executed: Height,
    /// The block that is being executed, in the order in which it is.
    executing: Option<Arc<Block>>,
    unsealing: unsealing::State,
    builder: Arc<dyn BlockBuilder>,
    sync: sync::State,
    /// The engine's timers: when each goes off, and after how long it does.
    armed: Vec<(Ns, Ns, Wait)>,
    /// Timers of the process before, to be set again.
    pending: Vec<(Ns, Wait)>,
    gossip_out: Vec<gossip::Output>,
    admission: Option<Box<admit::State>>,
    tuning: Option<Box<tune::State>>,
    adaptive: Option<Box<adaptive::State>>,
}

impl Node {
    /// A node before its start.
    ///
    /// # Panics
    /// If a fair order is asked of an engine without a leader, or a controller is to start from a
    /// setting outside its bounds.
    pub fn new(config: Config) -> Node {
        let nodes = config.weights.len() as u32;
        let engine = config.ordering.engine(config.id, &config.weights);
        let fair = config.fair.map(|fair| {
            let leader = engine.leader().expect("Config::fair: the engine has a leader");
            Box::new(fair::State::new(&fair, nodes, config.id, leader))
        });
        let sync = sync::State::new(engine.answer_ns());
        let mut node = Node {
            id: config.id,
            nodes,
            started: false,
            gossip: Gossip::new(config.gossip, config.degree),
            ingress: Queue::new(&queue::Config {
                rule: config.rule.clone(),
                capacity: config.ingress_max,
            }),
            validating: 0,
            validations_max: config.validations_max,
            costs: config.costs,
            hearing: VecDeque::new(),
            hearing_by: vec![0; nodes as usize],
            mempool: Queue::new(&queue::Config {
                // A fair order keeps its messages in place.
                rule: if fair.is_some() { queue::Rule::Fifo } else { config.rule },
                capacity: config.mempool_max,
            }),
            mempool_bytes: 0,
            known: SeenCache::default(),
            included: SeenCache::default(),
            engine,
            engine_out: Vec::new(),
            fair,
            chain: Vec::new(),
            proposed: BTreeMap::new(),
            below: [0; 8],
            executed: 0,
            executing: None,
            unsealing: unsealing::State::new(config.unsealing),
            builder: Arc::new(Honest),
            sync,
            armed: Vec::new(),
            pending: Vec::new(),
            gossip_out: Vec::new(),
            admission: config.admission.map(|admission| Box::new(admit::State::new(admission))),
            tuning: None,
            adaptive: None,
        };
        if let Some(tuning) = config.tuning.filter(|_| node.engine.pace().is_some()) {
            node.tune(tuning);
        }
        if let Some(timeouts) = node.engine.adaptive() {
            node.adapt(timeouts);
        }
        node
    }

    /// The proposer's policy.
    pub fn builder(&self) -> &Arc<dyn BlockBuilder> {
        &self.builder
    }

    /// Sets the policy by which this node builds its next blocks; at first it is [`Honest`].
    pub fn set_builder(&mut self, builder: Arc<dyn BlockBuilder>) {
        self.builder = builder;
    }

    /// Messages waiting for validation.
    pub fn ingress_len(&self) -> usize {
        self.ingress.len()
    }

    /// Messages waiting for ordering.
    pub fn mempool_len(&self) -> usize {
        self.mempool.len() + self.fair.as_ref().map_or(0, |fair| fair.len())
    }

    /// Messages waiting for ordering, by class number.
    pub fn mempool_by_class(&self) -> [u32; 8] {
        self.mempool.by_class(|envelope| envelope.class)
    }

    /// Messages of the undecided blocks below the last block made here, by class number: they wait
    /// for ordering as well.
    pub fn below_by_class(&self) -> [u32; 8] {
        self.below
    }

    /// Messages decided and not yet executed.
    pub fn execution_len(&self) -> usize {
        self.chain[self.executed as usize..].iter().map(|b| b.entries.len()).sum()
    }

    /// What happens to a decided block before it is executed.
    pub fn unsealing(&self) -> &Unsealing {
        self.unsealing.config()
    }

    /// Height up to which decided blocks are open to be executed.
    pub fn opened_height(&self) -> Height {
        self.unsealing.open().min(self.chain.len() as Height)
    }

    /// Height of the last executed block.
    pub fn executed_height(&self) -> Height {
        self.executed
    }

    /// The decided block of a height.
    pub fn block(&self, height: Height) -> Option<&Arc<Block>> {
        self.chain.get((height as usize).checked_sub(1)?)
    }

    /// Whether it hears every copy of a message, and not only the first.
    pub fn hears_copies(&self) -> bool {
        self.gossip.as_ref().is_some_and(Gossip::hears_copies)
    }

    /// The ordering engine.
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }
}

impl Machine for Node {
    type Input = Input;
    type Output = Output;

    #[inline]
    fn step(&mut self, now: Ns, input: Input, draws: &mut dyn Draws, out: &mut Vec<Output>) {
        match input {
            Input::Receive { from, frame, payload } => {
                self.receive(now, from, frame, payload, draws, out);
            }
            Input::Client(envelope) => self.ask(now, envelope, out),
            Input::Publish(envelope, payload) => self.publish(now, envelope, payload, draws, out),
            Input::Packet { from, packet } => self.packet(now, from, packet, draws, out),
            Input::Timer(timer) => match timer {
                Timer::Heartbeat => self.gossip_step(now, gossip::Input::Heartbeat, draws, out),
                Timer::Engine(wait) => {
                    self.engine_step(now, ordering::Input::Waited(wait), draws, out);
                }
                Timer::Rebroadcast => self.rebroadcast(now, draws, out),
                Timer::Revealed(height) => self.revealed(height, out),
                Timer::SharesDue => self.shares_due(now, draws, out),
                Timer::Report => self.report(now, draws, out),
                Timer::Tune => self.tune_on(now, out),
            },
            Input::Done(done) => match done {
                Done::Validated(work) => self.validated(now, work, draws, out),
                Done::Verified => self.verified(now, draws, out),
                Done::Executed => self.executed(now, out),
                Done::ShareMade { height, to } => self.share_made(now, height, to, draws, out),
            },
            Input::Mark(mark) => self.see_mark(now, mark),
            Input::Earned { account, requests } => self.earn(now, account, requests),
            Input::Start => self.start(now, draws, out),
        }
    }
}
