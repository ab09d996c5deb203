"""A venue of one's own: its configuration, its keys, and its process."""

from surgetank.venue.config import VenueConfig, read_config
from surgetank.venue.keys import VenueKey, read_keys
from surgetank.venue.serving import ServedVenue, serve

__all__ = ["ServedVenue", "VenueConfig", "VenueKey", "read_config", "read_keys", "serve"]
