"""Blocks of samples for a node, as frames on its serial line: a recording takes the sensor's place.

The twin of firmware_templates/firmware/ts_feed.h, which says what a frame is.
"""

from __future__ import annotations

from binascii import crc_hqx

import numpy as np
from cobs import cobs


def feed(blocks: np.ndarray) -> bytes:
    """All blocks [n, *shape], numbered from 0, and the frame that ends them."""
    return b"".join(frame(number, block.tobytes()) for number, block in enumerate(blocks)) + frame(len(blocks), b"")


def frame(number: int, samples: bytes) -> bytes:
    body = (number & 0xFFFF).to_bytes(2, "little") + samples
    return bytes(cobs.encode(body + crc_hqx(body, 0xFFFF).to_bytes(2, "big"))) + b"\0"
