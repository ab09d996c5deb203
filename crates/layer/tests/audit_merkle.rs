//! Merkle trees: roots, inclusion, consistency, against the reference vectors of RFC 6962's authors
//! and the RFC's recursive definitions.

use proptest::prelude::*;
use surgetank_layer::audit::many;
use surgetank_layer::audit::merkle::{
    Blake3, Hash, Sha256, Tree, TreeHash, consistency, extends, includes, inclusion, root,
};

/// The inputs of the reference tree of Certificate Transparency.
const INPUTS: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
/// Its roots, at 1 to 8 leaves.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect()
}

fn hash(hex: &str) -> Hash {
    bytes(hex).try_into().unwrap()
}

fn reference() -> Vec<Hash> {
    INPUTS.iter().map(|input| Sha256::leaf(&bytes(input))).collect()
}

fn leaves<H: TreeHash>(count: usize) -> Vec<Hash> {
    (0..count).map(|i| H::leaf(&i.to_le_bytes())).collect()
}

/// MTH(D\[n\]), as the RFC writes it down.
fn defined<H: TreeHash>(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => H::hash(&[]),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while 2 * k < leaves.len() {
                k *= 2;
            }
            H::node(&defined::<H>(&leaves[..k]), &defined::<H>(&leaves[k..]))
        }
    }
}

#[test]
fn roots_are_the_reference_ones() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(root::<Sha256>(&[]), hash(empty));
    let mut tree = Tree::<Sha256>::default();
    for (leaf, expected) in reference().into_iter().zip(ROOTS) {
        tree.push(leaf);
        assert_eq!(tree.root(), hash(expected), "{} leaves", tree.size());
    }
}

#[test]
fn paths_are_the_reference_ones() {
    let leaves = reference();
    let path = |index, size: usize| inclusion::<Sha256>(&leaves[..size], index).unwrap();
    assert_eq!(path(0, 1), Vec::<Hash>::new());
    let expected = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    assert_eq!(path(0, 8), expected.map(hash));
    let expected = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(path(5, 8), expected.map(hash));
    let expected = ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"];
    assert_eq!(path(2, 3), expected.map(hash));
}

#[test]
fn consistency_proofs_are_the_reference_ones() {
    let leaves = reference();
    let proof = |old, new: usize| consistency::<Sha256>(&leaves[..new], old).unwrap();
    assert_eq!(proof(1, 1), Vec::<Hash>::new());
    let expected = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    assert_eq!(proof(1, 8), expected.map(hash));
    let expected = [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ];
    assert_eq!(proof(6, 8), expected.map(hash));
    let expected = [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ];
    assert_eq!(proof(2, 5), expected.map(hash));
}

#[test]
fn a_node_does_not_pass_for_a_leaf() {
    let [a, b] = [Blake3::leaf(b"a"), Blake3::leaf(b"b")];
    let both = [a, b].concat();
    assert_ne!(Blake3::leaf(&both), Blake3::node(&a, &b));
    assert_ne!(Blake3::leaf(b"a"), Blake3::hash(b"a"));
}

#[test]
fn the_hash_of_journals_fills_up_to_whole_blocks() {
    for size in [0, 1, 63, 64, 65, 254, 255, 256, 257, 5000] {
        let data = vec![7; size];
        let mut whole = data.clone();
        whole.resize(size.next_multiple_of(64), 0);
        assert_eq!(Blake3::hash(&data), *blake3::hash(&whole).as_bytes(), "{size}");
        assert_eq!(Blake3::leaf(&data), Blake3::hash(&[&[0], &data[..]].concat()), "{size}");
    }
}

#[test]
fn many_at_once_give_what_one_by_one_gives() {
    for count in 0..70 {
        let leaves = leaves::<Blake3>(count);
        assert_eq!(many::root(&mut leaves.clone()), root::<Blake3>(&leaves), "{count} leaves");
    }
    // Runs of equal and unequal lengths, short ones and such as are longer than the fast way takes.
    let (mut bytes, mut ends, mut expected) = (Vec::new(), Vec::new(), Vec::new());
    for i in 0..400usize {
        let data = vec![i as u8; if i < 100 { 100 } else { i * i % 330 }];
        bytes.extend(&data);
        ends.push(bytes.len());
        expected.push(Blake3::leaf(&data));
    }
    let mut found = expected[..3].to_vec();
    many::leaves(&bytes, &ends, 3, &mut found);
    assert_eq!(found, expected);
}

