//! Seeds: a chain of secrets that is committed to, revealed backwards, and mixed with the inputs.

use surgetank_layer::audit::seed::{RevealChain, seed, step};

#[test]
fn every_secret_leads_to_the_one_before_and_the_first_to_the_anchor() {
    for count in [1, 2, 3, 4, 5, 15, 16, 17, 100] {
        let mut reveals = RevealChain::new(&[3; 32], count);
        let mut last = reveals.anchor();
        for left in (0..count).rev() {
            let reveal = reveals.next().unwrap();
            assert_eq!(step(&reveal), last, "{left} of {count} left");
            assert_eq!(reveals.left(), left);
            last = reveal;
        }
        assert_eq!(last, [3; 32], "the last one revealed is what it all began with");
        assert_eq!(reveals.next(), None);
    }
}

#[test]
fn a_chain_of_nothing_reveals_nothing() {
    let mut reveals = RevealChain::new(&[3; 32], 0);
    assert_eq!((reveals.left(), reveals.next()), (0, None));
}

#[test]
fn a_seed_depends_on_secret_inputs_and_beacon() {
    let seeds = [
        seed(&[1; 32], &[2; 32], b""),
        seed(&[2; 32], &[2; 32], b""),
        seed(&[1; 32], &[1; 32], b""),
        seed(&[1; 32], &[2; 32], b"\0"),
    ];
    for (i, a) in seeds.iter().enumerate() {
        assert!(seeds[..i].iter().all(|b| a != b), "{i}");
    }
}

#[test]
fn what_is_printed_for_debugging_has_no_secret_in_it() {
    assert_eq!(format!("{:?}", RevealChain::new(&[3; 32], 9)), "RevealChain { left: 9 }");
}
