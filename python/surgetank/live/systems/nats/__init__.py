"""NATS core."""
