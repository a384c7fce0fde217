"""The NumPy reference against finite differences, definitions and hand computations."""

import numpy as np
import pytest

from tests import reference_dcgan as reference
from tests import reference_layers as layers

LATENT_SIZE = 2  # of the recipe's 100: fewer finite differences of the same kind


def tiny_problem(image_channels: int, batch: int = 3) -> tuple:
    """Width 1; every parameter is drawn, since zero biases and unit scales hide mistakes."""
    params, statistics = reference.init(0, width=1, image_channels=image_channels)
    dense = params["generator"]["dense"]
    dense["kernel"] = dense["kernel"][:LATENT_SIZE]
    random = np.random.default_rng(1)
    params = reference.tree_map(lambda p: p + random.normal(scale=0.3, size=p.shape), params)
    statistics = reference.tree_map(lambda s: s + random.uniform(size=s.shape), statistics)
    latent = random.normal(size=(batch, LATENT_SIZE))
    image = random.uniform(-1, 1, (batch, 28, 28, image_channels))
    return params, statistics, latent, image


def assert_finite_differences(gradient: np.ndarray, function, array: np.ndarray) -> None:
    """Compare with function()'s central differences in up to 100 entries of the array it reads."""
    step, entries = 1e-6, np.random.default_rng(5).permutation(array.size)[:100]
    differences = np.empty(len(entries))
    for position, entry in enumerate(entries):
        value = array.flat[entry]
        array.flat[entry] = value + step
        above = function()
        array.flat[entry] = value - step
        differences[position] = (above - function()) / (2 * step)
        array.flat[entry] = value
    tolerance = 1e-5 * np.abs(differences).max()
    np.testing.assert_allclose(gradient.flat[entries], differences, rtol=0, atol=tolerance)


@pytest.mark.parametrize(
    ("image_channels", "kind", "label_smoothing"),
    [(1, "non_saturating", 0.0), (3, "minimax", 0.1)],
)
def test_gradients_of_both_players_are_finite_differences(image_channels, kind, label_smoothing):
    params, statistics, latent, image = tiny_problem(image_channels)
    losses, gradient, _ = reference.gradients(
        params, statistics, latent, image, kind, label_smoothing
    )
    fake_image, _ = reference.generator(params["generator"], statistics, latent, training=True)

    def generator_loss() -> float:
        made, _ = reference.generator(params["generator"], statistics, latent, training=True)
        logit = reference.discriminator(params["discriminator"], made)
        return reference.generator_loss(logit, kind)[0]

    def discriminator_loss() -> float:
        real = reference.discriminator(params["discriminator"], image)
        fake = reference.discriminator(params["discriminator"], fake_image)
        return reference.discriminator_loss(real, fake, label_smoothing)[0]

    functions = {"generator": generator_loss, "discriminator": discriminator_loss}
    for player, function in functions.items():
        assert losses[player] == function()
        assert gradient[player].keys() == params[player].keys()
        for layer, arrays in params[player].items():
            assert gradient[player][layer].keys() == arrays.keys()
            for name, array in arrays.items():
                assert gradient[player][layer][name].shape == array.shape
                assert_finite_differences(gradient[player][layer][name], function, array)


def test_players_gradients_stop_at_the_other_player():
    params, statistics, latent, image = tiny_problem(1)
    _, gradient, _ = reference.gradients(params, statistics, latent, image)
    _, other_images, _ = reference.gradients(params, statistics, latent, image + 1)
    assert not np.array_equal(
        gradient["discriminator"]["conv_0"]["bias"],
        other_images["discriminator"]["conv_0"]["bias"],
    )
    np.testing.assert_equal(gradient["generator"], other_images["generator"])


def same_convolution_by_definition(x, kernel, stride):
    """y[o] = sum over taps of x[o * stride + tap - before] * kernel[tap], zero outside x."""
    batch, height, width, _ = x.shape
    taps = kernel.shape[0]
    sizes = [-(-size // stride) for size in (height, width)]
    before = [
        max((outputs - 1) * stride + taps - size, 0) // 2
        for outputs, size in zip(sizes, (height, width), strict=True)
    ]
    y = np.zeros((batch, *sizes, kernel.shape[3]))
    for row, column, i, j in np.ndindex(*sizes, taps, taps):
        at_row, at_column = row * stride + i - before[0], column * stride + j - before[1]
        if 0 <= at_row < height and 0 <= at_column < width:
            y[:, row, column] += x[:, at_row, at_column] @ kernel[i, j]
    return y


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(7, 7), (14, 14), (5, 8)])
def test_convolution_is_the_same_padded_one_by_definition(stride, size):
    random = np.random.default_rng(2)
    x = random.normal(size=(2, *size, 3))
    kernel, bias = random.normal(size=(5, 5, 3, 4)), random.normal(size=4)
    y, _ = layers.convolution(x, kernel, bias, stride)
    np.testing.assert_allclose(y, same_convolution_by_definition(x, kernel, stride) + bias)


