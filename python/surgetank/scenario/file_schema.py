"""The JSON schema of a scenario file, and the line by which editors find it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from surgetank.output_folder import write_json
from surgetank.scenario import presets
from surgetank.scenario.whole import Scenario

__all__ = ["SCHEMA_FILE", "SCHEMA_LINE", "file_schema", "write_schema"]

#: Name of the schema's file, beside the scenarios that refer to it.
SCHEMA_FILE: Final = "scenario.schema.json"
#: First line of a scenario file. Taplo, and editors that use it, check the file by this schema.
SCHEMA_LINE: Final = f"#:schema ./{SCHEMA_FILE}\n"


def file_schema() -> dict[str, Any]:
    """The schema of the models, with the keys that name presets: a file may have these, a scenario
    has the presets' values."""
    schema = Scenario.model_json_schema(by_alias=True)
    tables = {"venue": schema["properties"], "network.preset": _properties(schema, "Network")}
    for key, table in tables.items():
        names = list(presets.names_of(key))
        text = "values that the other keys of this file override"
        table[key.rpartition(".")[2]] = {"enum": names, "type": "string", "description": text}
    return schema


def _properties(schema: dict[str, Any], model: str) -> dict[str, Any]:
    found: dict[str, Any] = schema["$defs"][model]["properties"]
    return found


def write_schema(folder: Path) -> Path | None:
    """Writes the schema into a folder that has no file of its name.

    Returns:
        The file written; None if there is one already.

    Raises:
        SurgetankError: it cannot be written.
    """
    path = folder / SCHEMA_FILE
    if path.exists():
        return None
    write_json(path, file_schema())
    return path
