//! Circles in a graph.

use std::collections::{BTreeMap, BTreeSet};

/// The groups of nodes that are each reached from each other, of more than one node.
pub fn circles<N: Ord + Clone>(edges: &BTreeMap<N, BTreeSet<N>>) -> Vec<BTreeSet<N>> {
    let reached: BTreeMap<&N, BTreeSet<&N>> =
        edges.keys().map(|node| (node, reached_from(node, edges))).collect();
    let mut circles = BTreeSet::new();
    for (node, from) in &reached {
        let circle: BTreeSet<N> = from
            .iter()
            .filter(|other| reached.get(*other).is_some_and(|back| back.contains(node)))
            .map(|other| (*other).clone())
            .collect();
        if circle.len() > 1 {
            circles.insert(circle);
        }
    }
    circles.into_iter().collect()
}

fn reached_from<'a, N: Ord>(node: &'a N, edges: &'a BTreeMap<N, BTreeSet<N>>) -> BTreeSet<&'a N> {
    let (mut reached, mut ahead) = (BTreeSet::new(), vec![node]);
    while let Some(node) = ahead.pop() {
        for next in edges.get(node).into_iter().flatten() {
            if reached.insert(next) {
                ahead.push(next);
            }
        }
    }
    reached
}

#[test]
fn a_circle_is_found_and_a_line_is_none() {
    let edges = |pairs: &[(u8, u8)]| {
        let mut edges = BTreeMap::<u8, BTreeSet<u8>>::new();
        for (from, to) in pairs {
            edges.entry(*from).or_default().insert(*to);
            edges.entry(*to).or_default();
        }
        edges
    };
    assert!(circles(&edges(&[(1, 2), (2, 3), (1, 3)])).is_empty());
    let found = circles(&edges(&[(1, 2), (2, 3), (3, 2), (4, 5), (5, 4)]));
    assert_eq!(found, [BTreeSet::from([2, 3]), BTreeSet::from([4, 5])]);
}
