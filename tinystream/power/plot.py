"""Pictures of a sweep and of a timeline, as PNG or SVG; the same figures give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from tinystream.errors import writing
from tinystream.power.files import PowerError
from tinystream.power.interval import amount
from tinystream.power.sweep import Tried, front
from tinystream.power.timeline import RADIO, Timeline

ENDS = (".png", ".svg")
BLACK, DARK, GREY, PALE = "#222222", "#5f5f5f", "#8a8a8a", "#cfcfcf"
ORANGE, SKY, GREEN, BLUE, VERMILION, PINK = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"
PURPLE = "#AA4499"
"""Colours that are told apart by the colour-blind: Okabe and Ito, 2008; the last is Tol's, for words, which pink is too pale for."""
NAMED = (VERMILION, GREEN, PURPLE)
MOST_NAMED = 8
"""Settings of the front whose names there is room for."""
MOST_STEPS = 4
"""Steps with a colour of their own; the others share one."""
BLOCKS = 12
"""That are shown around the one that takes longest."""
COLUMNS = 600
"""Means, of whole blocks, that the picture of a whole recording is made of at the most."""


def check_picture(path: Path) -> None:
    """PowerError where no picture of that name could be drawn here."""
    if path.suffix.lower() not in ENDS:
        raise PowerError(f"{path}: no picture ends in '{path.suffix}'", "a name that ends in .png or .svg")
    try:
        import matplotlib  # noqa: F401  takes a while to import
    except ImportError:
        raise PowerError("pictures are drawn by matplotlib, which is not here", "pip install 'tinystream[report]'") from None


@contextmanager
def figure(path: Path, panels: int, height: float, **options: Any):
    """Axes of a figure that is written to `path` at the end."""
    check_picture(path)
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style: Any = {
        "font.family": "DejaVu Sans", "font.size": 10, "axes.titlesize": 10.5, "axes.titlelocation": "left", "axes.spines.top": False,
        "axes.spines.right": False, "axes.edgecolor": GREY, "xtick.color": BLACK, "ytick.color": BLACK, "svg.hashsalt": "tinystream",
        "svg.fonttype": "none", "axes.linewidth": 0.8,
    }  # fmt: skip
    with rc_context(style):
        drawing = Figure(figsize=(8.2, height), layout="constrained")
        FigureCanvasAgg(drawing)
        yield drawing, drawing.subplots(panels, 1, **options)
        with writing(path, "another file"):
            about = {"Date": None, "Creator": None} if path.suffix.lower() == ".svg" else {"Software": None}
            drawing.savefig(path, dpi=150, metadata=about)


# --- battery life against detection ---------------------------------------------------------------------------


def plot_sweep(path: Path, tried: Sequence[Tried], marked: Mapping[str, Tried], knobs: Sequence[str], title: str) -> None:
    """Life of each setting that keeps up over its misses and its false alarms.  marked: settings that have a name."""
    heard = tried[0].heard
    with figure(path, 2, 6.6, sharex=True, height_ratios=(3, 2)) as (drawing, (missed, alarms)):
        drawing.suptitle(f"{title}, {sum(t.usable for t in tried)} keep up", x=0.01, ha="left", fontsize=11)
        draw_settings(missed, tried, marked, lambda t: t.heard.missed or 0)
        draw_settings(alarms, tried, marked, lambda t: t.heard.false_alarms or 0)
        missed.set_ylabel(f"missed, of {heard.words} words")
        alarms.set_ylabel(f"false alarms in {heard.recorded_s:.3g} s")
        alarms.set_xlabel("battery life in days, estimated: nominal; lines from low to high")
        named = {id(t) for t in marked.values()}
        for t in [t for t in front(tried) if id(t) not in named][:MOST_NAMED]:
            missed.annotate(t.setting.says(knobs), (t.days, t.heard.missed or 0), (0, 5), textcoords="offset points", color=BLUE,
                            ha="right", va="bottom", fontsize=9)  # fmt: skip
        key(drawing, marked, knobs)


