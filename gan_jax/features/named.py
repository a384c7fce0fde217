"""Feature networks by the names that a user gives on the command line."""

import functools
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from gan_jax.common.errors import RequestError
from gan_jax.common.validation import nearest
from gan_jax.features.classifiers import classifier, mnist, spoken_digits
from gan_jax.features.functions import function
from gan_jax.features.inception_v3 import inception
from gan_jax.features.network import FeatureNetwork


def from_text(text: str) -> FeatureNetwork:
    """Describes the features that a user names on the command line.

    Args:
        text: 'mnist', 'spoken_digits', a file that ends in .npz, Inception-v3's file, which ends
            in .pth, or 'module:function'; modules in the current folder are found, too.

    Raises:
        RequestError: the text is none of these, or there is no such function.
    """
    bundled = {"mnist": mnist, "spoken_digits": spoken_digits}
    if text in bundled:
        return bundled[text]()
    if text.lower().endswith(".npz"):
        return classifier(text)
    if text.lower().endswith(".pth"):
        return inception(text)
    module, colon, name = text.partition(":")
    if colon and module and name:
        return function(_imported(module, name))
    raise RequestError(
        f"features {text!r}: give {' or '.join(bundled)}, an .npz or .pth file of "
        f"`gan-jax features`, or module:function{nearest(text, bundled)}"
    )


def _imported(module: str, name: str) -> Callable[..., Any]:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = functools.reduce(getattr, name.split("."), importlib.import_module(module))
    except Exception as error:  # whatever the user's module raises
        kind = type(error).__name__
        raise RequestError(
            f"features {module}:{name} cannot be imported: {kind}: {error}"
        ) from error
    return found
