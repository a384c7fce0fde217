"""From a trained state to its scores against the data that it was trained on."""

import dataclasses
from collections.abc import Collection, Iterator
from typing import Any, Self

import numpy as np

from gan_jax import features, gan
from gan_jax.common.errors import RequestError
from gan_jax.data.points import Mixture
from gan_jax.data.sources.arrays import MnistSample
from gan_jax.data.sources.tfds import Tfds
from gan_jax.evaluation import measure
from gan_jax.evaluation.feature_sets import FeatureSet, gather
from gan_jax.evaluation.measure import Measured, Sides
from gan_jax.evaluation.references import reference
from gan_jax.experiment import Experiment
from gan_jax.features.nearest_mode import NearestMode
from gan_jax.features.network import Extracted, FeatureNetwork
from gan_jax.sampling import samples
from gan_jax.sampling.sheets import to_pixels

# Of a mode; a point within them is good (Srivastava et al., 2017, section 4.1).
GOOD_DEVIATIONS = 3.0
CHUNK = samples.BATCHES_PER_CALL * samples.BATCH  # samples that are in memory at a time


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluator:
    """Real examples in a feature space, with which the samples of an experiment are compared.

    Attributes:
        experiment: what the run is.
        network: whose features are compared.
        training: the experiment's data.
        held_out: examples of the same kind that the data hold out, if they do.
    """

    experiment: Experiment
    network: FeatureNetwork
    training: FeatureSet
    held_out: FeatureSet | None

    @classmethod
    def of(cls, experiment: Experiment, network: FeatureNetwork | None = None) -> Self:
        """Prepares the references, from the cache where they are there.

        Args:
            experiment: what the run is.
            network: instead of the experiment's own.

        Raises:
            RequestError: there is no network, or it does not take these images, or data are
                missing.
        """
        network = network or network_of(experiment)
        apart = held_out_data(experiment.data)
        training = reference(experiment.data.load().sample, network)
        held_out = None if apart is None else reference(apart.load().sample, network)
        return cls(experiment, network, training, held_out)

    @property
    def split(self) -> str:
        """What the data call the examples that the generator learns from."""
        return getattr(getattr(self.experiment.data, "source", None), "split", "all")

    def scores(
        self,
        state: gan.GANState,
        count: int,
        key: int,
        *,
        raw: bool = False,
        names: Collection[str] | None = None,
    ) -> dict[str, Measured]:
        """Draws samples, rounds images to 8 bits, and measures them.

        Args:
            state: a trained state.
            count: how many samples.
            key: which random latents, see `samples.draw`.
            raw: take the generator's own parameters, not their moving average.
            names: which metrics; all if None. Those that lack something are left out.

        Raises:
            RequestError: fewer than two samples, or samples that are not finite.
        """
        generated = gather(self._extracted(state, count, key, raw))
        return measure.measure(self._sides(generated), names)

    def floor(self, count: int) -> dict[str, Measured]:
        """Measures at most `count` held-out real examples as if they were samples.

        A generator that learns the distribution comes near to it; one that copies the training
        examples may lie below. Empty where nothing is held out.
        """
        if self.held_out is None:
            return {}
        sides = Sides(gather([self.held_out.first(count)]), self.training)
        return measure.measure(sides)

    def unavailable(self, count: int) -> dict[str, str]:
        """Metrics that cannot be measured on `count` samples, with what they lack."""
        like_samples = FeatureSet(self.training.moments, self.training.first(count))
        return measure.unavailable(self._sides(like_samples))

    def _sides(self, generated: FeatureSet) -> Sides:
        data, probabilities = self.experiment.data, generated.kept.probabilities
        intended = None
        # Only where the network's classes can be those of the data.
        if data.labels and probabilities is not None and probabilities.shape[1] == data.classes:
            intended = np.arange(len(generated.kept.features)) % data.classes
        return Sides(generated, self.training, self.held_out, intended)

    def _extracted(
        self, state: gan.GANState, count: int, key: int, raw: bool
    ) -> Iterator[Extracted]:
        latents = samples.draw_latents(self.experiment, key, count)
        for start in range(0, count, CHUNK):
            chunk = latents[start : start + CHUNK]
            labels = samples.take_turns(self.experiment, len(chunk), first=start)
            drawn = samples.from_latents(self.experiment, state, chunk, raw, labels)
            if not np.isfinite(drawn).all():
                raise RequestError(
                    f"the samples of step {state.step} are not finite: the run has diverged; "
                    "evaluate an earlier checkpoint"
                )
            is_image = self.experiment.data.stored_dtype == "uint8"
            yield self.network.extract(to_pixels(drawn) if is_image else drawn)


def network_of(experiment: Experiment) -> FeatureNetwork:
    """The experiment's feature network; if it has none, the one that the package has for its data.

    Raises:
        RequestError: there is none.
    """
    return experiment.features or bundled_network(experiment.data)


def bundled_network(data: Any) -> FeatureNetwork:
    """The network that the package has for a data set: that of MNIST, as it is, or of points.

    Raises:
        RequestError: the data are something else; says how to get a network.
    """
    if isinstance(data, Mixture):
        return NearestMode(data.centres, GOOD_DEVIATIONS * data.deviation)
    source = getattr(data, "source", None)
    is_mnist = isinstance(source, MnistSample) or (
        isinstance(source, Tfds) and source.name.partition(":")[0] == "mnist"
    )
    if is_mnist and data.sample_shape == (28, 28, 1):
        return features.mnist()
    raise RequestError(
        "there is no feature network for these data: train one with `gan-jax features DATA "
        "--out FILE.npz`, and name it in the experiment as features=features.classifier('FILE.npz')"
        ", or to `gan-jax evaluate` as --features FILE.npz (mnist is the bundled one)"
    )


def held_out_data(data: Any) -> Any:
    """The data set's own held-out examples; None where it has none, or knows of none."""
    return data.held_out() if hasattr(data, "held_out") else None
