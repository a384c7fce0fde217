import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import gan, losses, penalties
from gan_jax.data import points
from gan_jax.experiment import half_life
from gan_jax.networks import conditions
from gan_jax.optimizers import Adam, Schedule, from_optax
from gan_jax.runtime import devices
from tests.tiny import init, tiny, tiny_points, update

SGD = from_optax(optax.sgd, learning_rate=1.0)


def start(experiment, seed=0):
    batch = jax.tree.map(jnp.asarray, experiment.data.batch(seed, 0, experiment.examples_per_step))
    return init(experiment, seed), batch


def gradients_by_definition(experiment, state, batch, index):
    """Both players' gradients as the paper writes them: each differentiates its own mean loss."""

    def key(stream):
        number = stream + gan.PASSES_APART * index
        return jax.random.fold_in(jax.random.fold_in(jax.random.key(0), state.step), number)

    latent = jax.random.normal(key(gan.Stream.LATENT), (experiment.batch_size, 4))

    def apply(module, params, variables, x, dropout):
        return module.apply(
            {"params": params, **variables},
            x,
            None,
            training=True,
            rngs={"dropout": dropout},
            mutable=["batch_stats"],
        )

    def logits(generator, discriminator):
        fake, _ = apply(
            experiment.generator,
            generator,
            state.generator.variables,
            latent,
            key(gan.Stream.GENERATOR),
        )
        real = apply(
            experiment.discriminator, discriminator, {}, batch["sample"], key(gan.Stream.REAL)
        )[0]
        return real, apply(experiment.discriminator, discriminator, {}, fake, key(gan.Stream.FAKE))[
            0
        ]

    def generator_loss(params):
        return experiment.loss.generator(*logits(params, state.discriminator.params)).mean()

    def discriminator_loss(params):
        return experiment.loss.discriminator(*logits(state.generator.params, params)).mean()

    return (
        jax.grad(generator_loss)(state.generator.params),
        jax.grad(discriminator_loss)(state.discriminator.params),
    )


def descended(params, gradient):
    return jax.tree.map(lambda p, g: p - g, params, gradient)


def close(actual, expected, **tolerances):
    tolerances = {"rtol": 2e-4, "atol": 1e-6} | tolerances
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **tolerances), actual, expected)


@pytest.mark.parametrize("loss", [losses.NonSaturating(0.1), losses.Minimax()])
def test_simultaneous_update_is_both_gradients_at_the_same_parameters(loss):
    experiment = tiny(loss=loss, generator_optimizer=SGD, discriminator_optimizer=SGD)
    state, batch = start(experiment)
    generator, discriminator = gradients_by_definition(experiment, state, batch, index=0)
    new, _ = update(experiment, state, batch)
    close(new.generator.params, descended(state.generator.params, generator))
    close(new.discriminator.params, descended(state.discriminator.params, discriminator))


def test_alternating_update_plays_the_new_discriminator_with_fresh_latents():
    experiment = tiny(
        update_order="alternating", generator_optimizer=SGD, discriminator_optimizer=SGD
    )
    state, batch = start(experiment)
    _, discriminator = gradients_by_definition(experiment, state, batch, index=0)
    params = descended(state.discriminator.params, discriminator)
    between = state.replace(discriminator=state.discriminator.replace(params=params))
    generator, _ = gradients_by_definition(experiment, between, batch, index=1)
    new, _ = update(experiment, state, batch)
    close(new.discriminator.params, params)
    close(new.generator.params, descended(state.generator.params, generator))


