"""A venue of `surgetank serve`: `--target venue:`."""
