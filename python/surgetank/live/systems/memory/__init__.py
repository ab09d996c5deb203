"""The reference system, whose truth is known."""
