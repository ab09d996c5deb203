"""Position books: a user's own accounts and positions, with which a simulated market opens."""

from surgetank.positions.position_book import PositionBook
from surgetank.positions.reading import read_positions

__all__ = ["PositionBook", "read_positions"]
