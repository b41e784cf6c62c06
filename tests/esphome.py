"""ESPHome's detection of a wake word spelled anew, one feature slice at a time: an oracle for events."""

from __future__ import annotations

import numpy as np


class Firmware:
    """One slice at a time, as the firmware goes; counts slices itself and gives the slice of each event."""

    def __init__(self, rule: str, cutoff: float, window: int, stride: int):
        self.new, self.cutoff, self.window, self.stride = rule == "mww_2025", cutoff, window, stride
        self.forget()

    def forget(self):
        self.p, self.ignore_windows = [0] * self.window, -74

    def detected(self) -> bool:
        if self.ignore_windows < 0:
            return False
        if self.new:
            return sum(self.p) > int(self.cutoff * 255) * self.window
        return bool(np.float32(sum(self.p)) / np.float32(255 * self.window) > np.float32(self.cutoff))

    def listen(self, probabilities: list[int]) -> list[tuple[int, int]]:
        found = []
        for number in range(len(probabilities) * self.stride):
            if not self.new:
                self.ignore_windows = min(self.ignore_windows + 1, 0)
            if (number + 1) % self.stride == 0:
                self.p = [*self.p[1:], probabilities[number // self.stride]]
            if self.new and self.p[-1] < int(self.cutoff * 255):
                self.ignore_windows = min(self.ignore_windows + 1, 0)
            if self.detected():
                found.append((number // self.stride, sum(self.p)))      # told with the score that ends its stride
                self.forget()
        return found
