"""Live runs: the same scenario against something that runs."""
