"""The classic DCGAN recipe for MNIST in NumPy float64, with hand-written gradients.

An implementation for tests to compare with: Radford, Metz and Chintala (2016) in the layer sizes
and constants of the TensorFlow tutorial, with Keras's layouts and names. Images are channels last.
A generator's parameters are, for width w (64 in the recipe),
`dense/kernel` (100, 7*7*4w), `batch_norm_0/{gamma,beta}` (7*7*4w,),
`transposed_conv_0/kernel` (5, 5, 2w, 4w), `batch_norm_1/{gamma,beta}` (2w,),
`transposed_conv_1/kernel` (5, 5, w, 2w), `batch_norm_2/{gamma,beta}` (w,),
`transposed_conv_2/kernel` (5, 5, channels, w); its statistics are
`batch_norm_{0,1,2}/{moving_mean,moving_variance}`. A discriminator's parameters are
`conv_0/{kernel,bias}` (5, 5, channels, w) and (w,), `conv_1/{kernel,bias}` (5, 5, w, 2w) and (2w,),
`dense/{kernel,bias}` (7*7*2w, 1) and (1,). The recipe's dropout is left out, as no two libraries
draw the same masks.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from tests.reference_layers import batch_norm, convolution, leaky_relu, transposed_convolution

Array = np.ndarray
Tree = dict
Latents = Float[Array, "batch 100"]
Images = Float[Array, "batch 28 28 channels"]
Logits = Float[Array, " batch"]


def init(seed: int, width: int = 64, image_channels: int = 1) -> tuple[Tree, Tree]:
    """Initial `{"generator": ..., "discriminator": ...}` and the generator's statistics.

    Kernels are Glorot-uniform; biases, beta and moving means 0; gamma and moving variances 1.
    """
    random = np.random.default_rng(seed)

    def kernel(*shape: int) -> Array:
        limit = np.sqrt(6 / (np.prod(shape[:-2]) * (shape[-2] + shape[-1])))
        return random.uniform(-limit, limit, shape)

    def conv_kernel(first: int, second: int) -> Array:
        return kernel(5, 5, first, second)

    features = (7 * 7 * 4 * width, 2 * width, width)
    generator_params = {
        "dense": {"kernel": kernel(100, features[0])},
        "transposed_conv_0": {"kernel": conv_kernel(2 * width, 4 * width)},
        "transposed_conv_1": {"kernel": conv_kernel(width, 2 * width)},
        "transposed_conv_2": {"kernel": conv_kernel(image_channels, width)},
    }
    statistics = {}
    for index, count in enumerate(features):
        name = f"batch_norm_{index}"
        generator_params[name] = {"gamma": np.ones(count), "beta": np.zeros(count)}
        statistics[name] = {"moving_mean": np.zeros(count), "moving_variance": np.ones(count)}
    discriminator_params = {
        "conv_0": {"kernel": conv_kernel(image_channels, width), "bias": np.zeros(width)},
        "conv_1": {"kernel": conv_kernel(width, 2 * width), "bias": np.zeros(2 * width)},
        "dense": {"kernel": kernel(7 * 7 * 2 * width, 1), "bias": np.zeros(1)},
    }
    return {"generator": generator_params, "discriminator": discriminator_params}, statistics


def generator(
    params: Tree, statistics: Tree, latent: Latents, training: bool
) -> tuple[Images, Tree]:
    """Images in [-1, 1] and the statistics after the pass (unchanged in inference)."""
    image, statistics, _ = _generator(params, statistics, latent, training)
    return image, statistics


def discriminator(params: Tree, image: Images) -> Logits:
    """Logits, large where an image looks real."""
    return _discriminator(params, image)[0]


def discriminator_loss(
    real: Logits, fake: Logits, label_smoothing: float = 0.0
) -> tuple[float, Array, Array]:
    """Loss and its gradients with respect to the real and to the fake logits.

    The mean cross-entropy of real logits to 1 - label_smoothing plus that of fake ones to 0.
    """
    target = 1 - label_smoothing
    to_real = np.mean(target * _softplus(-real) + (1 - target) * _softplus(real))
    loss = to_real + np.mean(_softplus(fake))
    return loss, (_sigmoid(real) - target) / real.size, _sigmoid(fake) / fake.size


def generator_loss(fake: Logits, kind: str) -> tuple[float, Array]:
    """Loss of the fake logits and its gradient (Goodfellow et al. 2014, section 3).

    `non_saturating` is the mean of -log sigmoid(fake), `minimax` that of log(1 - sigmoid(fake)).
    """
    if kind == "non_saturating":
        return np.mean(_softplus(-fake)), -_sigmoid(-fake) / fake.size
    if kind == "minimax":
        return np.mean(-_softplus(fake)), -_sigmoid(fake) / fake.size
    raise ValueError(f"kind is {kind!r}; it must be 'non_saturating' or 'minimax'")


def gradients(
    params: Tree,
    statistics: Tree,
    latent: Latents,
    image: Images,
    kind: str = "non_saturating",
    label_smoothing: float = 0.0,
) -> tuple[Tree, Tree, Tree]:
    """Both losses, both players' gradients (shaped as `params`), and the new statistics.

    The latents pass the generator once, in training mode, and serve both players.
    """
    fake_image, statistics, generator_backward = _generator(
        params["generator"], statistics, latent, training=True
    )
    real, real_backward = _discriminator(params["discriminator"], image)
    fake, fake_backward = _discriminator(params["discriminator"], fake_image)
    losses = {}
    losses["discriminator"], to_real, to_fake = discriminator_loss(real, fake, label_smoothing)
    losses["generator"], to_logit = generator_loss(fake, kind)
    both = {
        "generator": generator_backward(fake_backward(to_logit)[0]),
        "discriminator": tree_map(np.add, real_backward(to_real)[1], fake_backward(to_fake)[1]),
    }
    return losses, both, statistics


def adam_init(params: Tree) -> Tree:
    """Adam's state before the first update: `count`, `first` and `second` moments."""
    zeros = tree_map(np.zeros_like, params)
    return {"count": 0, "first": zeros, "second": zeros}


