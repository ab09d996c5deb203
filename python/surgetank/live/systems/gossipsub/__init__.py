"""The gossipsub of py-libp2p: a mesh of nodes."""
