//! Client messages and the stamps that every boundary left on them.
//!
//! They are held in the columns of their table from the start, so that a run ends without copying
//! them: what a message costs is mostly the memory that it is the first to touch.

use surgetank_layer::message::{Body, Class, Message};
use surgetank_layer::units::{AccountId, Height, MessageId, NEVER, NodeId, Ns};

use super::{Column, Outcome, Reason, Source, Table};

/// Client messages by slot: the columns of the table `messages`, and attributes used elsewhere.
#[derive(Default)]
pub struct Messages {
    /// Its number among all messages.
    pub id: Vec<MessageId>,
    /// Class of the message.
    pub class: Vec<Class>,
    /// Account of its sender.
    pub account: Vec<AccountId>,
    /// Where it enters.
    pub gateway: Vec<NodeId>,
    /// Bytes on the wire.
    pub size_bytes: Vec<u32>,
    /// Outcome of the message.
    pub outcome: Vec<Outcome>,
    /// Why it was refused or lost, if so.
    pub reason: Vec<Reason>,
    /// Attempts so far.
    pub tries: Vec<u8>,
    /// Kind of the sender.
    pub source: Vec<Source>,
    /// The block that it is in; `u32::MAX` = none.
    pub height: Vec<u32>,
    /// Its place in that block, from 0; `u32::MAX` = none.
    pub position: Vec<u32>,
    /// Fee that its sender bids, in millionths of a USD.
    pub fee_micros: Vec<u32>,
    /// Fee that it owes if it is executed, in millionths of a USD.
    pub owed_micros: Vec<u32>,
    /// When it was meant to be sent.
    pub created_ns: Vec<Ns>,
    /// Arrival at the gateway.
    pub gateway_ns: Vec<Ns>,
    /// Validated there.
    pub admitted_ns: Vec<Ns>,
    /// In the queue of the node that proposed it.
    pub queued_ns: Vec<Ns>,
    /// In a proposed block.
    pub proposed_ns: Vec<Ns>,
    /// The reporting node knows the decision.
    pub decided_ns: Vec<Ns>,
    /// The reporting node has executed it.
    pub executed_ns: Vec<Ns>,
    /// The client has the report.
    pub confirmed_ns: Vec<Ns>,
    /// Number among the messages of its source, for draws that do not depend on others.
    pub serial: Vec<u32>,
    /// Content of the message; empty where it is not read.
    body: Vec<Body>,
    unread: bool,
}

/// A message that is about to be sent.
pub struct NewMessage {
    /// The message: sender, send time and content.
    pub message: Message,
    /// Where it enters.
    pub gateway: NodeId,
    /// Bytes on the wire.
    pub size_bytes: u32,
    /// Kind of the sender.
    pub source: Source,
    /// Number among the messages of its source.
    pub serial: u32,
    /// Fee that its sender bids, in millionths of a USD.
    pub fee_micros: u32,
}

/// The properties of an executed message on which the attribution of its waits depends.
#[derive(Clone, Copy, Debug)]
pub struct Executed {
    /// Its number among all messages.
    pub id: MessageId,
    /// Class of the message.
    pub class: Class,
    /// Kind of the sender.
    pub source: Source,
    /// Where it entered.
    pub gateway: NodeId,
    /// When it was meant to be sent.
    pub created_ns: Ns,
    /// In the queue of the node that proposed it.
    pub queued_ns: Ns,
}

impl Messages {
    /// No messages. `unread`: their content will not be read.
    pub fn new(unread: bool) -> Messages {
        Messages { unread, ..Messages::default() }
    }

    /// Number of messages.
    pub fn len(&self) -> usize {
        self.id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.id.is_empty()
    }

