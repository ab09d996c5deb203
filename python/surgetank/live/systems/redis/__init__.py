"""Redis Streams, one stream per run."""
