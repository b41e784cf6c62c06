"""The parameters that Silicon Labs' MLTK puts into a .tflite: a dictionary, a flatbuffer of its own in the metadata SL_PARAMSv1.

    Dictionary { schema_version: ubyte; entries: [Entry] }      Entry { key: string; value: Value }
    Value = bool, i8, u8, i16, u16, i32, u32, i64, u64, f32, f64, string, [string], [i32], [f32], bytes; a union of tables, each
    of one field

Source: SiliconLabs/mltk, mltk/core/tflite_model_parameters/schema/dictionary.fbs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinystream.errors import ModelError
from tinystream.plan.flatbuffer import Table

NAME = "SL_PARAMSv1"
SCHEMA_VERSION = 1
METADATA, BUFFERS = 6, 4        # slots of a .tflite's Model
WHOLE = "?bBhHiIqQ"             # struct's letters of the types 1 to 9, but for the first
REALS = {10: "f", 11: "d"}


def parameters(data: bytes) -> dict[str, Any] | None:
    """The dictionary of a .tflite; None where it holds none.  ModelError where it is damaged or of a later schema."""
    root = Table.root(data)
    buffer = next((entry.integer(1, 0, "I") for entry in root.tables(METADATA) if entry.string(0) == NAME), None)
    if buffer is None:
        return None
    found = next((b.vector(0, np.uint8).tobytes() for i, b in enumerate(root.tables(BUFFERS)) if i == buffer), b"")
    dictionary = Table.root(found)
    version = dictionary.integer(0, 0, "B")
    if version != SCHEMA_VERSION:
        raise ModelError(f"the MLTK parameters have schema version {version}, and {SCHEMA_VERSION} is known", "export the model again")
    return {entry.string(0): value(entry) for entry in dictionary.tables(1)}


def value(entry: Table) -> Any:
    """A value as Python has it."""
    kind, held = entry.integer(1, 0, "B"), entry.table(2)
    if held is None:
        raise ModelError(f"the MLTK parameter '{entry.string(0)}' has no value", "export the model again")
    if kind == 1:
        return bool(held.integer(0, 0, "B"))
    if 2 <= kind <= 9:
        return held.integer(0, 0, WHOLE[kind - 1])
    match kind:
        case 10 | 11:
            return held.real(0, 0.0, REALS[kind])
        case 12:
            return held.string(0)
        case 13:
            return held.strings(0)
        case 14:
            return held.vector(0, np.int32).tolist()
        case 15:
            return held.vector(0, np.float32).tolist()
        case 16:
            return held.vector(0, np.uint8).tobytes()
    raise ModelError(f"the MLTK parameter '{entry.string(0)}' is of the unknown type {kind}", "export the model again")
