"""BLEU of samples, by sacrebleu."""

import importlib.util

import numpy as np
from jaxtyping import Integer

from gan_jax.common.errors import RequestError
from gan_jax.metrics.estimate import Estimate, of_mean

ORDER = 5  # tokens of the longest n-grams


def installed() -> bool:
    """Whether sacrebleu is there, which is an optional dependency."""
    return importlib.util.find_spec("sacrebleu") is not None


def mean_bleu(
    samples: Integer[np.ndarray, "n length"], references: Integer[np.ndarray, "m length"]
) -> Estimate:
    """Mean over samples of BLEU-5 beside all references, in [0, 1].

    Papineni et al. (2002) for each sample as a sentence, by sacrebleu (Post, 2018), exponentially
    smoothed as Chen and Cherry's (2014) method 3. With real references it tells quality; with other
    samples of the same generator, which is self-BLEU (Zhu et al., 2018), how little diversity there
    is. It grows with the number of references: compare it for equal numbers.

    Args:
        samples: tokens of windows.
        references: tokens of the windows beside which each of them is put.

    Raises:
        RequestError: there are fewer than two samples, or no reference.
    """
    from sacrebleu.metrics import BLEU

    if len(samples) < 2 or not len(references):
        given = f"{len(samples)} samples and {len(references)} references"
        raise RequestError(f"BLEU is of at least two samples and one reference, not of {given}")
    # References of a single sentence are counted once, and then serve for each sample.
    bleu = BLEU(
        tokenize="none",
        force=True,
        max_ngram_order=ORDER,
        references=[[_sentence(one)] for one in references],
    )
    scores = [bleu.corpus_score([_sentence(one)], None).score for one in samples]
    return of_mean(np.array(scores) / 100).clipped(0.0, 1.0)


def _sentence(tokens: Integer[np.ndarray, " length"]) -> str:
    return " ".join(map(str, tokens.tolist()))
