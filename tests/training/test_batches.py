import dataclasses

import jax
import numpy as np

from gan_jax.runtime import devices
from gan_jax.training.batches import Resident, Streamed, make_batches
from tests.tiny import tiny

SEEDS = (0, 3)


def stored_examples(experiment, first_step, counts):
    """The stored examples of each step and seed, as the compiled step would gather them."""
    mesh = devices.make_mesh(experiment.batch_size)
    source = make_batches(experiment, SEEDS, mesh, first_step, first_step + sum(counts))
    step, found = first_step, []
    for count in counts:
        stored, own = source.next(step, count)
        for batch in jax.tree.leaves(own):
            assert batch.shape[:3] == (len(SEEDS), source.limit, experiment.examples_per_step)
        if stored is not None:
            own = jax.tree.map(lambda examples, own=own: np.asarray(examples)[own], stored)
        found += [np.asarray(own["sample"])[:, i] for i in range(count)]
        step += count
    return type(source), found


def test_resident_and_streamed_give_the_batches_of_the_data():
    resident = tiny(discriminator_steps=2)
    streamed = dataclasses.replace(resident, device_memory_fraction=0.0)
    first_kind, first = stored_examples(resident, 60, [1, 3, 2])
    second_kind, second = stored_examples(streamed, 60, [2, 1, 3])
    assert (first_kind, second_kind) == (Resident, Streamed)
    for offset, (a, b) in enumerate(zip(first, second, strict=True)):
        for position, seed in enumerate(SEEDS):
            indices = resident.data.indices(seed, 60 + offset, 32)
            expected = resident.data.gather(indices)["sample"]
            np.testing.assert_array_equal(a[position], expected)
            np.testing.assert_array_equal(b[position], expected)


def test_labels_travel_with_their_images():
    experiment = tiny(
        data=dataclasses.replace(tiny().data, labels=True), device_memory_fraction=0.0
    )
    mesh = devices.make_mesh(16)
    _, own = make_batches(experiment, [0], mesh, 0, 1).next(0, 1)
    raw = jax.tree.map(lambda of_seeds: np.asarray(of_seeds)[0, 0], own)
    expected = experiment.data.batch(0, 0, 16)["condition"]
    np.testing.assert_array_equal(experiment.data.prepare(raw)["condition"], expected)
