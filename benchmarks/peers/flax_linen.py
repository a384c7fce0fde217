"""Plain Flax Linen and Optax: Flax's own layers, one jitted step, nothing of this package.

One forward pass of the generator and one of the discriminator on the fakes serve both players.
"""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from peers.case import LATENT, WIDTH, Case, Peer

SAMPLED_TOGETHER = 250
leaky_relu = partial(nn.leaky_relu, negative_slope=0.3)
BatchNorm = partial(nn.BatchNorm, momentum=0.99, epsilon=1e-3)


class Generator(nn.Module):
    """Latents to images."""

    size: int
    channels: int

    @nn.compact
    def __call__(self, z, training):
        base = self.size // 4
        x = nn.Dense(base * base * 4 * WIDTH, use_bias=False)(z)
        x = leaky_relu(BatchNorm(use_running_average=not training)(x))
        x = x.reshape(-1, base, base, 4 * WIDTH)
        for features, stride in ((2 * WIDTH, 1), (WIDTH, 2)):
            x = nn.ConvTranspose(features, (5, 5), (stride, stride), use_bias=False)(x)
            x = leaky_relu(BatchNorm(use_running_average=not training)(x))
        return nn.tanh(nn.ConvTranspose(self.channels, (5, 5), (2, 2), use_bias=False)(x))


class Discriminator(nn.Module):
    """Images to logits."""

    @nn.compact
    def __call__(self, x, training):
        for features in (WIDTH, 2 * WIDTH):
            x = leaky_relu(nn.Conv(features, (5, 5), (2, 2))(x))
            x = nn.Dropout(0.3, deterministic=not training)(x)
        return nn.Dense(1)(x.reshape(len(x), -1))


def build(case: Case, batch: np.ndarray) -> Peer:
    generator, discriminator = Generator(case.size, case.channels), Discriminator()
    optimizer = optax.adam(1e-4, eps=1e-7)
    real = jnp.asarray(batch)
    variables = generator.init(jax.random.key(0), jnp.zeros((1, LATENT)), False)
    d_params = discriminator.init(jax.random.key(1), real[:1], False)["params"]
    g_params, statistics = variables["params"], variables["batch_stats"]
    state = (g_params, statistics, d_params, optimizer.init(g_params), optimizer.init(d_params))

    @partial(jax.jit, donate_argnums=0)
    def step(state, real, key):
        g_params, statistics, d_params, g_opt, d_opt = state
        latent_key, real_key, fake_key = jax.random.split(key, 3)
        z = jax.random.normal(latent_key, (case.batch, LATENT))

        def judge(params, x, dropout):
            return discriminator.apply({"params": params}, x, True, rngs={"dropout": dropout})

        def generate(params):
            made, changed = generator.apply(
                {"params": params, "batch_stats": statistics}, z, True, mutable="batch_stats"
            )
            return made, changed["batch_stats"]

        fake, to_generator, statistics = jax.vjp(generate, g_params, has_aux=True)
        fake_logits, from_fake = jax.vjp(lambda p, x: judge(p, x, fake_key), d_params, fake)

        def real_loss(params):
            logits = judge(params, real, real_key)
            return optax.sigmoid_binary_cross_entropy(logits, jnp.ones_like(logits)).mean()

        def fake_loss(logits, label):
            return optax.sigmoid_binary_cross_entropy(logits, jnp.full_like(logits, label)).mean()

        d_grads, _ = from_fake(jax.grad(fake_loss)(fake_logits, 0.0))
        d_grads = jax.tree.map(jnp.add, d_grads, jax.grad(real_loss)(d_params))
        if case.r1_weight:

            def r1(params):
                gradient = jax.grad(lambda x: judge(params, x, real_key).sum())(real)
                return case.r1_weight / 2 * (gradient**2).sum((1, 2, 3)).mean()

            d_grads = jax.tree.map(jnp.add, d_grads, jax.grad(r1)(d_params))
        _, to_fake = from_fake(jax.grad(fake_loss)(fake_logits, 1.0))
        (g_grads,) = to_generator(to_fake)

        g_updates, g_opt = optimizer.update(g_grads, g_opt)
        d_updates, d_opt = optimizer.update(d_grads, d_opt)
        g_params = optax.apply_updates(g_params, g_updates)
        d_params = optax.apply_updates(d_params, d_updates)
        return g_params, statistics, d_params, g_opt, d_opt

    @jax.jit
    def infer(params, statistics, z):
        return generator.apply({"params": params, "batch_stats": statistics}, z, False)

    done = 0

    def train(steps: int) -> None:
        nonlocal state, done
        for _ in range(steps):
            done += 1
            state = step(state, real, jax.random.key(done))
        jax.block_until_ready(state)

    def sample(count: int) -> np.ndarray:
        parts = []
        for start in range(0, count, SAMPLED_TOGETHER):
            z = jax.random.normal(jax.random.key(start), (SAMPLED_TOGETHER, LATENT))
            parts.append(np.asarray(infer(state[0], state[1], z)))
        return np.concatenate(parts)[:count]

    parameters = sum(leaf.size for leaf in jax.tree.leaves((g_params, d_params)))
    return Peer(train, sample, parameters)
