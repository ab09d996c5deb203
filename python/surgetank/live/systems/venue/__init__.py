"""A venue of `surgetank serve` that carries messages as orders."""