    /// One more; its slot is their number so far.
    #[inline]
    pub fn push(&mut self, new: &NewMessage) {
        let Message { id, account, sent_ns, body } = new.message;
        self.id.push(id);
        self.class.push(body.class());
        self.account.push(account);
        self.gateway.push(new.gateway);
        self.size_bytes.push(new.size_bytes);
        self.outcome.push(Outcome::Pending);
        self.reason.push(Reason::None);
        self.tries.push(0);
        self.source.push(new.source);
        self.height.push(u32::MAX);
        self.position.push(u32::MAX);
        self.fee_micros.push(new.fee_micros);
        self.owed_micros.push(0);
        self.created_ns.push(sent_ns);
        self.gateway_ns.push(NEVER);
        self.admitted_ns.push(NEVER);
        self.queued_ns.push(NEVER);
        self.proposed_ns.push(NEVER);
        self.decided_ns.push(NEVER);
        self.executed_ns.push(NEVER);
        self.confirmed_ns.push(NEVER);
        self.serial.push(new.serial);
        if !self.unread {
            self.body.push(body);
        }
    }

    /// The content of a message.
    #[inline]
    pub fn message(&self, slot: u32) -> Message {
        let at = slot as usize;
        Message {
            id: self.id[at],
            account: self.account[at],
            sent_ns: self.created_ns[at],
            body: self.body[at],
        }
    }

    /// An executed message.
    pub fn executed(&self, slot: u32) -> Executed {
        let at = slot as usize;
        Executed {
            id: self.id[at],
            class: self.class[at],
            source: self.source[at],
            gateway: self.gateway[at],
            created_ns: self.created_ns[at],
            queued_ns: self.queued_ns[at],
        }
    }

    /// It is in a block of this height.
    #[inline]
    pub fn decide(&mut self, slot: u32, height: Height, stamps: [Ns; 3]) {
        let at = slot as usize;
        self.height[at] = height as u32;
        [self.queued_ns[at], self.proposed_ns[at], self.decided_ns[at]] = stamps;
    }

    /// The kind of sender and the fee paid of each message, in millionths of a USD; 0 unless it was
    /// executed.
    pub fn paid(&self) -> impl Iterator<Item = (Source, u32)> {
        let owed = self.outcome.iter().zip(&self.owed_micros);
        self.source
            .iter()
            .zip(owed)
            .map(|(&source, (&outcome, &owed))| (source, paid(outcome, owed)))
    }

    /// The table.
    pub fn into_table(mut self) -> Table {
        for (outcome, owed_micros) in self.outcome.iter().zip(&mut self.owed_micros) {
            *owed_micros = paid(*outcome, *owed_micros);
        }
        let columns = vec![
            ("message", Column::U32(self.id)),
            ("class", u8s(self.class, |class| class as u8)),
            ("account", Column::U32(self.account)),
            ("gateway", Column::U32(self.gateway)),
            ("size_bytes", Column::U32(self.size_bytes)),
            ("outcome", u8s(self.outcome, |outcome| outcome as u8)),
            ("reason", u8s(self.reason, |reason| reason as u8)),
            ("tries", Column::U8(self.tries)),
            ("source", u8s(self.source, |source| source as u8)),
            ("height", Column::OptionU32(self.height)),
            ("position", Column::OptionU32(self.position)),
            ("fee_micros", Column::U32(self.fee_micros)),
            ("paid_micros", Column::U32(self.owed_micros)),
            ("created_ns", Column::U64(self.created_ns)),
            ("gateway_ns", Column::OptionU64(self.gateway_ns)),
            ("admitted_ns", Column::OptionU64(self.admitted_ns)),
            ("queued_ns", Column::OptionU64(self.queued_ns)),
            ("proposed_ns", Column::OptionU64(self.proposed_ns)),
            ("decided_ns", Column::OptionU64(self.decided_ns)),
            ("executed_ns", Column::OptionU64(self.executed_ns)),
            ("confirmed_ns", Column::OptionU64(self.confirmed_ns)),
        ];
        Table { name: "messages", columns }
    }
}

/// Fee paid for a message with this outcome and fee owed, in millionths of a USD.
fn paid(outcome: Outcome, owed_micros: u32) -> u32 {
    if outcome == Outcome::Executed { owed_micros } else { 0 }
}

/// A column of an enumeration's numbers, in the memory of the enumeration.
fn u8s<T>(values: Vec<T>, number: impl Fn(T) -> u8) -> Column {
    Column::U8(values.into_iter().map(number).collect())
}
