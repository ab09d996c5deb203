//! The nodes that a fault affects.

use std::fmt;

use surgetank_layer::units::NodeId;

/// The nodes that a fault affects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    /// These nodes; all nodes if the list is empty.
    Nodes(Vec<NodeId>),
    /// Packets between these groups; nodes in none of them form one more group.
    Groups(Vec<Vec<NodeId>>),
}

impl Whom {
    /// Nodes that the scenario lists.
    pub fn named(&self) -> &[NodeId] {
        if let Whom::Nodes(nodes) = self { nodes } else { &[] }
    }

    /// Whether it affects this node itself.
    pub fn names(&self, node: NodeId) -> bool {
        matches!(self, Whom::Nodes(nodes) if nodes.is_empty() || nodes.contains(&node))
    }

    /// Whether it separates two nodes.
    pub fn separates(&self, a: NodeId, b: NodeId) -> bool {
        let Whom::Groups(groups) = self else { return false };
        let group = |node| groups.iter().position(|group| group.contains(&node));
        group(a) != group(b)
    }
}

/// The form used in the trace: `0,2`, and for groups `0,1|2`.
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
