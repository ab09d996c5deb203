//! Requests of a link that have no answer, through the ends of its connections.
//!
//! # Rules
//! 1. What is due while there is no connection waits, and is sent on the next one in its order.
//! 2. At the end of a connection it is unknown what became of the requests on it that have no
//!    answer. Those with a ClOrdID are sent again, before all others: the venue executes none of
//!    them twice. Prices and liquidations have none, and a second copy would be executed: they are
//!    not sent again. The journal says at the end of the run whether they were executed.

use std::collections::{BTreeMap, VecDeque};

use surgetank_layer::units::MessageId;
use surgetank_venue::request::Request;

/// Requests that wait to be sent, or for their answer.
#[derive(Debug, Default)]
pub struct Unanswered {
    waiting: VecDeque<(MessageId, Request)>,
    /// Those sent on the present connection, by number.
    open: BTreeMap<u32, (MessageId, Request)>,
    again: u64,
}

impl Unanswered {
    /// A request is due.
    pub fn push(&mut self, id: MessageId, request: Request) {
        self.waiting.push_back((id, request));
    }

    /// Number of requests that wait to be sent.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Number of requests without an answer that may still come.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.open.len()
    }

    /// Whether every answer that may come is there.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of requests that were sent again.
    pub fn sent_again(&self) -> u64 {
        self.again
    }

    /// The next requests to send, at most so many, and their messages.
    pub fn take(&mut self, most: usize) -> (Vec<MessageId>, Vec<Request>) {
        let count = most.min(self.waiting.len());
        self.waiting.drain(..count).unzip()
    }

    /// These were sent, under the numbers that they have now.
    pub fn sent(&mut self, ids: &[MessageId], requests: &[Request]) {
        let sent = ids.iter().zip(requests);
        self.open.extend(sent.map(|(id, request)| (request.number, (*id, *request))));
    }

    /// The message of a request that is answered now; `None` if it was answered before, or is none.
    pub fn answered(&mut self, number: u32) -> Option<MessageId> {
        self.open.remove(&number).map(|(id, _)| id)
    }

    /// The connection has ended.
    pub fn severed(&mut self) {
        let open = std::mem::take(&mut self.open).into_values();
        let again: Vec<_> = open.filter(|(_, request)| request.cl_ord_id().is_some()).collect();
        self.again += again.len() as u64;
        again.into_iter().rev().for_each(|one| self.waiting.push_front(one));
    }
}