def test_a_fresh_batch_is_the_generators_own():
    """With a relativistic loss its gradient depends on the real examples."""
    steps = 2
    shared = tiny_points(
        loss=losses.RelativisticPairing(),
        update_order="alternating",
        discriminator_steps=steps,
        generator_optimizer=SGD,
        discriminator_optimizer=SGD,
    )
    fresh = dataclasses.replace(shared, generator_batch="fresh")
    state, batch = start(fresh)
    assert len(batch["sample"]) == 16 * (steps + 1)
    *of_discriminator, own = jnp.split(batch["sample"], steps + 1)
    new, metrics = update(fresh, state, batch)
    first = {"sample": jnp.concatenate(of_discriminator), "condition": None}
    expected, expected_metrics = update(shared, state, first)
    close(new.discriminator.params, expected.discriminator.params, rtol=1e-5)
    for name in ("discriminator_loss", "accuracy_real", "logit_real"):
        assert float(metrics[name]) == pytest.approx(float(expected_metrics[name]), rel=1e-5)
    between = state.replace(discriminator=new.discriminator)
    generator, _ = gradients_by_definition(fresh, between, {"sample": own}, index=steps)
    close(new.generator.params, descended(state.generator.params, generator))
    of_shared, found = (jax.tree.leaves(each.generator.params) for each in (expected, new))
    assert max(np.abs(a - b).max() for a, b in zip(of_shared, found, strict=True)) > 1e-4


class LabelledPoints(points.Mixture):
    labels = True


def test_the_generator_makes_fakes_for_the_conditions_of_its_own_batch():
    base = tiny_points()
    experiment = tiny_points(
        generator=conditions.Generator(base.generator, classes=3),
        discriminator=conditions.Discriminator(base.discriminator, classes=3),
        data=LabelledPoints(base.data.centres, base.data.deviation),
        update_order="alternating",
        generator_batch="fresh",
    )
    state = init(experiment, 0)
    batch = {"sample": jnp.ones((32, 2)), "condition": jnp.arange(32) % 3}
    own = batch["condition"].at[16:].set((batch["condition"][16:] + 1) % 3)
    new, of_other = (
        update(experiment, state, batch | {"condition": labels})[0]
        for labels in (batch["condition"], own)
    )
    jax.tree.map(np.testing.assert_array_equal, new.discriminator, of_other.discriminator)
    changes = jax.tree.map(
        lambda a, b: bool((a != b).any()), new.generator.params, of_other.generator.params
    )
    assert any(jax.tree.leaves(changes))


def test_each_discriminator_step_takes_its_own_part_of_the_batch():
    experiment = tiny(discriminator_steps=2, generator_optimizer=SGD, discriminator_optimizer=SGD)
    state, batch = start(experiment)
    first, second = ({"sample": part, "condition": None} for part in jnp.split(batch["sample"], 2))
    _, gradient = gradients_by_definition(experiment, state, first, index=0)
    params = descended(state.discriminator.params, gradient)
    between = state.replace(discriminator=state.discriminator.replace(params=params))
    generator, gradient = gradients_by_definition(experiment, between, second, index=1)
    new, _ = update(experiment, state, batch)
    close(new.discriminator.params, descended(params, gradient))
    close(new.generator.params, descended(state.generator.params, generator))


def test_penalties_pull_the_discriminator_only():
    plain = tiny(generator_optimizer=SGD, discriminator_optimizer=SGD)
    penalised = tiny(
        generator_optimizer=SGD, discriminator_optimizer=SGD, penalties=(penalties.R1(4.0),)
    )
    state, batch = start(plain)
    without, _ = update(plain, state, batch)
    new, metrics = update(penalised, state, batch)
    close(new.generator.params, without.generator.params)

    key = gan.stream_key(state.key, 0, gan.Stream.REAL)

    def squared_gradient(params):
        def logits(sample):
            return plain.discriminator.apply(
                {"params": params}, sample, None, training=True, rngs={"dropout": key}
            )

        gradient = jax.grad(lambda sample: logits(sample).sum())(jnp.asarray(batch["sample"]))
        return 2.0 * jnp.square(gradient).sum((1, 2, 3)).mean()

    value, gradient = jax.value_and_grad(squared_gradient)(state.discriminator.params)
    close(metrics["penalty_0_r1"], value)
    close(new.discriminator.params, descended(without.discriminator.params, gradient))


