"""Parquet: columns by name, time stamps where there are some; pyarrow reads it, which is installed on demand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.columns import content_of
from tinystream.io.content import Content
from tinystream.io.wanted import How, Wanted
from tinystream.io.words import first_line

AGAIN = "table.to_parquet(path), one column a channel"


def read_parquet(path: Path, wanted: Wanted, how: How) -> Content:
    """Columns as content_of() takes them; a field's metadata `unit` is its unit."""
    try:
        import pyarrow
        from pyarrow.parquet import read_table
    except ImportError:
        raise RecordingError(f"{path}: reading Parquet needs pyarrow", "pip install 'tinystream[parquet]', or save it as CSV") from None
    try:
        table = read_table(path.open("rb"))
        fields = [field for field in table.schema if _is_read(pyarrow, field.type)]
        columns = {field.name: np.asarray(table.column(field.name).to_numpy()) for field in fields}
        units = {field.name: (field.metadata or {}).get(b"unit", b"").decode(errors="replace") for field in fields}
        names = table.schema.names
    except (pyarrow.ArrowException, OSError, ValueError, TypeError, LookupError, MemoryError) as e:
        if isinstance(e, OSError) and e.errno:
            raise
        raise RecordingError(f"{path} cannot be read: {first_line(e)}", AGAIN) from None
    if not columns:
        raise RecordingError(f"{path} has no column of numbers, but {', '.join(names) or 'nothing'}", AGAIN)
    return content_of(path, columns, wanted, how, units)


def _is_read(pyarrow, type) -> bool:
    return pyarrow.types.is_integer(type) or pyarrow.types.is_floating(type) or pyarrow.types.is_timestamp(type)
