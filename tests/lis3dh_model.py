"""The accelerometer LIS3DH behind a SPI, for models of chips."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


class Lis3dh:
    """The accelerometer, from ST DocID17530 Rev 2: registers, and a FIFO that gives rows of x, y, z, left-justified."""

    interrupt_pin, select_pin = 32 + 3, 32 + 12

    def __init__(self, rows: np.ndarray):
        self.rows: Iterator[np.ndarray] = iter(rows)
        self.registers = dict.fromkeys((0x20, 0x22, 0x23, 0x24, 0x2E), 0) | {0x20: 0x07}
        self.fifo: list[np.ndarray] = []
        self.overruns = 0
        self.left = True

    @property
    def on(self) -> bool:
        return self.registers[0x20] >> 4 != 0

    @property
    def rate_hz(self) -> float:
        return {2: 10, 3: 25, 4: 50, 5: 100, 6: 200, 7: 400, 9: 1344}[self.registers[0x20] >> 4]

    def sample(self) -> None:
        row = next(self.rows, None)
        self.left = row is not None
        if row is None or self.registers[0x2E] >> 6 != 2 or not self.registers[0x24] & 0x40:
            return
        self.fifo.append(row)
        if len(self.fifo) > 32:
            del self.fifo[0]
            self.overruns += 1

    def interrupt(self) -> bool:
        return bool(self.registers[0x22] & 0x04) and len(self.fifo) >= (self.registers[0x2E] & 31)

    def transfer(self, told: bytes) -> bytes:
        address = told[0] & 0x3F
        if not told[0] & 0x80:
            assert address in self.registers and len(told) == 2, f"register {address:#x} was written"
            self.registers[address] = told[1]
            if address == 0x2E and told[1] >> 6 == 0:
                self.fifo.clear()
            return bytes(2)
        assert told[0] & 0x40 and address == 0x28 and len(told) % 6 == 1, "a burst of whole rows"
        rows = [self.fifo.pop(0) for _ in range(len(told) // 6)]  # IndexError: more than there are
        return b"\xff" + np.array(rows, "<i2").tobytes()
