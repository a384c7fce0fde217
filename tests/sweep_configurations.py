"""Configurations that are not a product of choices, as a file for sweeps."""

from tests.tiny import tiny_points


def experiments():
    """Yields the names and experiments."""
    for latent_size, steps in ((3, 4), (5, 2)):
        yield f"latent_{latent_size}", tiny_points(latent_size=latent_size, steps=steps)
