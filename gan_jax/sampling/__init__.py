"""From a trained generator to samples, and to files of samples.

run = runs.load("runs/quickstart")
drawn = sampling.draw(run.experiment, run.state, 16)
sampling.save(run.experiment, drawn, "samples.png")
"""

from gan_jax.sampling.files import check_file, save, save_parts
from gan_jax.sampling.samples import (
    check_memory,
    draw,
    draw_labels,
    draw_latents,
    from_latents,
    in_parts,
    interpolate,
    of_class,
    probability_real,
    take_turns,
    walk,
)
from gan_jax.sampling.sheets import save_film

__all__ = [
    "check_file",
    "check_memory",
    "draw",
    "draw_labels",
    "draw_latents",
    "from_latents",
    "in_parts",
    "interpolate",
    "of_class",
    "probability_real",
    "save",
    "save_film",
    "save_parts",
    "take_turns",
    "walk",
]
