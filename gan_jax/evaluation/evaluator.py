"""Scores of a trained state against the data that it was trained on."""

import dataclasses
from collections.abc import Collection, Iterator, Sequence
from typing import Self

import numpy as np
from jaxtyping import Int32

from gan_jax import gan
from gan_jax.common.errors import RequestError
from gan_jax.common.progress import announced
from gan_jax.data.dataset import Dataset
from gan_jax.evaluation import classification, measure
from gan_jax.evaluation.feature_sets import FeatureSet, gather
from gan_jax.evaluation.measure import Measured, Sides
from gan_jax.evaluation.references import reference
from gan_jax.evaluation.rows import NO_FEATURES, OF_HELD_OUT, Row, features_fields, make_rows
from gan_jax.experiment import Experiment
from gan_jax.features.network import Extracted, FeatureNetwork
from gan_jax.metrics.names import OF_TEXT_HELD_OUT
from gan_jax.sampling import samples

# How the samples' classes are drawn; earlier versions drew equally many of each, and said nothing.
LABELS = "as in the data"

NO_NETWORK = (
    "there is no feature network for these data: for images, train one with `gan-jax features DATA "
    "--out FILE.npz`, for recordings with --sound, and name it as "
    "features=features.classifier('FILE.npz') in the experiment, or to `gan-jax evaluate` as "
    "--features FILE.npz (mnist and spoken_digits are bundled); for other data, write a function "
    "of your own, features=features.function(f) or --features MODULE:FUNCTION"
)


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluator:
    """Real examples in a feature space, with which the samples of an experiment are compared.

    Without a feature network only `test_error` is measured, which needs no samples.

    Attributes:
        experiment: the configuration.
        network: whose features are compared, if there is one.
        training: the experiment's data; None without a network.
        held_out: real examples of the same kind that are not trained on, if there are any.
        fingerprint: of the held-out examples.
    """

    experiment: Experiment
    network: FeatureNetwork | None
    training: FeatureSet | None
    held_out: FeatureSet | None
    fingerprint: str | None

    @classmethod
    def of(cls, experiment: Experiment, network: FeatureNetwork | None = None) -> Self:
        """Prepares the references, from the cache if it has them.

        Args:
            experiment: the configuration.
            network: replaces the experiment's own.

        Raises:
            RequestError: there is nothing to measure, without a network and with a discriminator
                that is no classifier; the network does not take these data; data are missing; or
                held-out examples have a class that is not trained on.
        """
        network = network or network_of(experiment)
        label = classification.held_out_labels(experiment)
        if network is None:
            if label is None:
                raise RequestError(NO_NETWORK)
            return cls(experiment, None, None, None, experiment.data.held_out().fingerprint())
        if check := getattr(network, "check_data", None):
            check(experiment.data)
        apart = experiment.data.held_out()
        training = reference(experiment.data.load().sample, network)
        if apart is None:
            return cls(experiment, network, training, None, None)
        held_out = reference(apart.load().sample, network)
        return cls(experiment, network, training, held_out, apart.fingerprint())

    @property
    def features_sha256(self) -> str:
        """Which features are compared, as rows and records have it."""
        return features_fields(self.network)["features_sha256"]

    @property
    def split(self) -> str:
        """What the data call the examples that the generator learns from."""
        return self.experiment.data.split

    def scores(
        self,
        state: gan.GANState,
        count: int,
        key: int,
        *,
        raw: bool = False,
        names: Collection[str] | None = None,
    ) -> dict[str, Measured]:
        """Draws samples, turns them into what the data would store, and measures them.

        Where the data have labels, the samples' classes are drawn as often as the data have them.

        Args:
            state: a trained state.
            count: how many samples.
            key: seed of the latents, see `sampling.draw`.
            raw: use the generator's own parameters, not their moving average.
            names: which metrics; all if None. Those that cannot be measured are left out.

        Raises:
            RequestError: fewer than two samples, or samples that are not finite.
        """
        measured = {}
        if self.network is not None:
            labels = samples.draw_labels(self.experiment, key, count)
            generated = gather(self._extracted(state, count, key, raw, labels))
            measured = measure.measure(self._sides(generated, labels), names)
        if names is None or "test_error" in names:
            measured |= classification.test_error(self.experiment, state)
        return measured

    def floor(self, count: int) -> dict[str, Measured]:
        """Measures at most `count` held-out real examples as if they were samples.

        A generator that learns the distribution comes near to these values; one that copies the
        training examples may lie below them. Empty where nothing is held out.
        """
        if self.held_out is None:
            return {}
        sides = Sides(gather([self.held_out.first(count)]), self.training)
        # What samples are compared with held-out examples in, training examples are.
        other = Sides(gather([self.training.first(count)]), self.training, self.held_out)
        return measure.measure(sides) | measure.measure(other, OF_TEXT_HELD_OUT)

    def rows(
        self, measured: dict[str, Measured], parameters: str, **source: str | int
    ) -> list[Row]:
        """Makes rows of what `scores` or `floor` returned; see `rows.make_rows`.

        Args:
            measured: metrics by name.
            parameters: "ema", "raw", or "real" for the floor.
            source: where the samples come from.
        """
        apart = {} if self.fingerprint is None else {"held_out": self.fingerprint}
        return [
            row | (apart if parameters == "real" or row["metric"] in OF_HELD_OUT else {})
            for row in make_rows(
                measured, self.network, self.split, **source, parameters=parameters
            )
        ]

    def unavailable(self, count: int) -> dict[str, str]:
        """Returns the metrics that `count` samples do not allow, with what they lack.

        Empty without a feature network, as samples are not measured then.
        """
        if self.network is None:
            return {}
        like_samples = FeatureSet(self.training.moments, self.training.first(count))
        labels = samples.take_turns(self.experiment, count)
        return measure.unavailable(self._sides(like_samples, labels))

    def _sides(self, generated: FeatureSet, labels: Int32[np.ndarray, " count"] | None) -> Sides:
        intended = None
        if labels is not None and generated.kept.probabilities is not None:
            classes = generated.kept.probabilities.shape[1]
            positions = _positions(self.network, classes, self.experiment.data.class_names)
            if positions is not None:
                intended = positions[labels[: len(generated.kept.features)]]
        return Sides(generated, self.training, self.held_out, intended)

    def _extracted(
        self,
        state: gan.GANState,
        count: int,
        key: int,
        raw: bool,
        labels: Int32[np.ndarray, " count"] | None,
    ) -> Iterator[Extracted]:
        latents = samples.draw_latents(self.experiment, key, count)
        parts = samples.in_parts(self.experiment, state, latents, raw, labels)
        for drawn in announced(parts, samples.count_parts(count), "Drawing samples, in parts"):
            if not np.isfinite(drawn).all():
                raise RequestError(
                    f"the samples of step {state.step} are not finite: the run has diverged; "
                    "evaluate an earlier checkpoint"
                )
            yield self.network.extract(self.experiment.data.to_stored(drawn))


