"""Recordings as other programs write them, small and of known content, for the tests of what reads them."""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np

from tinystream.io.wanted import Wanted

G = 9.80665
IMU = Wanted(Fraction(100), ("g",) * 3, (4 / 32768,) * 3, ("x", "y", "z"))
MICROPHONE = Wanted(Fraction(16000), ("FS",), (2.0**-15,))
CAMERA = Wanted(Fraction(1), ("",), (1.0,), dtype="uint8", frame=(6, 8))
ZEROS = "0" * 64


def resting(n: int = 200) -> np.ndarray:
    """A sensor that lies on a table, in g: noise, and gravity on z."""
    return np.round(np.random.default_rng(3).normal((0, 0, 1), 0.02, (n, 3)), 4)


def counts(real: np.ndarray, scale: float = 4 / 32768) -> list:
    return np.floor(real / scale + 0.5).astype(int).tolist()


def acquisition(
    values: list, /, interval_ms: float = 10, units: str = "g", names: str = "accX accY accZ", alg: str = "none", **payload
) -> dict:
    sensors = [{"name": name, "units": units} for name in names.split()]
    told = dict(device_name="ac:87:a3", device_type="X", interval_ms=interval_ms, sensors=sensors, values=values) | payload
    return {"protected": {"ver": "v1", "alg": alg, "iat": 1700000000}, "signature": ZEROS, "payload": told}


def signed(data: bytes, key: str) -> bytes:
    return data.replace(ZEROS.encode(), hmac.new(key.encode(), data, hashlib.sha256).hexdigest().encode(), 1)


def write_json(path: Path, what: object) -> Path:
    path.write_text(json.dumps(what), encoding="utf-8")
    return path


AXES = "".join(f"\n  - {{value: {axis}, type: int16_t, scale: 0.0001220703125, unit: G}}" for axis in "xyz")
"""Of an SDS description: counts of 4 g / 32768."""


def write_sds(path: Path, records: list[tuple[int, bytes]], content: str = AXES, told: str = "sample-frequency: 100") -> Path:
    """path: such as folder / "arm.idle.sds"; the description lies beside it."""
    path.write_bytes(b"".join(struct.pack("<II", tick, len(body)) + body for tick, body in records))
    name = path.name.split(".")[0]
    (path.parent / f"{name}.sds.yml").write_text(f"sds:\n  name: {name}\n  {told}\n  content:{content}\n", encoding="utf-8")
    return path


def records(x: np.ndarray, block: int, ms: float = 10.0, begin: int = 7985) -> list[tuple[int, bytes]]:
    """Blocks of samples, each with the millisecond of its begin."""
    return [(round(begin + i * ms), x[i : i + block].tobytes()) for i in range(0, len(x), block)]
