"""The reference system, a queue whose parameters are known."""
