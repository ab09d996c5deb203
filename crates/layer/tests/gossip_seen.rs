//! The set of seen messages, against an ordered set.

use std::collections::BTreeSet;

use proptest::prelude::*;
use surgetank_layer::gossip::SeenCache;

proptest! {
    #[test]
    fn agrees_with_an_ordered_set(ids in prop::collection::vec(0u32..300, 0..400)) {
        let mut seen = SeenCache::default();
        let mut expected = BTreeSet::new();
        for id in ids {
            prop_assert_eq!(seen.contains(id), expected.contains(&id));
            prop_assert_eq!(seen.insert(id), expected.insert(id));
        }
        for id in 0..1_000 {
            prop_assert_eq!(seen.contains(id), expected.contains(&id));
        }
    }
}
