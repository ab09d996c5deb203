//! A proposer in the attacker's hands: what it leaves out, and what it puts in front.

use surgetank_lab::adversary::Proposer;
use surgetank_layer::message::{Class, Entry, Envelope};
use surgetank_layer::node::BlockBuilder;

fn arranged(proposer: &Proposer, messages: &[u32]) -> Vec<u32> {
    let entry =
        |&id| Entry { envelope: Envelope::plain(id, Class::NewOrderSingle, 100, 0), queued_ns: 0 };
    let mut entries: Vec<Entry> = messages.iter().map(entry).collect();
    proposer.arrange(&mut entries);
    entries.iter().map(|entry| entry.envelope.id).collect()
}

#[test]
fn two_of_its_own_stand_right_before_the_victim() {
    let proposer = Proposer::default();
    proposer.put_before([8, 9], 5);
    assert_eq!(arranged(&proposer, &[4, 5, 6, 8, 9]), [4, 8, 9, 5, 6]);
    assert_eq!(arranged(&proposer, &[9, 4, 8, 6, 5, 7]), [4, 6, 8, 9, 5, 7]);
    assert_eq!(arranged(&proposer, &[8, 9, 5]), [8, 9, 5]);
    assert_eq!(arranged(&proposer, &[5, 8, 4]), [5, 8, 4], "one of its own is missing");
}

#[test]
fn what_it_censors_it_does_not_take() {
    let proposer = Proposer::default();
    let takes = |class| proposer.takes(&Envelope::plain(1, class, 100, 0));
    assert!(takes(Class::LiquidationOrder));
    proposer.censor(1 << Class::LiquidationOrder as u8);
    assert_eq!([Class::LiquidationOrder, Class::NewOrderSingle].map(takes), [false, true],);
}
