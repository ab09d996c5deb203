"""User extensions of a run: a queue rule or a controller written in Python (docs/plugins.md).

`interface` has the base classes, `loading` finds the classes that a scenario names, and `policy` is
a controller of this kind that comes with surgetank.
"""

from surgetank.plugins.installed import CONTROLLERS, QUEUE_RULES, TARGETS, installed
from surgetank.plugins.interface import (
    Controller,
    Observation,
    QueueRule,
    Setting,
    Ticket,
    Wishes,
)
from surgetank.plugins.loading import (
    allow_code,
    code_refused,
    digest,
    import_of_user,
    is_plugin,
    load_plugin,
)

__all__ = [
    "CONTROLLERS",
    "QUEUE_RULES",
    "TARGETS",
    "Controller",
    "Observation",
    "QueueRule",
    "Setting",
    "Ticket",
    "Wishes",
    "allow_code",
    "code_refused",
    "digest",
    "import_of_user",
    "installed",
    "is_plugin",
    "load_plugin",
]