def test_real_examples_reach_no_gradient_of_the_generator_and_metrics_count_right():
    experiment = tiny()
    state, batch = start(experiment)
    other = {"sample": -batch["sample"], "condition": None}
    new, metrics = update(experiment, state, batch)
    new_other, _ = update(experiment, state, other)
    jax.tree.map(np.testing.assert_array_equal, new.generator, new_other.generator)
    real_logits, fake_logits = gan.forward_pass(experiment, state, batch, 0).outputs
    assert float(metrics["accuracy_real"]) == pytest.approx(float((real_logits > 0).mean()))
    assert float(metrics["accuracy_fake"]) == pytest.approx(float((fake_logits < 0).mean()))
    assert set(metrics) == {
        "discriminator_loss",
        "generator_loss",
        "accuracy_real",
        "accuracy_fake",
        "logit_real",
        "logit_fake",
        "gradient_norm_discriminator",
        "gradient_norm_generator",
    }
    assert float(metrics["logit_real"]) == pytest.approx(float(real_logits.mean()), rel=1e-5)
    assert float(metrics["logit_fake"]) == pytest.approx(float(fake_logits.mean()), rel=1e-5)


def test_batch_statistics_move_once_a_step_and_only_the_generators():
    experiment = tiny()
    state, batch = start(experiment)
    new, _ = update(experiment, state, batch)
    latent = jax.random.normal(gan.stream_key(state.key, 0, gan.Stream.LATENT), (16, 4))
    activations = latent @ state.generator.params["Dense_0"]["kernel"]
    statistics = new.generator.variables["batch_stats"]["BatchNorm_0"]
    close(statistics["mean"], 0.01 * activations.mean(0), atol=1e-6)
    close(statistics["var"], 0.99 + 0.01 * activations.var(0), atol=1e-5)
    assert new.discriminator.variables == {}


def test_average_warms_up_and_then_decays():
    experiment = tiny(ema_decay=0.5)
    state, batch = start(experiment)
    expected = jax.tree.map(np.asarray, (state.generator.params, state.generator.variables))
    for step in range(12):
        state, _ = update(experiment, state, batch)
        decay = min(0.5, (1 + step) / (10 + step))
        newest = (state.generator.params, state.generator.variables)
        expected = jax.tree.map(lambda e, n, d=decay: d * e + (1 - d) * n, expected, newest)
    close(state.ema, expected, rtol=1e-5)


def test_a_schedule_multiplies_the_half_life_of_the_average():
    schedule = Schedule("linear", steps=4, start=0.0, end=2.0)
    experiment = tiny_points(ema_decay=half_life(32, 16), ema_schedule=schedule)
    state, batch = start(experiment)
    expected = (state.generator.params, state.generator.variables)
    for step in range(7):
        state, _ = update(experiment, state, batch)
        steps = 2 * min(0.5 * step, 2.0)  # after which a parameter weighs half as much
        decay = 0.5 ** (1 / steps) if steps else 0.0
        newest = (state.generator.params, state.generator.variables)
        expected = jax.tree.map(lambda e, n, d=decay: d * e + (1 - d) * n, expected, newest)
        close(state.ema, expected, rtol=1e-5)


def test_samples_come_from_the_average_unless_raw():
    experiment = tiny(ema_decay=0.9)
    state, batch = start(experiment)
    for _ in range(3):
        state, _ = update(experiment, state, batch)
    latent = jnp.ones((2, 4))
    raw = gan.generate(experiment, state, latent, raw=True)
    averaged = gan.generate(experiment, state, latent)
    assert not np.array_equal(raw, averaged)
    params, variables = state.ema
    as_raw = state.replace(generator=gan.Player(params, variables, None))
    np.testing.assert_array_equal(averaged, gan.generate(experiment, as_raw, latent, raw=True))


