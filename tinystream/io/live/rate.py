"""How fast samples really come."""

from __future__ import annotations

from collections import deque

AT_LEAST_S = 5.0
"""Regression over less would take a late read for another rate."""
WINDOW_S = 60.0
SETTLED_S = 1.0  # what had been waiting somewhere when the line was opened comes at once, and is no rate
MANY = 10  # samples, and moments at which some came
SPREAD_S = WINDOW_S / 400  # between two moments that are kept, so that memory does not depend on the rate


class RateMeter:
    """Samples a second: the slope of the counts over the moments at which they were seen, by least squares over the last minute.

    Single arrivals are late by a buffer or a busy machine, by turns; a slope over 5 s hardly feels it.
    """

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Samples were missing, or the line was opened again: counts before say nothing of those behind."""
        self._opened: float | None = None
        self._seen: deque[tuple[float, int]] = deque()
        self.count = 0

    def seen(self, samples: int, now: float) -> None:
        """So many more have come by now."""
        self.count += samples
        self._opened = now if self._opened is None else self._opened
        if now - self._opened < SETTLED_S or (self._seen and now - self._seen[-1][0] < SPREAD_S):
            return
        self._seen.append((now, self.count))
        while len(self._seen) > MANY and self._seen[0][0] < now - WINDOW_S:
            self._seen.popleft()

    @property
    def seconds(self) -> float:
        """That the regression spans."""
        return self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0

    @property
    def rate_hz(self) -> float | None:
        """None while it is too early to tell."""
        if len(self._seen) < MANY or self.seconds < AT_LEAST_S or self._seen[-1][1] - self._seen[0][1] < MANY - 1:
            return None
        n = len(self._seen)
        mean_t, mean_c = sum(t for t, _ in self._seen) / n, sum(c for _, c in self._seen) / n
        above = sum((t - mean_t) * (c - mean_c) for t, c in self._seen)
        return above / sum((t - mean_t) ** 2 for t, _ in self._seen)
