"""libp2p's gossipsub."""