def test_streams_never_share_a_key():
    key = jax.random.key(0)
    seen = {
        tuple(jax.random.key_data(gan.stream_key(key, step, stream, index)).tolist())
        for step in range(5)
        for stream in gan.Stream
        for index in range(4)
    }
    assert len(seen) == 5 * len(gan.Stream) * 4


def test_dropout_and_latents_differ_from_step_to_step_and_seed_to_seed():
    experiment = tiny(generator_optimizer=Adam(0.0), discriminator_optimizer=Adam(0.0))
    state, batch = start(experiment)
    values = [float(update(experiment, state, batch)[1]["discriminator_loss"])]
    later = state.replace(step=state.step + 1)
    values.append(float(update(experiment, later, batch)[1]["discriminator_loss"]))
    other = state.replace(key=jax.random.key(1))
    values.append(float(update(experiment, other, batch)[1]["discriminator_loss"]))
    assert len(set(values)) == 3


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_latent_distributions(distribution):
    experiment = tiny(latent_distribution=distribution, latent_size=50)
    latent = np.asarray(gan.draw_latent(experiment, jax.random.key(0), 2000))
    deviation = 1.0 if distribution == "normal" else 1 / 3**0.5
    assert abs(latent.mean()) < 0.02
    assert abs(latent.std() - deviation) < 0.02
    assert (np.abs(latent).max() <= 1) == (distribution == "uniform")


def test_bfloat16_follows_float32_and_keeps_everything_in_float32():
    """To 2 % of the losses and 10 % of each gradient's norm: bfloat16 has 8 bits."""
    exact = tiny(generator_optimizer=SGD, discriminator_optimizer=SGD, penalties=(penalties.R1(),))
    half = dataclasses.replace(exact, compute_dtype="bfloat16")
    state, batch = start(exact)
    expected, expected_metrics = update(exact, state, batch)
    new, metrics = update(half, state, batch)
    types = jax.tree.map(lambda leaf: leaf.dtype, new)
    assert types == jax.tree.map(lambda leaf: leaf.dtype, expected)
    for name in ("discriminator_loss", "generator_loss", "penalty_0_r1"):
        tolerance = 1e-5 if name.startswith("penalty") else 0.02  # penalties are float32
        assert float(metrics[name]) == pytest.approx(float(expected_metrics[name]), rel=tolerance)
    for player in ("generator", "discriminator"):
        old, exactly, found = (getattr(of, player).params for of in (state, expected, new))
        step = optax.tree.norm(jax.tree.map(jnp.subtract, exactly, old))
        error = optax.tree.norm(jax.tree.map(jnp.subtract, found, exactly))
        assert 0 < float(error) < 0.1 * float(step)


def test_the_networks_compute_in_bfloat16():
    half = tiny(compute_dtype="bfloat16")
    state, batch = start(half)
    exported = jax.export.export(
        jax.jit(lambda state, batch: update(half, state, batch)), platforms=["cuda"]
    )
    text = exported(state, batch).mlir_module()
    convolutions = [line for line in text.splitlines() if "stablehlo.convolution" in line]
    assert convolutions and all("bf16" in line for line in convolutions)


ORDERS = ["simultaneous", "alternating"]
SEVERAL = (penalties.R1(2.0), penalties.LeCam(), penalties.Lazy(penalties.GradientPenalty(), 2))


@pytest.mark.parametrize("order", ORDERS)
def test_several_discriminator_steps_are_single_ones_in_a_row(order):
    experiment = tiny_points(
        update_order=order,
        discriminator_steps=3,
        generator_optimizer=SGD,
        discriminator_optimizer=SGD,
    )
    state, batch = start(experiment)
    between = state
    for index, sample in enumerate(jnp.split(batch["sample"], 3)):
        part = {"sample": sample}
        generator, gradient = gradients_by_definition(experiment, between, part, index)
        params = descended(between.discriminator.params, gradient)
        between = between.replace(discriminator=between.discriminator.replace(params=params))
    if order == "alternating":
        generator, _ = gradients_by_definition(experiment, between, part, 3)
    new, _ = update(experiment, state, batch)
    close(new.discriminator.params, between.discriminator.params)
    close(new.generator.params, descended(state.generator.params, generator))