def adam(
    params: Tree,
    gradient: Tree,
    state: Tree,
    learning_rate: float = 1e-4,
    b1: float = 0.9,
    b2: float = 0.999,
    epsilon: float = 1e-7,
    keras_form: bool = False,
) -> tuple[Tree, Tree]:
    """Parameters and state after one update by Adam (Kingma and Ba 2015).

    The default is the paper's algorithm 1, as in optax and PyTorch: epsilon is added to the root of
    the bias-corrected second moment. In `keras_form`, the reordering at the end of the paper's
    section 2, it is added to the root of the uncorrected one, and b1 and b2 are float32 numbers in
    the two bias corrections.
    """
    count = state["count"] + 1
    first = tree_map(lambda m, g: b1 * m + (1 - b1) * g, state["first"], gradient)
    second = tree_map(lambda v, g: b2 * v + (1 - b2) * g**2, state["second"], gradient)
    if keras_form:  # Keras casts them so even in float64, which moves the first update by 7e-6
        b1, b2 = float(np.float32(b1)), float(np.float32(b2))
    of_first, of_second = 1 - b1**count, np.sqrt(1 - b2**count)
    # But for that, the forms differ in epsilon only: Keras's is the textbook's with
    # epsilon / of_second, 32 epsilon at the first update, 10 epsilon at the tenth.
    added = epsilon / of_second if keras_form else epsilon

    def updated(p: Array, m: Array, v: Array) -> Array:
        return p - learning_rate * (m / of_first) / (np.sqrt(v) / of_second + added)

    new_state = {"count": count, "first": first, "second": second}
    return tree_map(updated, params, first, second), new_state


def update(
    params: Tree,
    statistics: Tree,
    adam_state: Tree,
    latent: Latents,
    image: Images,
    kind: str = "non_saturating",
    label_smoothing: float = 0.0,
    **adam_options: float | bool,
) -> tuple[Tree, Tree, Tree, Tree]:
    """Simultaneous update of both players; parameters, statistics, Adam's state and the losses.

    Both gradients belong to the parameters before the update; `adam_options` are those of `adam`.
    """
    losses, both, statistics = gradients(params, statistics, latent, image, kind, label_smoothing)
    params, adam_state = adam(params, both, adam_state, **adam_options)
    return params, statistics, adam_state, losses


def tree_map(function: Callable, tree: Tree, *others: Tree) -> Tree:
    """Nested dictionary of the function's values on the leaves of dictionaries of one structure."""
    if not isinstance(tree, dict):
        return function(tree, *others)
    return {name: tree_map(function, tree[name], *(o[name] for o in others)) for name in tree}


def _generator(params: Tree, statistics: Tree, latent: Array, training: bool) -> tuple:
    x = latent @ params["dense"]["kernel"]
    new_statistics, backwards = {}, []
    for index, (side, stride) in enumerate([(7, 1), (7, 2), (14, 2)]):
        norm, conv = f"batch_norm_{index}", f"transposed_conv_{index}"
        x, new_statistics[norm], norm_backward = batch_norm(
            x, **params[norm], **statistics[norm], training=training
        )
        x, relu_backward = leaky_relu(x)
        x = x.reshape(len(latent), side, side, -1)
        x, conv_backward = transposed_convolution(x, params[conv]["kernel"], stride)
        backwards.append((norm, norm_backward, relu_backward, conv, conv_backward))
    image = np.tanh(x)

    def backward(cotangent: Array) -> Tree:
        gradient = {}
        cotangent = cotangent * (1 - image**2)
        for norm, norm_backward, relu_backward, conv, conv_backward in reversed(backwards):
            cotangent, kernel = conv_backward(cotangent)
            cotangent, gamma, beta = norm_backward(relu_backward(cotangent))
            gradient |= {conv: {"kernel": kernel}, norm: {"gamma": gamma, "beta": beta}}
        return gradient | {"dense": {"kernel": latent.T @ cotangent}}

    return image, new_statistics, backward


def _discriminator(params: Tree, image: Array) -> tuple:
    x, conv_0_backward = convolution(image, **params["conv_0"], stride=2)
    x, relu_0_backward = leaky_relu(x)
    x, conv_1_backward = convolution(x, **params["conv_1"], stride=2)
    x, relu_1_backward = leaky_relu(x)
    flat = x.reshape(len(x), -1)
    logit = (flat @ params["dense"]["kernel"] + params["dense"]["bias"])[:, 0]

    def backward(cotangent: Array) -> tuple[Array, Tree]:
        dense = {"kernel": flat.T @ cotangent[:, None], "bias": cotangent.sum(keepdims=True)}
        cotangent = cotangent[:, None] @ params["dense"]["kernel"].T
        cotangent, conv_1 = conv_1_backward(relu_1_backward(cotangent))
        cotangent, conv_0 = conv_0_backward(relu_0_backward(cotangent))
        return cotangent, {"conv_0": conv_0, "conv_1": conv_1, "dense": dense}

    return logit, backward


def _softplus(x: Array) -> Array:
    return np.logaddexp(0, x)


def _sigmoid(x: Array) -> Array:
    return np.exp(-_softplus(-x))
