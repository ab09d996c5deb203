"""What operators see of a served venue: health, metrics, a page, and events for its log."""

from surgetank.operations.readings import Health, Readings, VenueReading
from surgetank.operations.server import OperationsServer, serve_operations

__all__ = ["Health", "OperationsServer", "Readings", "VenueReading", "serve_operations"]