@pytest.mark.parametrize("order", ORDERS)
def test_each_of_several_discriminator_steps_has_the_penalties(order):
    experiment = tiny_points(update_order=order, discriminator_steps=3, penalties=SEVERAL)
    state, batch = start(experiment)
    state = state.replace(step=state.step + 1)  # at which the lazy penalty is due

    @jax.jit
    def single_step(state, part, index):
        forward = gan.forward_pass(experiment, state, part, index)
        return gan.update_discriminator(experiment, state, part, index, forward)

    between = state
    for index, sample in enumerate(jnp.split(batch["sample"], 3)):
        part = {"sample": sample, "condition": None}
        discriminator, expected = single_step(between, part, index)
        between = between.replace(discriminator=discriminator)
    new, metrics = update(experiment, state, batch)
    close(new.discriminator, discriminator)
    assert {"penalty_0_r1", "penalty_1_lecam", "penalty_2_lazy_gradientpenalty"} < set(expected)
    for name, value in expected.items():
        assert value != 0, name
        np.testing.assert_allclose(metrics[name], value, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("order", ORDERS)
def test_further_discriminator_steps_do_not_make_the_program_larger(order):
    def program(steps):
        experiment = tiny_points(update_order=order, discriminator_steps=steps, penalties=SEVERAL)
        state = jax.eval_shape(lambda: gan.init(experiment, 0))
        batch = {"sample": jnp.zeros((16 * steps, 2)), "condition": None}
        return str(jax.make_jaxpr(lambda *a: gan.update(experiment, *a))(state, batch))

    programs = [program(steps) for steps in (1, 2, 5)]
    # The last step is written out; all before it are one loop.
    one, two, five = (each.count(" dot_general[") for each in programs)
    assert one < two == five < 2 * one
    assert [each.count("scan[") for each in programs] == [0, 1, 1]


@pytest.mark.parametrize("order", ORDERS)
def test_several_discriminator_steps_of_batched_states_are_those_of_each(order):
    experiment = tiny_points(update_order=order, discriminator_steps=2, penalties=SEVERAL)
    states, batches = zip(*(start(experiment, seed) for seed in range(2)), strict=True)
    stacked = (jax.tree.map(lambda *leaves: jnp.stack(leaves), *of) for of in (states, batches))
    update_both = jax.jit(jax.vmap(lambda state, batch: gan.update(experiment, state, batch)))
    new, _ = update_both(*stacked)
    for seed, (state, batch) in enumerate(zip(states, batches, strict=True)):
        expected, _ = update(experiment, state, batch)
        for player in ("generator", "discriminator"):
            found = jax.tree.map(lambda leaf, seed=seed: leaf[seed], getattr(new, player).params)
            close(found, getattr(expected, player).params)


@pytest.mark.skipif(devices.cores() < 2, reason="needs two cores")
def test_devices_that_share_a_batch_share_each_of_several_discriminator_steps():
    script = """
import jax
jax.config.update("jax_num_cpu_devices", 2)
from gan_jax import gan
from gan_jax.runtime import devices
from tests.tiny import tiny_points
experiment = tiny_points(discriminator_steps=3, update_order="alternating")
split = devices.split_batch(devices.make_mesh(16))
state = jax.eval_shape(lambda: gan.init(experiment, 0))
batch = {"sample": jax.ShapeDtypeStruct((48, 2), "float32", sharding=split), "condition": None}
compiled = jax.jit(lambda *arguments: gan.update(experiment, *arguments)).lower(state, batch)
text = compiled.compile().as_text()
assert "all-reduce" in text and "all-gather" not in text
"""
    root = Path(__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, cwd=root)
