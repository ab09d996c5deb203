//! A tape is checked once, when it comes in.

use surgetank_lab::flow::Tape;

fn tape() -> Tape {
    Tape {
        prices_ns: vec![0, 5, 5],
        prices_usd: vec![100.0, 101.0, 99.5],
        messages_ns: vec![1, 1, 9],
        messages_class: vec![4, 3, 2],
        messages_side: vec![1, 2, 0],
        messages_usd: vec![100.0, 100.5, 0.0],
        messages_qty: vec![1.0, 2.0, 0.0],
        messages_key: vec![7, 7, 7],
    }
}

#[test]
fn a_whole_tape_passes_and_so_does_an_empty_one() {
    assert_eq!(tape().check(), Ok(()));
    assert_eq!(Tape::default().check(), Ok(()));
}

#[test]
fn what_is_broken_is_named_with_its_place() {
    type Break = fn(&mut Tape);
    let broken: [(Break, &str); 13] = [
        (|t| t.prices_ns[2] = 4, "`prices_ns` goes back in time at entry 2"),
        (|t| t.messages_ns[1] = 0, "`messages_ns` goes back in time at entry 1"),
        (|t| t.prices_usd.truncate(2), "`prices_usd` has 2 entries where 3 are due"),
        (|t| t.messages_class.push(4), "`messages_class` has 4 entries where 3 are due"),
        (|t| t.messages_side.truncate(1), "`messages_side` has 1 entries where 3 are due"),
        (|t| t.messages_usd.clear(), "`messages_usd` has 0 entries"),
        (|t| t.messages_qty.clear(), "`messages_qty` has 0 entries"),
        (|t| t.messages_key.clear(), "`messages_key` has 0 entries"),
        (|t| t.prices_usd[1] = 0.0, "`prices_usd` is not positive at entry 1"),
        (|t| t.messages_usd[2] = f64::NAN, "`messages_usd` is negative or no number at entry 2"),
        (|t| t.messages_qty[0] = -1.0, "`messages_qty` is negative or no number at entry 0"),
        (|t| t.messages_class[1] = 5, "`messages_class` is 5 at entry 1; it is 0..4"),
        (|t| t.messages_side[1] = 3, "`messages_side` is 3 at entry 1; it is 0..2"),
    ];
    for (damage, wanted) in broken {
        let mut tape = tape();
        damage(&mut tape);
        let error = tape.check().unwrap_err();
        assert!(error.contains(wanted), "{error}, where {wanted} is due");
    }
}
