"""The tree of our exceptions, with how a mistake is shown.

    TinystreamError         anything a person can mend; the command line prints it without a traceback, exit code 1
    ├── AppError            one mistake in an app definition, at the key where it was written
    ├── AppErrors           every mistake of one definition, shown together
    ├── ModelError          a .tflite file that cannot be read or compiled
    ├── RecordingError      a recording that cannot be replayed as it is
    ├── SinkError           alerts that could not be delivered
    ├── LearntError         what was learnt by another app, or was damaged since
    ├── BuildError          a C compiler or an emulator that is missing or failed
    ├── FirmwareError       generated code that stopped or hung on an emulated core
    └── DifferenceError     two engines, or an engine and a certificate, that do not agree; exit code 3

A mistake of ours is an `assert` with a sentence, never one of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class TinystreamError(Exception):
    """What is wrong, and one line on what to do instead."""

    exit_code = 1

    def __init__(self, what: str, help: str = ""):
        super().__init__(what)
        self.what = what
        self.help = help

    def __reduce__(self) -> tuple[object, ...]:
        return remade, (type(self), self.args, self.__dict__)  # not by __init__, whose arguments differ from class to class

    def __str__(self) -> str:
        return f"error: {self.what}" + (f"\n   = help: {self.help}" if self.help else "")


def remade(cls: type[TinystreamError], args: tuple[object, ...], members: dict[str, object]) -> TinystreamError:
    """An exception as it was, on the other side of a process."""
    error = cls.__new__(cls, *args)
    error.__dict__.update(members)
    return error


@contextmanager
def writing(path: Path, help: str) -> Iterator[None]:
    """What is written inside goes to `path`: where the system refuses, the error says so in our words."""
    try:
        yield
    except OSError as e:
        reason = "there is a file in the way" if isinstance(e, FileExistsError | NotADirectoryError) else (e.strerror or str(e)).lower()
        raise TinystreamError(f"{path} cannot be written: {reason}", help) from None


class AppError(TinystreamError):
    """One mistake in an app definition.

    path: the keys that lead to it, such as ("stage", 2, "bands"); the value's own line is shown where the
        definition came from a file.  A stage names only its own option, ("bands",): the app puts the rest in front.
    """

    def __init__(self, path: tuple[str | int, ...], what: str, help: str = ""):
        super().__init__(what, help)
        self.path = path

    def inside(self, *outer: str | int) -> AppError:
        """The same mistake, seen from outside: `outer` is put in front of its path."""
        return AppError((*outer, *self.path), self.what, self.help)


class AppErrors(TinystreamError):
    """Every mistake that was found in one definition, already rendered with file, line and column."""

    def __init__(self, errors: list[AppError], rendered: str):
        super().__init__(errors[0].what, errors[0].help)
        self.errors = errors
        self.rendered = rendered

    def __str__(self) -> str:
        return self.rendered


class ModelError(TinystreamError):
    """A .tflite file that cannot be read, or holds what no integer kernel here computes."""


class RecordingError(TinystreamError):
    """A recording that is missing, damaged, or does not fit the app's source."""


class SinkError(TinystreamError):
    """Alerts that could not be delivered; they are named in the message and nothing is dropped silently.

    delivered:   how many alerts the sink has acknowledged.
    undelivered: the events that it has not, in the order in which they were sent; some may have arrived all the same.
    """

    def __init__(self, what: str, help: str = "", delivered: int = 0, undelivered: tuple[dict, ...] = ()):
        super().__init__(what, help)
        self.delivered = delivered
        self.undelivered = undelivered


class LearntError(TinystreamError):
    """What was learnt by another app, or was damaged since: it cannot be restored."""


class BuildError(TinystreamError):
    """No C compiler or emulator, or a compiler that refused the generated code."""


class FirmwareError(TinystreamError):
    """Generated code that stopped where it should not, or did not end, on an emulated core."""

    def __init__(self, what: str):
        super().__init__(what, "a stage of your own that writes outside its buffers, or a bug of ours")


class DifferenceError(TinystreamError):
    """Engines that do not give the same bits, or no longer those of a certificate; `facts` are the same for a program."""

    exit_code = 3

    def __init__(self, what: str, help: str = "", facts: dict[str, object] | None = None):
        super().__init__(what, help)
        self.facts = facts or {}