def key(drawing: Any, marked: Mapping[str, Tried], knobs: Sequence[str]) -> None:
    """What is named, with its life, and what the other dots are; below the axes, where no dot can be."""
    from matplotlib.lines import Line2D

    def dot(label: str, colour: str, shape: str = "o") -> Any:
        return Line2D([], [], color=colour, marker=shape, lw=0, ms=7, mew=0, label=label)

    handles = [dot(f"{name}: {t.setting.says(knobs)}: {life(t)}", colour, "D") for (name, t), colour in zip(marked.items(), NAMED)]
    handles += [dot("beaten by no other in life, misses and false alarms", BLUE), dot("others", PALE)]
    drawing.legend(handles=handles, loc="outside lower left", frameon=False, fontsize=9.5, handletextpad=0.2, borderaxespad=0)


def draw_settings(axis: Any, tried: Sequence[Tried], marked: Mapping[str, Tried], value: Callable[[Tried], float]) -> None:
    unbeaten = front(tried)
    others = [t for t in tried if t.usable and t not in unbeaten]
    for found, colour, size in ((others, PALE, 5), (unbeaten, BLUE, 6)):
        axis.plot([t.days for t in found], [value(t) for t in found], "o", color=colour, ms=size, mew=0)
    for t, colour in zip(marked.values(), NAMED):
        if t.estimate:
            axis.plot([t.estimate.days.low, t.estimate.days.high], [value(t)] * 2, color=colour, lw=1.2, zorder=3)
            axis.plot(t.days, value(t), "D", color=colour, ms=8, mew=0, zorder=4)
    top = max(1.0, *(1.15 * value(t) for t in tried))
    axis.set_yticks(range(0, ceil(top) + 1, max(1, ceil(top / 6))))
    axis.set_ylim(-0.08 * top, 1.06 * top)
    axis.set_xlim(left=0)
    axis.grid(axis="y", color="#ececec", lw=0.8)
    axis.set_axisbelow(True)


def life(t: Tried) -> str:
    return f"{amount(t.days)} days" if t.estimate else t.refused


# --- the current over time ------------------------------------------------------------------------------------


def plot_timeline(path: Path, line: Timeline, block_s: float, title: str) -> None:
    """Means over all of it, then its busiest moment: some blocks, and the steps of one."""
    first, last = busiest(line)
    shown_s, margin = min(BLOCKS * block_s, line.seconds), 0.12 * (last - first)
    some_s = max(0.0, min(first - shown_s / 4, line.seconds - shown_s))
    one_s = max(0.0, first - margin)
    colours = state_colours(line)
    with figure(path, 3, 7.6, height_ratios=(3, 3, 4)) as (drawing, (whole, some, one)):
        drawing.suptitle(title, x=0.01, ha="left", fontsize=11)
        window = ceil(line.seconds / block_s / COLUMNS)
        draw_means(whole, line, window * block_s)
        draw_states(some, line, some_s, some_s + shown_s, colours)
        draw_states(one, line, one_s, min(last + margin, line.seconds), colours)
        whole.set_title(f"all of it, means of {count_of(window)}; {amount(line.mean_ua / 1000)} mA on the average")
        some.set_title(f"{shown_s / block_s:.3g} blocks of {1000 * block_s:g} ms")
        one.set_title("the block that takes longest, step by step")
        whole.set_xlabel("s")
        some.set_xlabel(f"ms after {some_s:.3f} s")
        one.set_xlabel(f"ms after {one_s:.5f} s")
        legend(drawing, line, colours)
        for axis in (whole, some, one):
            axis.set_ylabel("mA")


def count_of(blocks: int) -> str:
    return "a block" if blocks == 1 else f"{blocks} blocks"


