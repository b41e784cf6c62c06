"""Spread work over processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from tinystream.errors import TinystreamError

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(what: str, work: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Result]:
    """work(item) of each, in their order; in this process where there is nothing to spread.  what: who asks, for the error."""
    if jobs == 1 or len(items) == 1:
        yield from map(work, items)
        return
    try:
        # spawned, not forked: a sink's threads may run by now
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            yield from pool.map(work, items, chunksize=max(1, len(items) // (8 * jobs)))
    except BrokenProcessPool:
        raise TinystreamError(f"the system ended a process of the {what}, perhaps for want of memory", "--jobs 1") from None