def _positions(
    network: FeatureNetwork, classes: int, class_names: Sequence[str]
) -> Int32[np.ndarray, " classes"] | None:
    """Returns which of a network's classes those of the data are, or None if they are others.

    Classes are the same by name; of a network that has no names for them, by number, if there are
    as many.
    """
    names = getattr(network, "class_names", None)
    if names is None:
        return np.arange(classes, dtype=np.int32) if classes == len(class_names) else None
    if set(names) != set(class_names):
        return None
    return np.array([names.index(name) for name in class_names], np.int32)


def how_drawn(
    experiment: Experiment, count: int, key: int, features_sha256: str | None = None
) -> dict[str, str | int]:
    """Returns the fields of a row that say how `Evaluator.scores` draws its samples.

    Without a feature network, as the hash then says, none are drawn.
    """
    if features_sha256 == NO_FEATURES:
        count = key = 0
    return {"key": key, "drawn": count} | ({"labels": LABELS} if experiment.data.labels else {})


def network_of(experiment: Experiment) -> FeatureNetwork | None:
    """Returns the experiment's feature network, or else the one bundled for its data, if any."""
    return experiment.features or experiment.data.features()


def bundled_network(data: Dataset) -> FeatureNetwork:
    """Returns the feature network that the package bundles for a data set.

    Raises:
        RequestError: there is none; says how to get a network.
    """
    network = data.features()
    if network is None:
        raise RequestError(NO_NETWORK)
    return network