def test_even_sizes_at_stride_two_are_padded_by_one_before_and_two_after():
    x = np.arange(1.0, 29.0).reshape(1, 1, 28, 1) * np.ones((1, 28, 1, 1))
    for tap, expected_first, expected_last in [(0, 0, 26), (1, 1, 27), (2, 2, 28), (3, 3, 0)]:
        kernel = np.zeros((5, 5, 1, 1))
        kernel[1, tap] = 1
        y, _ = layers.convolution(x, kernel, np.zeros(1), 2)
        assert y.shape == (1, 14, 14, 1)
        assert (y[0, 3, 0, 0], y[0, 3, -1, 0]) == (expected_first, expected_last)


@pytest.mark.parametrize("stride", [1, 2])
def test_transposed_convolution_is_the_adjoint_of_the_convolution(stride):
    random = np.random.default_rng(3)
    x = random.normal(size=(2, 7, 7, 4))
    kernel = random.normal(size=(5, 5, 3, 4))
    y, _ = layers.transposed_convolution(x, kernel, stride)
    assert y.shape == (2, 7 * stride, 7 * stride, 3)
    for _ in range(3):
        other = random.normal(size=y.shape)
        back = same_convolution_by_definition(other, kernel, stride)
        assert np.vdot(other, y) == pytest.approx(np.vdot(back, x))


def test_generator_reads_the_dense_output_row_by_row_with_channels_last():
    params, statistics = reference.init(0, width=1)
    player = params["generator"]
    row, column, channel = 2, 5, 3
    player["dense"]["kernel"][:] = 0
    player["dense"]["kernel"][0, (row * 7 + column) * 4 + channel] = 1
    for index, name in enumerate(["transposed_conv_0", "transposed_conv_1", "transposed_conv_2"]):
        tap = 2 if index == 0 else 1  # the tap that leads from (i, j) to (stride i, stride j)
        player[name]["kernel"][:] = 0
        player[name]["kernel"][tap, tap, 0, channel if index == 0 else 0] = 1
    latent = np.eye(1, 100)
    image, _ = reference.generator(player, statistics, latent, training=False)
    expected = np.zeros((1, 28, 28, 1))
    expected[0, 4 * row, 4 * column, 0] = np.tanh((1 + 1e-3) ** -1.5)
    np.testing.assert_allclose(image, expected, atol=1e-12)


def test_discriminator_flattens_row_by_row_with_channels_last():
    params, _ = reference.init(0, width=1)
    player = params["discriminator"]
    row, column, channel = 2, 5, 1
    for name, out in [("conv_0", 0), ("conv_1", channel)]:
        player[name]["kernel"][:] = 0
        player[name]["kernel"][1, 1, 0, out] = 1
    image = np.zeros((1, 28, 28, 1))
    image[0, 4 * row, 4 * column, 0] = -1
    player["dense"]["bias"][:] = 0.5
    weight = player["dense"]["kernel"][(row * 7 + column) * 2 + channel, 0]
    assert reference.discriminator(player, image)[0] == pytest.approx(0.5 - 0.3**2 * weight)


def test_recipe_has_its_numbers_of_parameters():
    params, statistics = reference.init(0)
    counts = {"generator": 0, "discriminator": 0, "statistics": 0}
    for owner, tree in {**params, "statistics": statistics}.items():
        counts[owner] = sum(array.size for layer in tree.values() for array in layer.values())
    assert counts == {"generator": 2_305_472, "discriminator": 212_865, "statistics": 25_472}


def test_batch_norm_statistics_move_in_training_and_serve_in_inference():
    x = np.array([[1.0, 10.0], [3.0, 30.0]])
    gamma, beta = np.array([2.0, 1.0]), np.array([0.5, 0.0])
    trained, statistics, _ = layers.batch_norm(
        x, gamma, beta, np.zeros(2), np.ones(2), training=True
    )
    # The batch's means are 2 and 20, its biased variances 1 and 100.
    np.testing.assert_allclose(statistics["moving_mean"], [0.02, 0.2])
    np.testing.assert_allclose(statistics["moving_variance"], [1.0, 0.99 + 1.0])
    np.testing.assert_allclose(trained[1], [2 / np.sqrt(1.001) + 0.5, 10 / np.sqrt(100.001)])
    inferred, after, _ = layers.batch_norm(x, gamma, beta, **statistics, training=False)
    np.testing.assert_equal(after, statistics)
    np.testing.assert_allclose(
        inferred[1], [2 * 2.98 / np.sqrt(1.001) + 0.5, 29.8 / np.sqrt(1.991)]
    )


