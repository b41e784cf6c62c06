"""A picture of where the cycles go: app, steps, functions, each as wide as its share; an SVG that needs nothing else."""

from __future__ import annotations

from colorsys import hls_to_rgb
from html import escape

from tinystream.firmware.profile import Profile

WIDTH, EDGE = 1200, 10
TOPS, HEIGHTS = (58, 92, 266), (32, 172, 172)  # of the rows: app, steps, functions
CHARACTER = 7.3  # pixels of one at 12 px
HUES = (28, 200, 140, 48, 260, 340, 95, 178)  # neighbours differ


def flame(profile: Profile) -> str:
    """Over the whole input: steps from left to right as they run, the functions of each below, the dearest first."""
    functions = [f for f in profile.functions if f.cycles.nominal > 0]
    total, blocks = sum(f.cycles.nominal for f in functions), len(profile.cycles)
    steps: dict[str, float] = {}
    for f in functions:
        steps[f.step] = steps.get(f.step, 0.0) + f.cycles.nominal
    scale = (WIDTH - 2 * EDGE) / total

    def box(x: float, row: int, cycles: float, name: str, fill: str) -> str:
        words, share = f"{name}: {cycles / blocks:,.0f} cycles a block", f"{100 * cycles / total:.1f} %"
        width, top, height = cycles * scale, TOPS[row], HEIGHTS[row]
        place = f'x="{x:.2f}" y="{top}" width="{width:.2f}" height="{height}" fill="{fill}"'
        text = label(f"{name}  {share}", name, x, top, width, height)
        return f"<g><title>{escape(words)}, {share}</title><rect {place}/>{text}</g>"

    boxes, x = [box(EDGE, 0, total, profile.plan.name, "#dddddd")], float(EDGE)
    for i, (step, cycles) in enumerate(steps.items()):
        hue = HUES[i % len(HUES)]
        boxes.append(box(x, 1, cycles, step or "after the last step", colour(hue, 0.72)))
        for f in functions:
            if f.step == step:
                boxes.append(box(x, 2, f.cycles.nominal, f.function, colour(hue, 0.84)))
                x += f.cycles.nominal * scale
    head = f"{profile.plan.name} on {profile.table.core} ({profile.compiler}): {total / blocks:,.0f} cycles a block"
    about = "estimated cycles over the whole input; a box is as wide as its share; point at one for its figures"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{TOPS[2] + HEIGHTS[2] + EDGE}"',
        '     font-family="monospace" font-size="12">',
        "<style>rect { stroke: white; stroke-width: 0.5 } g:hover rect { stroke: black }</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="{EDGE}" y="22" font-size="15">{escape(head)}</text>',
        f'<text x="{EDGE}" y="42" fill="#555555">{about}</text>',
        *boxes,
        "</svg>\n",
    ])  # fmt: skip


def label(words: str, name: str, x: float, top: int, width: float, height: int) -> str:
    """All the words where they fit, else the name, else either of them upright; nothing in a box that is too narrow for a line."""
    across, up = (width - 8) / CHARACTER, (height - 8) / CHARACTER
    if len(name) <= across:
        text = words if len(words) <= across else name
        return f'<text x="{x + 5:.2f}" y="{top + height / 2 + 4:.0f}">{escape(text)}</text>'
    if width < 13 or up < 8:
        return ""
    text = words if len(words) <= up else name if len(name) <= up else f"{name[: int(up) - 1]}…"
    middle, low = f"{x + width / 2 + 4:.2f}", top + height - 5
    return f'<text transform="translate({middle} {low}) rotate(-90)">{escape(text)}</text>'


def colour(hue: int, light: float) -> str:
    """As #rrggbb, which every program that shows an SVG knows."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in hls_to_rgb(hue / 360, light, 0.65))
