"""Finds a class that a scenario names by module and class, `rule = "my_rules:Lottery"`.

The module is found as `import` finds it, and lastly in the current directory. On the command line
this needs --allow-code, since a scenario may come from an untrusted source; a class that an
installed package declares (`installed.py`) does not.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from blake3 import blake3

from surgetank.errors import SurgetankError
from surgetank.plugins.installed import is_installed

__all__ = ["allow_code", "code_refused", "digest", "import_of_user", "is_plugin", "load_plugin"]


_LOG: Final = logging.getLogger(__name__)


def is_plugin(name: str) -> bool:
    """Whether a name is that of a class in a module, `module:Class`."""
    module, _, cls = name.partition(":")
    return bool(cls) and cls.isidentifier() and all(p.isidentifier() for p in module.split("."))


#: The library allows code, since its caller has chosen the scenario; the command line requires
#: --allow-code.
_ALLOWED: ContextVar[bool] = ContextVar("allowed", default=True)


@contextmanager
def code_refused() -> Iterator[None]:
    """Refuses code of scenarios until `allow_code` is called."""
    token = _ALLOWED.set(False)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def allow_code() -> None:
    """Allows scenarios to run their own code."""
    _ALLOWED.set(True)


def import_of_user(module: str) -> ModuleType:
    """Imports a user's module as `import` does, with the current directory last on the path, so
    that no file there replaces an installed library."""
    here = str(Path.cwd())
    known = here in sys.path
    if not known:
        sys.path.append(here)
    try:
        return importlib.import_module(module)
    finally:
        if not known:
            sys.path.remove(here)


def load_plugin(name: str, kind: type) -> Callable[[], Any]:
    """The class of this name.

    Raises:
        SurgetankError: if there is none, it is not a subclass of `kind`, or code is refused.
    """
    module_name, _, class_name = name.partition(":")
    # What a user has installed for surgetank is trusted; what a scenario names otherwise is not.
    known = module_name.startswith("surgetank.") or is_installed(name)
    if not known and not _ALLOWED.get():
        raise SurgetankError(
            f"this scenario runs code from `{module_name}`",
            place=name,
            hint="Add --allow-code if you trust who wrote it",
        )
    try:
        load = importlib.import_module if known else import_of_user
        module = load(module_name)
    except ImportError as error:
        hint = f"Put {module_name}.py into the current directory, or install it"
        raise SurgetankError(f"no module of this name ({error})", place=name, hint=hint) from None
    except Exception as error:
        what = f"importing {module_name} raised {type(error).__name__}: {error}"
        raise SurgetankError(what, place=name, hint="Correct it and run again") from error
    _LOG.info("imported %s from %s", name, getattr(module, "__file__", None))
    found = getattr(module, class_name, None)
    if not (inspect.isclass(found) and issubclass(found, kind)):
        subclasses = [
            n for n, v in vars(module).items() if inspect.isclass(v) and issubclass(v, kind)
        ]
        own = ", ".join(n for n in subclasses if n != kind.__name__) or "none"
        raise SurgetankError(
            f"no {kind.__name__} of this name", place=name, hint=f"The module has: {own}"
        )
    return found


def digest(name: str, kind: type) -> str:
    """BLAKE3 (hex) of the file that defines the class and of the files that it reads: a part of a
    run's name."""
    found: Any = load_plugin(name, kind)
    source = inspect.getsourcefile(found)
    if not source:
        return name
    parts = [Path(source), *getattr(found, "files", ())]
    return blake3(b"".join(path.read_bytes() for path in parts)).hexdigest()
