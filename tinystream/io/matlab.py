"""MATLAB's .mat up to version 7: variables of one length are channels, `fs` or `rate_hz` is the rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from tinystream.errors import RecordingError
from tinystream.io.columns import content_of
from tinystream.io.content import Content
from tinystream.io.mat_file import MatFileError, read_arrays
from tinystream.io.wanted import How, Wanted
from tinystream.io.words import first_line

RATES = ("rate_hz", "fs", "sample_rate", "samplerate", "sampling_rate", "sampling_frequency", "sr", "fsamp")
SAVE = "save('name.mat', 'samples', 'fs', '-v7')"
WIDEST = 64  # columns of one variable: more are rows


def read_matlab(path: Path, wanted: Wanted, how: How) -> Content:
    """The longest variables: each column of each is a channel, named by its variable."""
    variables = _variables(path)
    rates = [name for name in variables if name.lower() in RATES and variables[name].size == 1]
    arrays = {name: _upright(x) for name, x in variables.items() if name not in rates and x.size > 1}
    if not arrays:
        raise RecordingError(f"{path} holds no array of numbers, but {', '.join(variables) or 'nothing'}", SAVE)
    longest = max(len(x) for x in arrays.values())
    columns = {}
    for name, x in arrays.items():
        if len(x) == longest:
            columns.update({name if x.shape[1] == 1 else f"{name}_{i}": x[:, i] for i in range(x.shape[1])})
    content = content_of(path, columns, wanted, how, rate_hz=_rate(path, rates[0], variables[rates[0]]) if rates else None)
    shorter = [name for name in arrays if len(arrays[name]) < longest]
    notes = (f"shorter variables are left out: {', '.join(shorter)}",) if shorter else ()
    return Content(content.values, content.units, content.rate_hz, content.measured, content.stamps, notes=(*content.notes, *notes))


def _variables(path: Path) -> dict[str, np.ndarray]:
    data = path.read_bytes()
    if data.startswith(b"MATLAB 7.3") or b"\x89HDF\r\n\x1a\n" in data[:1024]:
        raise RecordingError(f"{path} is of MATLAB's version 7.3, which is not read", SAVE)
    try:
        return read_arrays(data)
    except MatFileError as e:
        raise RecordingError(f"{path} cannot be read: {first_line(e)}", SAVE) from None


def _upright(x: np.ndarray) -> np.ndarray:
    """[n, channels], whichever way it lies."""
    x = np.atleast_2d(x)
    return x.T if x.shape[0] < x.shape[1] and x.shape[0] <= WIDEST else x


def _rate(path: Path, name: str, x: np.ndarray) -> Fraction:
    rate = float(x.reshape(-1)[0])
    if not 0 < rate < 1e9:
        raise RecordingError(f"{path}: {name} = {rate:g} is no rate in Hz", SAVE)
    return Fraction(rate).limit_denominator(10**6 if rate < 1 else 1000)
