//! No two honest nodes decide differently, under any schedule of delays, losses, duplicates,
//! partitions and crashes, with less than a third of the weight lying; and once the network heals,
//! all decide. `SURGETANK_SEED=n` replays one world; `SURGETANK_WORLDS=n` runs more or fewer.

use crate::chained_world;

use chained_world::Seeded;
use chained_world::runs::{all_agree, all_agree_with_liars, assert_finds, assert_repeats};
use surgetank_layer::consensus::simplex::Simplex;

#[test]
fn honest_nodes_agree_and_decide_although_a_minority_lies() {
    all_agree_with_liars::<Simplex>(4_000);
}

#[test]
fn honest_nodes_agree_and_decide_among_themselves() {
    all_agree::<Simplex>(Seeded::Honest, 4_000);
}

/// The checks above can fail.
#[test]
fn a_disagreement_is_found_once_more_than_a_third_lies() {
    assert_finds::<Simplex>(Seeded::TooManyLiars, 300);
}

#[test]
fn a_disagreement_is_found_if_validators_vote_twice_in_a_round() {
    assert_finds::<Simplex>(Seeded::VotesTwice, 2_000);
}

#[test]
fn a_disagreement_is_found_if_one_certificate_decides() {
    assert_finds::<Simplex>(Seeded::CommitsOneChain, 2_000);
}

/// The control of the next: the same crashes.
#[test]
fn validators_that_crash_again_and_again_agree() {
    all_agree::<Simplex>(Seeded::Crashes, 1_000);
}

#[test]
fn a_disagreement_is_found_if_validators_forget_their_votes_in_a_crash() {
    assert_finds::<Simplex>(Seeded::Forgets, 4_000);
}

/// The rule on which all rests: never both ⟨finalize, h⟩ and a vote for the dummy block of h.
#[test]
fn a_disagreement_is_found_if_validators_finalize_what_they_gave_up() {
    assert_finds::<Simplex>(Seeded::FinalizesAlways, 2_000);
}

#[test]
fn the_same_seed_is_the_same_world() {
    assert_repeats::<Simplex>();
}