def draw_means(axis: Any, line: Timeline, window_s: float) -> None:
    """On a logarithmic scale where the radio would leave nothing else to be seen."""
    edges_s = np.append(np.arange(0, line.seconds - window_s / 2, window_s), line.seconds)
    means = line.means(edges_s) / 1000
    least, most = means.min(), means.max()
    top = 1.25 * most
    axis.stairs(means, edges_s, baseline=None, color=BLUE, lw=1.2)
    axis.set_xlim(0, line.seconds)
    if least and most > 20 * least:
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.yaxis.set_minor_formatter(lambda value, _: "")
        top = most * (most / least) ** 0.2
    logarithmic = axis.get_yscale() == "log"
    axis.set_ylim(*((least / 2, top * 2) if logarithmic else (0, top * 1.1)))
    if len(line.alerts_s):
        axis.plot(line.alerts_s, np.full(len(line.alerts_s), top), "v", color=VERMILION, ms=7, mew=0)
        left = line.alerts_s[0] < line.seconds / 2
        shift = line.seconds / 80 * (1 if left else -1)
        axis.text(line.alerts_s[0] + shift, top, "alert", color=VERMILION, va="center", ha="left" if left else "right")


def draw_states(axis: Any, line: Timeline, begin_s: float, end_s: float, colours: dict[str, str]) -> None:
    """Segments as areas in the colours of their states, over ms from the begin."""
    first, last = line.at(np.array([begin_s, end_s]))
    looks = [(colours[line.states[line.state[i]]], line.current_ua[i] / 1000) for i in range(first, last + 1)]
    limits_ms = 1000 * (np.clip(line.edges_s[first : last + 2], begin_s, end_s) - begin_s)
    at = 0
    for (colour, current_ma), alike in groupby(looks):
        left, at = at, at + len(list(alike))
        axis.fill_between([limits_ms[left], limits_ms[at]], current_ma, color=colour, lw=0)
    axis.set_xlim(0, 1000 * (end_s - begin_s))
    axis.set_ylim(0, 1.1 * line.current_ua[first : last + 1].max() / 1000)


def legend(drawing: Any, line: Timeline, colours: dict[str, str]) -> None:
    """A line for each colour, its share of the charge of all of the time with it."""
    from matplotlib.patches import Patch

    charge = np.bincount(line.state, line.current_ua * np.diff(line.edges_s), len(line.states))
    of_colour: dict[str, list[int]] = {}
    for i, state in enumerate(line.states):
        if charge[i]:
            of_colour.setdefault(colours[state], []).append(i)
    handles = []
    for colour, states in sorted(of_colour.items(), key=lambda item: len(item[1])):
        name = line.states[states[0]] if len(states) == 1 else f"{len(states)} other steps"
        handles.append(Patch(color=colour, label=f"{name}: {charge[states].sum() / charge.sum():.1%} of all charge"))
    drawing.legend(handles=handles, loc="outside lower left", ncols=2, frameon=False, fontsize=9.5, handlelength=1.2, borderaxespad=0)


def state_colours(line: Timeline) -> dict[str, str]:
    """Of every state; the steps that take most charge have one of their own."""
    charge = np.bincount(line.state, line.current_ua * np.diff(line.edges_s), len(line.states))
    steps = sorted((i for i, computes in enumerate(line.computing) if computes), key=lambda i: -charge[i])
    own = dict(zip(steps, (BLUE, SKY, GREEN, ORANGE)[:MOST_STEPS]))
    rest = ("#e6e6e6", "#bdbdbd", PINK, "#6d597a")
    colours = {}
    for i, state in enumerate(line.states):
        colours[state] = own.get(i, DARK) if line.computing[i] else VERMILION if state == RADIO else rest[i]
    return colours


def busiest(line: Timeline) -> tuple[float, float]:
    """Begin and end of the longest time without a pause in which the core computes; the whole of it where it never does."""
    computing = np.concatenate([[False], np.array(line.computing)[line.state], [False]])
    begins, ends = np.flatnonzero(~computing[:-1] & computing[1:]), np.flatnonzero(computing[:-1] & ~computing[1:])
    if not len(begins):
        return 0.0, line.seconds
    longest = int(np.argmax(np.round(line.edges_s[ends] - line.edges_s[begins], 7)))  # of equals the first
    return float(line.edges_s[begins[longest]]), float(line.edges_s[ends[longest]])
