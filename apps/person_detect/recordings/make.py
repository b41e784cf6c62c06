"""Draw the recordings of this folder: somebody comes into a hall, stays for a moment and leaves; and a hall that stays empty.

    python make.py                       needs Pillow and numpy

They are simulated: flat shapes with a little blur and noise, no photograph.  An image a second, 96 x 96 grey.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).parent
SIDE, FINE = 96, 384      # pixels that are saved, and that are drawn
SKIN, SHIRT, HAIR = 120, 50, 40
HALL = {"hall": [None, None, None, 300, 240, 240, 240, 300, None, None, None, None], "empty_hall": [None] * 8}
"""Where the person stands in each image, in pixels from the left; None: nobody is there."""


def image(person: int | None, rng: np.random.Generator) -> Image.Image:
    y, x = np.mgrid[:FINE, :FINE]
    wall = 170 - 60 * (y / FINE) + 0.05 * x + 20 * ((x // 64) % 2) * (y < 150)
    drawn = Image.fromarray(np.clip(wall, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(drawn)
    pen.rectangle((0, 300, FINE, FINE), fill=90)
    if person is not None:
        draw_person(pen, person, 40, 80)
    small = drawn.filter(ImageFilter.GaussianBlur(2)).resize((SIDE, SIDE), Image.Resampling.BOX)
    noisy = np.asarray(small) + rng.normal(0, 6, (SIDE, SIDE))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def draw_person(pen: ImageDraw.ImageDraw, x: int, top: int, size: int) -> None:
    """Head, hair, neck, trunk, arms and a face; `size` is about the height of a face."""

    def box(left: float, upper: float, right: float, lower: float) -> tuple[float, float, float, float]:
        return x + left * size, top + upper * size, x + right * size, top + lower * size

    pen.ellipse(box(-0.55, 0, 0.55, 1.5), fill=SKIN)
    pen.pieslice(box(-0.6, -0.1, 0.6, 1.2), 180, 360, fill=HAIR)
    pen.rectangle(box(-0.25, 1.3, 0.25, 1.8), fill=int(0.85 * SKIN))
    pen.rounded_rectangle(box(-1.2, 1.7, 1.2, 5), radius=size // 2, fill=SHIRT)
    for side in (-1.3, 1.3):
        pen.rounded_rectangle(box(side - 0.25, 1.8, side + 0.25, 4.6), radius=size // 4, fill=int(0.85 * SHIRT))
    for eye in (-0.22, 0.22):
        pen.ellipse(box(eye - 0.08, 0.65, eye + 0.08, 0.78), fill=40)
        pen.line(box(eye - 0.14, 0.52, eye + 0.14, 0.52), fill=60, width=3)
    pen.line(box(0, 0.7, -0.05, 0.98), fill=int(0.75 * SKIN), width=3)
    pen.line(box(-0.18, 1.18, 0.18, 1.18), fill=90, width=4)


def main() -> None:
    rng = np.random.default_rng(0)
    for name, places in HALL.items():
        (HERE / name).mkdir(exist_ok=True)
        for second, place in enumerate(places):
            image(place, rng).save(HERE / name / f"{second:02}.png", optimize=True)


if __name__ == "__main__":
    main()