def test_batch_norm_after_a_convolution_has_one_statistic_per_channel():
    x = np.random.default_rng(4).normal(3.0, 2.0, (2, 7, 7, 5))
    y, _, _ = layers.batch_norm(x, np.ones(5), np.zeros(5), np.zeros(5), np.ones(5), True)
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var((0, 1, 2)), x.var((0, 1, 2)) / (x.var((0, 1, 2)) + 1e-3))


def test_losses_of_known_logits():
    real, fake = np.array([0.0, np.log(3)]), np.array([0.0, -np.log(3)])
    # sigmoid(real) is 1/2 and 3/4, sigmoid(fake) 1/2 and 1/4.
    half = np.log(8 / 3) / 2
    assert reference.discriminator_loss(real, fake)[0] == pytest.approx(2 * half)
    smoothed = reference.discriminator_loss(real, fake, label_smoothing=0.1)[0]
    assert smoothed == pytest.approx(0.9 * half + 0.1 * np.log(8) / 2 + half)
    assert reference.generator_loss(fake, "non_saturating")[0] == pytest.approx(np.log(8) / 2)
    assert reference.generator_loss(fake, "minimax")[0] == pytest.approx(-half)


def test_losses_stay_finite_and_exact_for_large_logits():
    large = np.array([1e4])
    loss, to_real, to_fake = reference.discriminator_loss(-large, large)
    assert (loss, to_real[0], to_fake[0]) == (2e4, -1, 1)
    assert reference.generator_loss(-large, "non_saturating") == (1e4, -1)
    assert reference.generator_loss(large, "minimax") == (-1e4, -1)


def test_unknown_loss_is_named():
    with pytest.raises(ValueError, match="wasserstein"):
        reference.generator_loss(np.zeros(1), "wasserstein")


def scalar_adam(gradients: list[float], keras_form: bool) -> float:
    """Two published formulas, written out: Keras's and algorithm 1 of Kingma and Ba."""
    parameter = m = v = 0.0
    for t, g in enumerate(gradients, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        if keras_form:
            b1, b2 = float(np.float32(0.9)), float(np.float32(0.999))
            rate = 1e-4 * (1 - b2**t) ** 0.5 / (1 - b1**t)
            parameter -= rate * m / (v**0.5 + 1e-7)
        else:
            m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
            parameter -= 1e-4 * m_hat / (v_hat**0.5 + 1e-7)
    return parameter


@pytest.mark.parametrize("keras_form", [False, True])
@pytest.mark.parametrize("size", [1.0, 1e-7])
def test_adam_is_the_scalar_formula(keras_form, size):
    gradients = [2.0 * size, -1.0 * size, 0.5 * size]
    params = {"layer": {"kernel": np.zeros(1)}}
    state = reference.adam_init(params)
    for gradient in gradients:
        params, state = reference.adam(
            params, {"layer": {"kernel": np.array([gradient])}}, state, keras_form=keras_form
        )
    assert state["count"] == 3
    expected = scalar_adam(gradients, keras_form)
    assert params["layer"]["kernel"][0] == pytest.approx(expected, rel=1e-12)


def test_forms_of_adam_differ_for_gradients_of_epsilons_size_only():
    params = {"kernel": np.zeros(1)}
    state = reference.adam_init(params)

    def first_update(gradient: float, keras_form: bool) -> float:
        gradients = {"kernel": np.array([gradient])}
        return reference.adam(params, gradients, state, keras_form=keras_form)[0]["kernel"][0]

    assert first_update(1.0, True) == pytest.approx(first_update(1.0, False), rel=1e-5)
    assert first_update(1e-7, False) == pytest.approx(-1e-4 / 2)
    assert first_update(1e-7, True) == pytest.approx(-1e-4 / (1 + 1000**0.5), rel=1e-5)


def test_update_moves_both_players_by_gradients_at_the_old_parameters():
    params, statistics, latent, image = tiny_problem(1)
    losses, gradient, moved = reference.gradients(params, statistics, latent, image)
    expected, _ = reference.adam(params, gradient, reference.adam_init(params), b1=0.5)
    found, found_statistics, state, found_losses = reference.update(
        params, statistics, reference.adam_init(params), latent, image, b1=0.5
    )
    np.testing.assert_equal(found, expected)
    np.testing.assert_equal(found_statistics, moved)
    assert found_losses == losses
    assert state["count"] == 1
