"""The networks of semi-supervised learning against NumPy and Flax, and their noise."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from gan_jax.common.errors import RequestError
from gan_jax.networks import semi_supervised

DISCRIMINATOR = semi_supervised.Discriminator(classes=3, widths=(6, 5))
GENERATOR = semi_supervised.Generator((4, 4, 1), width=7)
SAMPLES = jnp.asarray(np.random.default_rng(0).normal(size=(8, 4, 4, 1)), jnp.float32)
LATENTS = jnp.asarray(np.random.default_rng(1).normal(size=(8, 5)), jnp.float32)


def drawn(module, inputs):
    """Variables of which none has its first value."""
    variables = module.init(jax.random.key(0), inputs, training=False)
    random = np.random.default_rng(2)
    return jax.tree.map(lambda leaf: leaf + random.uniform(0.1, 0.3, leaf.shape), variables)


def layer(variables, index, x):
    """What a normalised layer gives, with the length and offset that it has kept."""
    of = variables["params"][f"_Normalised_{index}"]
    kept = variables["first_batch"][f"_Normalised_{index}"]
    y = np.asarray(x) @ (of["kernel"] / np.linalg.norm(of["kernel"], axis=0))
    return y * kept["scale"] * of.get("scale", 1) + kept["offset"] + of["bias"]


def test_the_classifier_is_that_of_the_paper():
    variables = drawn(DISCRIMINATOR, SAMPLES)
    x = (np.asarray(SAMPLES).reshape(8, -1) + 1) / 2
    for index in range(2):
        x = np.maximum(layer(variables, index, x), 0)
    expected = layer(variables, 2, x)
    found = DISCRIMINATOR.apply(variables, SAMPLES, training=False)
    np.testing.assert_allclose(found.features, x, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.class_logits, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.logits, special.logsumexp(expected, axis=1), rtol=1e-5)


def test_sizes_and_noise_are_those_of_the_authors():
    module = semi_supervised.Discriminator()
    assert (module.widths, module.noise) == ((1000, 500, 250, 250, 250), 0.5)
    assert module.input_noise == 0.3  # of pixels in [0, 1]


def in_training(module, variables, key=0, samples=SAMPLES):
    return module.apply(
        variables,
        samples,
        training=True,
        rngs={"dropout": jax.random.key(key)},
        mutable=["first_batch"],
    )


def test_the_first_batch_sets_lengths_and_offsets_and_no_other_does():
    module = DISCRIMINATOR.clone(input_noise=0.0, noise=0.0)
    variables = module.init(jax.random.key(0), SAMPLES, training=False)
    output, after = in_training(module, variables)
    np.testing.assert_allclose(output.class_logits.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(output.class_logits.std(0), 1, atol=1e-3)
    kept = variables | after
    again, later = in_training(module, kept, samples=3 * SAMPLES)
    jax.tree.map(np.testing.assert_array_equal, later["first_batch"], after["first_batch"])
    still = module.apply(kept, 3 * SAMPLES, training=False)
    np.testing.assert_allclose(again.class_logits, still.class_logits, rtol=1e-5)
    assert "scale" not in variables["params"]["_Normalised_0"]  # which nothing trains
    assert "scale" in variables["params"]["_Normalised_2"]


def test_noise_is_added_in_training_only():
    variables = drawn(DISCRIMINATOR, SAMPLES)

    def logits(key, module=DISCRIMINATOR):
        return in_training(module, variables, key)[0].logits

    still = DISCRIMINATOR.apply(variables, SAMPLES, training=False).logits
    assert not np.allclose(logits(0), still)
    assert not np.allclose(logits(0), logits(1))
    quiet = DISCRIMINATOR.clone(input_noise=0.0, noise=0.0)
    np.testing.assert_allclose(logits(0, quiet), still, rtol=1e-6)


def test_features_are_taken_before_the_noise_whose_size_is_as_said():
    module = semi_supervised.Discriminator(3, widths=(5,), input_noise=0.0, noise=0.25)
    samples = jnp.tile(SAMPLES[:1], (4000, 1, 1, 1))
    variables = drawn(module, samples)
    output, _ = in_training(module, variables, samples=samples)
    still = module.apply(variables, samples, training=False)
    np.testing.assert_allclose(output.features, still.features, rtol=1e-5)
    of = variables["params"]["_Normalised_1"]
    kept = variables["first_batch"]["_Normalised_1"]["scale"] * of["scale"]
    spread = np.std(output.class_logits - still.class_logits, axis=0)
    np.testing.assert_allclose(spread, 0.25 * kept, rtol=0.05)  # as directions have length 1


def test_the_generator_normalises_its_batch():
    variables = drawn(GENERATOR, LATENTS)
    found, changed = GENERATOR.apply(variables, LATENTS, training=True, mutable=["batch_stats"])
    assert found.shape == (8, 4, 4, 1) and np.abs(found).max() <= 1
    x, params = np.asarray(LATENTS), variables["params"]
    for layer in range(2):
        x = x @ params[f"Dense_{layer}"]["kernel"]
        x = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) + params[f"BatchNorm_{layer}"]["bias"]
        x = np.logaddexp(x, 0)
    of, (scale,) = params["Dense_2"], params["WeightNorm_0"].values()
    expected = x @ (of["kernel"] / np.linalg.norm(of["kernel"], axis=0) * scale) + of["bias"]
    np.testing.assert_allclose(
        found.reshape(8, -1), 2 / (1 + np.exp(-expected)) - 1, rtol=1e-3, atol=1e-4
    )
    first = np.asarray(LATENTS) @ params["Dense_0"]["kernel"]
    before = variables["batch_stats"]["BatchNorm_0"]["mean"]
    after = changed["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(after, 0.9 * before + 0.1 * first.mean(0), rtol=1e-4)


CONV_DISCRIMINATOR = semi_supervised.ConvDiscriminator(classes=3, width=4)
CONV_GENERATOR = semi_supervised.ConvGenerator(image_size=12, width=3)
IMAGES = jnp.asarray(np.random.default_rng(3).uniform(-1, 1, (5, 12, 12, 1)), jnp.float32)


def test_the_convolutional_classifier_is_that_of_the_paper_with_padding():
    variables = drawn(CONV_DISCRIMINATOR, IMAGES)

    def convolved(index, x, width, size, stride):
        of = variables["params"][f"_Normalised_{index}"]
        kept = variables["first_batch"][f"_Normalised_{index}"]
        assert of["kernel"].shape == (size, size, x.shape[-1], width)
        lengths = np.sqrt(np.square(of["kernel"]).sum((0, 1, 2)))
        kernel = of["kernel"] / lengths * kept["scale"]
        layer = nn.Conv(width, (size, size), stride)
        bias = of["bias"] + kept["offset"]
        return nn.leaky_relu(layer.apply({"params": {"kernel": kernel, "bias": bias}}, x), 0.2)

    x = IMAGES
    layers = [(4, 3, 1), (4, 3, 1), (4, 3, 2), (8, 3, 1), (8, 3, 1), (8, 3, 2)]
    for index, of in enumerate([*layers, (8, 3, 1), (8, 1, 1), (8, 1, 1)]):
        x = convolved(index, x, *of)
    assert x.shape == (5, 3, 3, 8)
    features = x.mean((1, 2))
    found = CONV_DISCRIMINATOR.apply(variables, IMAGES, training=False)
    np.testing.assert_allclose(found.features, features, rtol=1e-3, atol=1e-3)
    expected = layer(variables, 9, features)
    np.testing.assert_allclose(found.class_logits, expected, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found.logits, special.logsumexp(expected, axis=1), rtol=1e-3)


def test_the_first_batch_sets_lengths_of_convolutions_over_all_positions():
    module = CONV_DISCRIMINATOR.clone(input_dropout=0.0, dropout=0.0)
    variables = module.init(jax.random.key(0), IMAGES, training=False)
    output, after = in_training(module, variables, samples=IMAGES)
    np.testing.assert_allclose(output.class_logits.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(output.class_logits.std(0), 0.1, atol=1e-3)
    first, kept = variables["params"]["_Normalised_0"], after["first_batch"]["_Normalised_0"]
    kernel = first["kernel"] / np.sqrt(np.square(first["kernel"]).sum((0, 1, 2)))
    maps = nn.Conv(4, (3, 3), use_bias=False).apply({"params": {"kernel": kernel}}, IMAGES)
    np.testing.assert_allclose(kept["scale"], 1 / maps.std((0, 1, 2)), rtol=1e-3)
    np.testing.assert_allclose(
        kept["offset"], -maps.mean((0, 1, 2)) / maps.std((0, 1, 2)), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("part", ["input_dropout", "dropout"])
def test_values_are_dropped_in_training_only(part):
    module = CONV_DISCRIMINATOR.clone(input_dropout=0.0, dropout=0.0).clone(**{part: 0.5})
    variables = drawn(module, IMAGES)
    still = module.apply(variables, IMAGES, training=False).logits
    first, second = (in_training(module, variables, key, IMAGES)[0].logits for key in (0, 1))
    assert not np.allclose(first, still)
    assert not np.allclose(first, second)


@pytest.mark.parametrize(
    ("size", "channels", "maps"),
    [(28, 1, [(7, 6), (14, 3)]), (32, 3, [(4, 12), (8, 6), (16, 3)]), (6, 1, [(3, 3)])],
)
def test_the_convolutional_generator_doubles_maps_and_halves_channels(size, channels, maps):
    module = semi_supervised.ConvGenerator(size, channels, width=3)
    variables = jax.eval_shape(lambda: module.init(jax.random.key(0), LATENTS, training=False))
    params = variables["params"]
    side, width = maps[0]
    assert params["Dense_0"]["kernel"].shape == (5, side * side * width)
    widths = [width for _, width in maps[1:]] + [channels]
    assert [
        params[f"ConvTranspose_{index}"]["kernel"].shape[-1] for index in range(len(maps))
    ] == widths
    made = jax.eval_shape(lambda of: module.apply(of, LATENTS, training=False), variables)
    assert made.shape == (8, size, size, channels)


def test_the_convolutional_generator_normalises_its_batch():
    variables = drawn(CONV_GENERATOR, LATENTS)
    found, changed = CONV_GENERATOR.apply(
        variables, LATENTS, training=True, mutable=["batch_stats"]
    )
    assert np.abs(found).max() <= 1
    x = (np.asarray(LATENTS) @ variables["params"]["Dense_0"]["kernel"]).reshape(-1, 6)
    params, (scale,) = variables["params"], variables["params"]["WeightNorm_0"].values()

    def hidden(index, x):
        kept, of = (variables[name][f"BatchNorm_{index}"] for name in ("batch_stats", "params"))
        assert list(of) == ["bias"]
        x = (x - kept["mean"]) / np.sqrt(kept["var"] + 1e-5) + of["bias"]
        return np.maximum(x, 0)

    def doubled(index, width, x, scale=1.0):
        of = dict(params[f"ConvTranspose_{index}"])
        if index:
            of["kernel"] = of["kernel"] / np.sqrt(np.square(of["kernel"]).sum((0, 1, 2))) * scale
        layer = nn.ConvTranspose(width, (5, 5), (2, 2), use_bias="bias" in of)
        return layer.apply({"params": of}, x)

    y = hidden(1, doubled(0, 3, hidden(0, x.reshape(8, 3, 3, 6))))
    still = CONV_GENERATOR.apply(variables, LATENTS, training=False)
    np.testing.assert_allclose(still, np.tanh(doubled(1, 1, y, scale)), rtol=1e-3, atol=1e-4)
    before = variables["batch_stats"]["BatchNorm_0"]["mean"]
    after = changed["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(after, 0.9 * before + 0.1 * x.mean(0), rtol=1e-3)


@pytest.mark.parametrize(
    ("network", "inputs"),
    [
        (GENERATOR, LATENTS),
        (CONV_GENERATOR, LATENTS),
        (DISCRIMINATOR, SAMPLES),
        (CONV_DISCRIMINATOR, IMAGES),
    ],
)
def test_labels_are_refused(network, inputs):
    with pytest.raises(RequestError, match="networks take no condition"):
        network.init(jax.random.key(0), inputs, np.zeros(8, np.int32), training=False)


def test_wrong_fields_are_refused():
    with pytest.raises(RequestError, match=r"Discriminator\.classes = 1: must be at least 2"):
        semi_supervised.Discriminator(classes=1)
    with pytest.raises(RequestError, match=r"Generator\.width = 0: must be at least 1"):
        semi_supervised.Generator(width=0)
    with pytest.raises(RequestError, match=r"Discriminator\.widths = \(4, 0\): must be at least 1"):
        semi_supervised.Discriminator(widths=(4, 0))
    for size in (4, 7):
        with pytest.raises(RequestError, match=rf"image_size = {size}: must be an even number ab"):
            semi_supervised.ConvGenerator(size)
    with pytest.raises(RequestError, match=r"ConvDiscriminator\.dropout = 1\.0: must be "):
        semi_supervised.ConvDiscriminator(dropout=1.0)
    with pytest.raises(RequestError, match=r"Generator\.shape = \(\): must be at least 1"):
        semi_supervised.Generator(())
