"""WAV and FLAC: int16 exactly, other depths rounded to it, a damaged file named as such."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from tinystream.errors import RecordingError
from tinystream.io.axes import chosen
from tinystream.io.content import Content
from tinystream.io.counts import counts
from tinystream.io.wanted import How, Wanted

FORMATS = {".wav": ("WAV", "WAVEX", "RF64"), ".flac": ("FLAC",)}
EXACT = ("PCM_16", "ULAW", "ALAW")  # every value is an int16 (mu-law and A-law are 14 and 13 bits)
FLOAT = ("FLOAT", "DOUBLE")
CHUNK = 1 << 16  # frames read at once, so that a damaged file still tells how far it is good
UNSAID = 0xFFFFFFFF  # data size written by programs that stream and do not know it yet


def read_sound(path: Path, wanted: Wanted, how: How) -> Content:
    """Samples and rate of a WAV or FLAC file; full scale is 2**15 counts, whatever the file's depth."""
    notes = _check_riff(path) if path.suffix.lower() == ".wav" else ()
    try:
        with soundfile.SoundFile(path) as file:
            _check_format(path, file)
            picked = chosen(path, [str(i) for i in range(file.channels)], wanted, how)
            x = _read(path, file)[:, picked.columns]
            rate_hz, subtype = Fraction(file.samplerate), file.subtype
    except soundfile.LibsndfileError as e:
        raise RecordingError(
            f"{path} cannot be read: {e.error_string.rstrip('.').lower()}", "play it with another program: the file may be damaged"
        ) from None
    if subtype in EXACT:
        return Content(x, rate_hz=rate_hz, notes=notes)
    y, saturated = _to_int16(path, x)
    return Content(y, rate_hz=rate_hz, saturated=saturated, notes=(*notes, f"{subtype.lower().replace('_', ' ')} rounded to 16 bits"))


def _check_format(path: Path, file: soundfile.SoundFile) -> None:
    if file.format not in FORMATS[path.suffix.lower()]:
        raise RecordingError(
            f"{path} holds {file.format}, its name says {path.suffix[1:].upper()}",
            f"ffmpeg -i {path.name} {path.stem}_16bit.wav, or give it the right extension",
        )


def _read(path: Path, file: soundfile.SoundFile) -> np.ndarray:
    """All frames as int16, int32 (left-justified) or float64; RecordingError tells how many are missing."""
    dtype = "int16" if file.subtype in EXACT else "float64" if file.subtype in FLOAT else "int32"
    promised = file.frames if file.frames < 2**48 else None  # FLAC of a stream does not know its length
    parts, got = [], 0
    while True:
        try:
            part = file.read(CHUNK, dtype=dtype, always_2d=True)
        except soundfile.LibsndfileError:
            part = np.empty((0, file.channels), dtype)
            if promised is None:
                raise
        parts.append(part)
        got += len(part)
        if len(part) < CHUNK:
            break
    if promised is not None and got < promised:
        raise RecordingError(
            f"{path} is damaged or cut short: {promised - got} of {promised} samples cannot be read", "copy or record it again"
        )
    return np.concatenate(parts)


def _to_int16(path: Path, x: np.ndarray) -> tuple[np.ndarray, int]:
    if x.dtype == np.int32:
        y = (x.astype(np.int64) + (1 << 15)) >> 16
        return np.minimum(y, 32767).astype(np.int16), int(np.count_nonzero(y > 32767))
    if not np.isfinite(x).all():
        at = int(np.argmin(np.isfinite(x).all(axis=1)))
        raise RecordingError(f"{path}: sample {at} is not a finite number", "record it again, or replace what is not a number")
    return counts(x, 2.0**-15)


class Riff(NamedTuple):
    data: int | None  # bytes that the header promises; None: it does not know
    there: int  # bytes that follow
    frame: int  # bytes of one sample of all channels


def _check_riff(path: Path) -> tuple[str, ...]:
    """RecordingError where the samples are fewer than the header says: the decoder would stay silent about it."""
    riff = _riff(path)
    if riff is None:
        return ()
    if riff.data is None:
        return ("its header does not know its length: read to the end of the file",)
    if riff.data > riff.there:
        missing = -(-(riff.data - riff.there) // riff.frame)
        raise RecordingError(f"{path} is cut short: {missing} of {riff.data // riff.frame} samples are missing", "copy or record it again")
    if riff.data == 0 and riff.there >= riff.frame:
        raise RecordingError(
            f"{path}: its header says 0 samples, yet {riff.there} bytes follow: the recorder was stopped before it wrote the length",
            f"sox --ignore-length {path.name} {path.stem}_mended.wav",
        )
    return ()


def _riff(path: Path) -> Riff | None:
    """What the chunks of a RIFF or RF64 file promise; None for a file of another kind, which the decoder names."""
    with path.open("rb") as file:
        size = path.stat().st_size
        magic = file.read(12)
        if magic[:4] not in (b"RIFF", b"RF64", b"RIFX"):
            return None
        order = ">" if magic[:4] == b"RIFX" else "<"
        frame, long_size = 0, None
        while len(head := file.read(8)) == 8:
            name, length = struct.unpack(order + "4sI", head)
            if name == b"data":
                break
            body = b""
            if length < 1 << 20:
                body = file.read(length + length % 2)
            else:
                file.seek(length + length % 2, 1)
            if name == b"fmt " and len(body) >= 16:
                frame = struct.unpack(order + "H", body[12:14])[0]
            if name == b"ds64" and len(body) >= 16:
                long_size = struct.unpack("<Q", body[8:16])[0]
        else:
            raise RecordingError(f"{path} is cut short: its header ends before any sample", "copy or record it again")
        if not frame:
            raise RecordingError(f"{path}: its WAV header does not describe its samples", "copy or record it again")
        if length == UNSAID:
            length = long_size
        return Riff(length, size - file.tell(), frame)
