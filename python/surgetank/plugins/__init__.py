"""User extensions of a run: a queue rule or a controller written in Python (docs/plugins.md).

`interface` has the classes to derive from, `loading` finds those that a scenario names, `policy` is
a controller of this kind that comes with surgetank.
"""

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
    "is_plugin",
    "load_plugin",
]
