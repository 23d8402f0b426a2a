"""Draw a scene: twice the size, reduced with Lanczos."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from requery.shapes.scene import COLOURS, GRID, SHAPES, Scene, ShapesConfig, Thing, below, stream

RGB = {
    "red": (214, 39, 40),
    "orange": (245, 130, 32),
    "yellow": (240, 210, 30),
    "green": (44, 150, 60),
    "cyan": (40, 190, 205),
    "blue": (40, 80, 200),
    "purple": (140, 70, 180),
    "black": (30, 30, 30),
}
RADIUS = {0: 0.078, 1: 0.138}
"""Radius of a small and of a large object, as a share of the image's side."""


def render(the_scene: Scene, config: ShapesConfig, *key: int | str) -> Image.Image:
    """Draw a scene as an RGB image of `px` x `px`; background and jitter depend on `key` alone."""
    draw = stream("render", config.seed, *key)
    side = config.px * 2
    background = tuple(200 + below(draw, 50) for _ in range(3))
    canvas = Image.new("RGB", (side, side), background)
    pen = ImageDraw.Draw(canvas)
    for thing in the_scene:
        row, column = divmod(thing.cell, GRID)
        dx, dy = ((2 * draw.random() - 1) * config.jitter for _ in range(2))
        x, y = ((column + 0.5) / GRID + dx) * side, ((row + 0.5) / GRID + dy) * side
        _draw_thing(pen, thing, x, y, RADIUS[thing.size] * side, background)
    return canvas.resize((config.px, config.px), Image.Resampling.LANCZOS)


def _draw_thing(
    pen: ImageDraw.ImageDraw, thing: Thing, x: float, y: float, r: float, background: tuple[int, ...]
) -> None:
    fill = RGB[COLOURS[thing.colour]]
    name = SHAPES[thing.shape]
    if name in ("circle", "ring"):
        pen.ellipse((x - r, y - r, x + r, y + r), fill=fill)
        if name == "ring":
            pen.ellipse((x - r / 2, y - r / 2, x + r / 2, y + r / 2), fill=background)
    elif name == "cross":
        w = r * 0.36
        pen.rectangle((x - r, y - w, x + r, y + w), fill=fill)
        pen.rectangle((x - w, y - r, x + w, y + r), fill=fill)
    else:
        pen.polygon([(x + px * r, y + py * r) for px, py in _outline(name)], fill=fill)


def _outline(name: str) -> list[tuple[float, float]]:
    """Corners of a shape in the unit circle, y downwards."""
    if name == "square":
        return [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]
    if name == "triangle":
        return [(0, -1), (0.95, 0.8), (-0.95, 0.8)]
    if name == "diamond":
        return [(0, -1.05), (0.7, 0), (0, 1.05), (-0.7, 0)]
    if name == "heart":
        return [(0.95 * a, 0.95 * b) for a, b in _heart()]
    spikes = [(1.05 if i % 2 == 0 else 0.42, math.pi * (i / 5 - 0.5)) for i in range(10)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for radius, angle in spikes]


def _heart() -> list[tuple[float, float]]:
    turns = [2 * math.pi * i / 40 for i in range(40)]
    return [
        (
            math.sin(t) ** 3,
            -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 16,
        )
        for t in turns
    ]
