"""Features small enough to be computed by hand: means of blocks, and classes from them."""

import numpy as np


def blocks(pixels):
    """Means of 2 x 2 pixels of 8 x 8 images, and a softmax of the first ten as classes."""
    means = pixels.reshape(len(pixels), 4, 2, 4, 2, -1).mean((2, 4, 5)).reshape(len(pixels), 16)
    features = (means / 255).astype(np.float32)
    odds = np.exp(20 * features[:, :10])
    return features, odds / odds.sum(1, keepdims=True)


def no_classes(pixels):
    """The features without the classes."""
    return blocks(pixels)[0]
