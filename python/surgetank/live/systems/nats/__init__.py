"""NATS core, without storage."""
