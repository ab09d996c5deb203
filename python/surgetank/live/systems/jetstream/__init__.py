"""NATS JetStream, its stored streams."""
