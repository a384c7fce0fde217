"""A tiny experiment that is evaluated, as a file for sweeps."""

from gan_jax import features, penalties
from tests.tiny import tiny
from tests.tiny_features import blocks

R1 = penalties.R1
experiment = tiny(
    steps=4,
    sample_every=4,
    save_every=2,
    features=features.function(blocks),
    evaluate_every=4,
    evaluate_samples=60,
)