#[test]
fn there_are_no_proofs_of_what_is_not_there() {
    let leaves = leaves::<Blake3>(5);
    assert_eq!(inclusion::<Blake3>(&leaves, 5), None);
    assert_eq!(inclusion::<Blake3>(&[], 0), None);
    assert_eq!(consistency::<Blake3>(&leaves, 0), None);
    assert_eq!(consistency::<Blake3>(&leaves, 6), None);
    let root = root::<Blake3>(&leaves);
    assert!(!includes::<Blake3>(&leaves[0], 5, 5, &[], &root));
    assert!(!extends::<Blake3>(0, 5, &root, &root, &[]));
    assert!(!extends::<Blake3>(6, 5, &root, &root, &[]));
    assert!(!extends::<Blake3>(3, 5, &root, &root, &[]));
}

#[test]
fn every_proof_up_to_33_leaves_holds_and_none_holds_elsewhere() {
    let leaves = leaves::<Blake3>(33);
    let roots: Vec<Hash> = (0..=33).map(|n| defined::<Blake3>(&leaves[..n])).collect();
    for size in 1..=33 {
        let tree = &leaves[..size];
        let n = size as u64;
        assert_eq!(root::<Blake3>(tree), roots[size]);
        for (index, leaf) in tree.iter().enumerate() {
            let path = inclusion::<Blake3>(tree, index).unwrap();
            for other in 0..size {
                let holds = includes::<Blake3>(leaf, other as u64, n, &path, &roots[size]);
                assert_eq!(holds, other == index, "leaf {index} at {other} of {size}");
            }
        }
        for old in 1..=size {
            let proof = consistency::<Blake3>(tree, old).unwrap();
            for other in 1..=size {
                let o = other as u64;
                let holds = extends::<Blake3>(o, n, &roots[other], &roots[size], &proof);
                assert_eq!(holds, other == old, "{old} of {size}, shown for {other}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_breaks_an_inclusion_proof(
        size in 1usize..200,
        at in any::<prop::sample::Index>(),
        broken in any::<prop::sample::Index>(),
        bit in 0usize..256,
    ) {
        let leaves = leaves::<Blake3>(size);
        let (index, root) = (at.index(size), root::<Blake3>(&leaves));
        let path = inclusion::<Blake3>(&leaves, index).unwrap();
        let check = |leaf: &Hash, path: &[Hash], root: &Hash| {
            includes::<Blake3>(leaf, index as u64, size as u64, path, root)
        };
        prop_assert!(check(&leaves[index], &path, &root));
        let flip = |hash: &mut Hash| hash[bit / 8] ^= 1 << (bit % 8);
        let (mut leaf, mut path, mut root) = (leaves[index], path, root);
        match broken.index(path.len() + 2) {
            0 => flip(&mut leaf),
            1 => flip(&mut root),
            step => flip(&mut path[step - 2]),
        }
        prop_assert!(!check(&leaf, &path, &root));
    }

    #[test]
    fn a_path_of_another_length_proves_nothing(size in 2usize..200, index in 0usize..200) {
        let index = index % size;
        let leaves = leaves::<Blake3>(size);
        let root = root::<Blake3>(&leaves);
        let path = inclusion::<Blake3>(&leaves, index).unwrap();
        let check = |path: &[Hash]| {
            includes::<Blake3>(&leaves[index], index as u64, size as u64, path, &root)
        };
        prop_assert!(!check(&path[1..]));
        prop_assert!(!check(&path[..path.len() - 1]));
        prop_assert!(!check(&[&path[..], &[root]].concat()));
    }

    #[test]
    fn a_changed_past_is_not_extended(old in 1usize..100, more in 0usize..100, at in 0usize..100) {
        let mut leaves = leaves::<Blake3>(old + more);
        let old_root = root::<Blake3>(&leaves[..old]);
        leaves[at % old][0] ^= 1;
        let new_root = root::<Blake3>(&leaves);
        let proof = consistency::<Blake3>(&leaves, old).unwrap();
        let (old, new) = (old as u64, leaves.len() as u64);
        prop_assert!(!extends::<Blake3>(old, new, &old_root, &new_root, &proof));
    }
}
