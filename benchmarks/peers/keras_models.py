"""Keras on TensorFlow (the tutorial's step in `tf.function`) and on JAX (stateless, jitted).

KERAS_BACKEND must be set before this is imported.
"""

import keras
import numpy as np
from keras import layers

from peers.case import LATENT, WIDTH, Case, Peer

SAMPLED_TOGETHER = 250


def make_models(case: Case) -> tuple[keras.Model, keras.Model]:
    base = case.size // 4

    def normalised() -> list[layers.Layer]:
        return [layers.BatchNormalization(), layers.LeakyReLU(negative_slope=0.3)]

    def transposed(features: int, strides: int, **options: str) -> layers.Layer:
        return layers.Conv2DTranspose(
            features, 5, strides, padding="same", use_bias=False, **options
        )

    def convolved(features: int) -> list[layers.Layer]:
        return [
            layers.Conv2D(features, 5, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.3),
            layers.Dropout(0.3),
        ]

    generator = keras.Sequential(
        [
            layers.Input([LATENT]),
            layers.Dense(base * base * 4 * WIDTH, use_bias=False),
            *normalised(),
            layers.Reshape((base, base, 4 * WIDTH)),
            transposed(2 * WIDTH, 1),
            *normalised(),
            transposed(WIDTH, 2),
            *normalised(),
            transposed(case.channels, 2, activation="tanh"),
        ]
    )
    image = layers.Input([case.size, case.size, case.channels])
    discriminator = keras.Sequential(
        [image, *convolved(WIDTH), *convolved(2 * WIDTH), layers.Flatten(), layers.Dense(1)]
    )
    return generator, discriminator


def build_tensorflow(case: Case, batch: np.ndarray) -> Peer:
    import tensorflow as tf

    generator, discriminator = make_models(case)
    optimizers = keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)

    @tf.function
    def step(real: tf.Tensor) -> None:
        z = tf.random.normal([case.batch, LATENT])
        with tf.GradientTape() as for_generator, tf.GradientTape() as for_discriminator:
            made = generator(z, training=True)
            with tf.GradientTape() as for_image:
                for_image.watch(real)
                real_logits = discriminator(real, training=True)
            fake_logits = discriminator(made, training=True)
            g_loss = cross_entropy(tf.ones_like(fake_logits), fake_logits)
            d_loss = cross_entropy(tf.ones_like(real_logits), real_logits)
            d_loss += cross_entropy(tf.zeros_like(fake_logits), fake_logits)
            if case.r1_weight:
                gradient = for_image.gradient(real_logits, real)
                squared = tf.reduce_sum(gradient**2, axis=[1, 2, 3])
                d_loss += case.r1_weight / 2 * tf.reduce_mean(squared)
        for model, optimizer, tape, loss in zip(
            (generator, discriminator),
            optimizers,
            (for_generator, for_discriminator),
            (g_loss, d_loss),
            strict=True,
        ):
            variables = model.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)

    for optimizer, model in zip(optimizers, (generator, discriminator), strict=True):
        optimizer.build(model.trainable_variables)
    real = tf.constant(batch)

    def train(steps: int) -> None:
        for _ in range(steps):
            step(real)

    infer = tf.function(lambda z: generator(z, training=False))

    def sample(count: int) -> np.ndarray:
        return _sample(count, lambda z: infer(tf.constant(z)).numpy())

    return Peer(train, sample, _parameters(generator, discriminator))


def build_jax(case: Case, batch: np.ndarray) -> Peer:
    import jax

    players = generator, discriminator = make_models(case)
    optimizers = keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4)
    cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    for optimizer, model in zip(optimizers, players, strict=True):
        optimizer.build(model.trainable_variables)

    def values(variables):
        return [variable.value for variable in variables]

    weights = tuple(values(model.trainable_variables) for model in players)
    others = tuple(values(model.non_trainable_variables) for model in players)
    slots = tuple(values(optimizer.variables) for optimizer in optimizers)
    real = jax.device_put(batch)

    def step(weights, others, slots, real, key):
        z = jax.random.normal(key, (case.batch, LATENT))

        def generate(params):
            return generator.stateless_call(params, others[0], z, training=True)

        def judge(params, fake):
            real_logits, kept = discriminator.stateless_call(params, others[1], real, training=True)
            fake_logits, kept = discriminator.stateless_call(params, kept, fake, training=True)
            return (real_logits, fake_logits), kept

        fake, to_generator, g_others = jax.vjp(generate, weights[0], has_aux=True)
        logits, to_discriminator, d_others = jax.vjp(judge, weights[1], fake, has_aux=True)

        def d_loss(logits):
            real_logits, fake_logits = logits
            ones, zeros = jax.numpy.ones_like(real_logits), jax.numpy.zeros_like(fake_logits)
            return cross_entropy(ones, real_logits) + cross_entropy(zeros, fake_logits)

        def g_loss(logits):
            return cross_entropy(jax.numpy.ones_like(logits[1]), logits[1])

        d_grads, _ = to_discriminator(jax.grad(d_loss)(logits))
        _, to_fake = to_discriminator(jax.grad(g_loss)(logits))
        (g_grads,) = to_generator(to_fake)
        changed = [
            optimizer.stateless_apply(slot, grads, weight)
            for optimizer, slot, grads, weight in zip(
                optimizers, slots, (g_grads, d_grads), weights, strict=True
            )
        ]
        weights, slots = zip(*changed, strict=True)
        return weights, (g_others, d_others), slots

    step = jax.jit(step, donate_argnums=(0, 1, 2))
    done = 0

    def train(steps: int) -> None:
        nonlocal weights, others, slots, done
        for _ in range(steps):
            done += 1
            weights, others, slots = step(weights, others, slots, real, jax.random.key(done))
        jax.block_until_ready(weights)

    infer = jax.jit(lambda w, o, z: generator.stateless_call(w, o, z, training=False)[0])

    def sample(count: int) -> np.ndarray:
        return _sample(count, lambda z: np.asarray(infer(weights[0], others[0], z)))

    return Peer(train, sample, _parameters(*players))


def _parameters(*players: keras.Model) -> int:
    return sum(int(np.prod(v.shape)) for player in players for v in player.trainable_variables)


def _sample(count, infer):
    random = np.random.default_rng(0)
    parts = [
        infer(random.standard_normal((SAMPLED_TOGETHER, LATENT), np.float32))
        for _ in range(0, count, SAMPLED_TOGETHER)
    ]
    return np.concatenate(parts)[:count]
