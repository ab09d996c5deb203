"""A venue of `surgetank serve`: `--target venue:`."""

__all__ = ["is_venue"]


def is_venue(url: str) -> bool:
    """Whether a target is such a venue."""
    return url.partition(":")[0] == "venue"
