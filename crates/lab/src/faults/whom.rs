//! Whom a fault concerns.

use std::fmt;

use surgetank_layer::units::NodeId;

/// Whom a fault concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// These nodes; all if none is named.
    Nodes(Vec<NodeId>),
    /// What passes from one of these groups to another; nodes in none are one more.
    Groups(Vec<Vec<NodeId>>),
}

impl Whom {
    /// Nodes that it names.
    pub fn named(&self) -> &[NodeId] {
        if let Whom::Nodes(nodes) = self { nodes } else { &[] }
    }

    /// Whether it concerns a node as such.
    pub fn names(&self, node: NodeId) -> bool {
        matches!(self, Whom::Nodes(nodes) if nodes.is_empty() || nodes.contains(&node))
    }

    /// Whether it comes between two nodes.
    pub fn separates(&self, a: NodeId, b: NodeId) -> bool {
        let Whom::Groups(groups) = self else { return false };
        let group = |node| groups.iter().position(|group| group.contains(&node));
        group(a) != group(b)
    }
}

/// As in the trace: `0,2`, and groups as `0,1|2`.
impl fmt::Display for Whom {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join =
            |nodes: &[NodeId]| nodes.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
        match self {
            Whom::Nodes(nodes) => to.write_str(&join(nodes)),
            Whom::Groups(groups) => {
                let groups: Vec<_> = groups.iter().map(|group| join(group)).collect();
                to.write_str(&groups.join("|"))
            }
        }
    }
}
