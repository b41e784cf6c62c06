"""The word of a person for where samples come from, such as `serial:/dev/ttyACM0@115200`, as a live source of an app."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import Any

from tinystream.errors import RecordingError
from tinystream.io.live import Joined, Live, Microphone, Paced, Pipe, SerialPort, Tcp, TcpListener, Udp
from tinystream.io.live.decoder import Decoder, Raw
from tinystream.io.live.detected import Detected
from tinystream.io.live.frames import Frames
from tinystream.io.live.lines import Lines
from tinystream.io.live.network import LOOPBACK
from tinystream.io.live.sensiml import SensiML
from tinystream.io.live.serial_port import BAUD
from tinystream.io.live.stream import Taking
from tinystream.io.wanted import Wanted, wanted_of
from tinystream.plan.plan import Plan
from tinystream.run.replay import Reading

FORMS = "mic, mic:NAME, serial:PORT@BAUD, tcp:HOST:PORT, tcp-listen:PORT, udp:PORT, - or a file"
LONGEST_PORT = 65535


class Form(StrEnum):
    """How samples are written on a line.  auto: told by what a serial port sends first; raw anywhere else."""

    auto = "auto"
    raw = "raw"
    lines = "lines"
    frames = "frames"
    sensiml = "sensiml"


@dataclass(frozen=True)
class Input:
    """Where samples come from, and how they are taken.

    texts:    for each source one of FORMS, as texts_of() gives them.
    device:   number or part of the name of a microphone, beside `mic:NAME`.
    reading:  how values become counts; `resample` is for files alone.
    any_rate: a device whose measured rate is another one is told, not refused.
    once:     a connection that has ended is not opened again.
    tell:     words for people.
    """

    texts: tuple[str, ...]
    device: str | None = None
    form: Form = Form.auto
    reading: Reading = Reading()  # noqa: RUF009 - it is frozen
    any_rate: bool = False
    once: bool = False
    tell: Callable[[str], Any] = lambda _: None

    @property
    def text(self) -> str:
        """Of one source."""
        (text,) = self.texts
        return text


def texts_of(plan: Plan, words: Sequence[str]) -> tuple[str, ...]:
    """What follows each --input, for the sources in their order: of one source its text, a microphone where nothing is said; of several
    NAME=TEXT, once for each.  RecordingError where that is not so."""
    if not plan.names:
        if len(words) > 1:
            raise RecordingError(f"{plan.name} reads one source, and --input is given {len(words)} times", f"--input {words[0]}")
        return tuple(words) or ("mic",)
    found: dict[str, str] = {}
    wanted = " ".join(f"--input {name}=…" for name in plan.names)
    for word in words:
        name, equals, text = word.partition("=")
        if name not in plan.names or not equals:
            what = f"'{name}' is none of them" if equals and name.isidentifier() else "no name of one stands before it"
            raise RecordingError(f"--input {word}: {plan.name} reads {len(plan.names)} sources, and {what}", wanted)
        if name in found:
            raise RecordingError(f"--input names the source '{name}' twice", wanted)
        found[name] = text
    if missing := [name for name in plan.names if name not in found]:
        what = f"{plan.name} reads {len(plan.names)} sources, and no --input is of {' and '.join(map(repr, missing))}"
        raise RecordingError(what, " ".join(f"--input {name}=…" for name in missing))
    if list(found.values()).count("-") > 1:
        raise RecordingError("standard input is of one source", f"--input {FORMS}")
    return tuple(found[name] for name in plan.names)


def told_of(plan: Plan, texts: Sequence[str]) -> str:
    """For people and files: where samples came from.

    >>> told_of(Plan("two", (), (), names=("mic", "motion")), ("mic", "serial:/dev/ttyACM0"))
    'mic=mic, motion=serial:/dev/ttyACM0'
    """
    return ", ".join(f"{name}={text}" for name, text in zip(plan.names, texts, strict=True)) if plan.names else texts[0]


def open_input(plan: Plan, given: Input) -> Live:
    """The source, or several as one, which opens its device when it is iterated.  RecordingError where it is none, or not for this app."""
    assert len(given.texts) == len(plan.x), "one for each source"
    if not plan.names:
        return open_one(plan, given)
    found = []
    for i, (name, text) in enumerate(zip(plan.names, given.texts)):
        try:
            found.append(open_one(plan.of_source(i), replace(given, texts=(text,), tell=named(name, given.tell))))
        except RecordingError as error:
            raise RecordingError(f"{name}: {error.what}", error.help) from None
        if isinstance(pipe := found[-1], Pipe):
            pipe.stream = FileIO(0, closefd=False)  # without a lock that its thread may hold at the end
    return Joined(plan.names, plan.x, found, given.tell)


def named(name: str, tell: Callable[[str], Any]) -> Callable[[str], Any]:
    """What one of several sources says.

    >>> named("motion", print)("warning: it is gone")
    warning: motion: it is gone
    """

    def say(words: str) -> None:
        level, colon, rest = words.partition(": ")
        tell(f"{level}: {name}: {rest}" if colon and level in ("warning", "note") else f"{name}: {words}")

    return say


def open_one(plan: Plan, given: Input) -> Live:
    x, text = plan.x[0], given.text
    assert x.sample_hz is not None, "a source has a sample rate"
    kind, _, rest = text.partition(":")
    if kind == "mic":
        return microphone(plan, rest or given.device, given)
    if text == "-" and given.form in (Form.auto, Form.raw):
        return Pipe(sys.stdin.buffer, x.shape[0], x.channels, x.shape, x.dtype)
    if kind not in OPENED or not rest:
        if text == "-":
            what = f"standard input holds raw samples, and no {given.form.value}"
            raise RecordingError(what, "socat - TCP:… and --input tcp-listen:PORT, or record a file")
        if kind in OPENED:
            raise RecordingError(f"--input {text} is incomplete", FORMS)
        return Paced(given.reading.read(plan, Path(text)).alone, x.sample_hz, x.shape[0], shape=x.shape)
    return OPENED[kind](plan, rest, given)


def microphone(plan: Plan, device: str | None, given: Input) -> Live:
    if plan.source != "microphone":
        what = f"the source of {plan.name} is a {plan.source}, and no microphone"
        raise RecordingError(what, f"--input {FORMS}")
    x = plan.x[0]
    assert x.sample_hz is not None, "a source has a sample rate"
    number = int(device) if device and device.isdecimal() else device
    return Microphone(x.sample_hz, x.shape[0], x.channels, number, x.shape, not given.once, given.tell)


def serial_port(plan: Plan, text: str, given: Input) -> Live:
    port, at, baud = text.rpartition("@")
    if not at or not baud.isdecimal():
        port, baud = text, str(BAUD)
    if not 0 < int(baud[:9]) < 10**8:
        raise RecordingError(f"{baud} is no speed of a serial port", f"serial:{port}@{BAUD}")
    return SerialPort(port, plan.x[0], decoder(plan, port, given, auto=Form.auto, joined=True), taking(given), int(baud[:9]))


def tcp(plan: Plan, text: str, given: Input) -> Live:
    host, port = host_and_port(text, given.text)
    if not host:
        raise RecordingError(f"--input {given.text} names no host", "tcp:HOST:PORT")
    return Tcp(host, port, plan.x[0], decoder(plan, given.text, given), taking(given))


def tcp_listen(plan: Plan, text: str, given: Input) -> Live:
    host, port = host_and_port(text, given.text)
    return TcpListener(port, plan.x[0], decoder(plan, given.text, given), taking(given), host or LOOPBACK)


def udp(plan: Plan, text: str, given: Input) -> Live:
    host, port = host_and_port(text, given.text)
    return Udp(port, plan.x[0], decoder(plan, given.text, given, datagrams=True), taking(given), host or LOOPBACK)


OPENED: dict[str, Callable[[Plan, str, Input], Live]] = {"serial": serial_port, "tcp": tcp, "tcp-listen": tcp_listen, "udp": udp}


def taking(given: Input) -> Taking:
    gaps = given.reading.gaps
    if gaps == "linear":
        what = "--gaps linear needs the samples behind a gap, which a live source does not have yet"
        raise RecordingError(what, "--gaps hold, or none: the app begins afresh behind a gap")
    return Taking("tell" if given.any_rate else "refuse", gaps, not given.once, given.tell)


def decoder(plan: Plan, name: str, given: Input, auto: Form = Form.raw, joined: bool = False, datagrams: bool = False) -> Decoder:
    """auto: what the form of that name stands for."""
    wanted = wanted_of(plan.x[0], plan.columns[0] if plan.columns else ())
    form = auto if given.form == Form.auto else given.form
    if wanted.dtype != "int16" and form not in (Form.raw, Form.frames):
        form = Form.frames
    if form == Form.raw:
        return Raw(channels_of(wanted), wanted.dtype, datagrams)
    if form == Form.frames:
        return Frames(channels_of(wanted), wanted.dtype)
    if form == Form.lines:
        return Lines(name, wanted, given.reading, joined)
    return SensiML(name, wanted, given.reading) if form == Form.sensiml else Detected(name, wanted, given.reading, joined)


def channels_of(wanted: Wanted) -> int:
    """Values of one moment: pixels of an image."""
    return wanted.frame[0] * wanted.frame[1] if wanted.frame else wanted.channels


def host_and_port(text: str, given: str) -> tuple[str, int]:
    """
    >>> host_and_port("[::1]:5050", ""), host_and_port("5050", "")
    (('::1', 5050), ('', 5050))
    """
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or not 0 < int(port[:6]) <= LONGEST_PORT:
        raise RecordingError(f"--input {given} has no port from 1 to {LONGEST_PORT}", FORMS)
    return host.removeprefix("[").removesuffix("]"), int(port)
