import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import losses
from gan_jax.common.errors import RequestError
from gan_jax.networks import semi_supervised
from gan_jax.networks.conditions import AuxiliaryClassifierOutput

REAL = np.array([-3.0, -0.5, 0.0, 2.0])
FAKE = np.array([1.0, -2.0, 0.3, 4.0])


def probability(logits):
    return 1 / (1 + np.exp(-logits))


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize("loss", [losses.NonSaturating(), losses.Minimax()])
def test_discriminator_loss_is_the_cross_entropy_of_both_halves(loss):
    expected = -np.log(probability(REAL)) - np.log(1 - probability(FAKE))
    close(loss.discriminator(jnp.array(REAL), jnp.array(FAKE)), expected)


@pytest.mark.parametrize("kind", [losses.NonSaturating, losses.Minimax])
def test_smoothing_is_one_sided(kind):
    real, fake = probability(REAL), probability(FAKE)
    expected = -0.9 * np.log(real) - 0.1 * np.log(1 - real) - np.log(1 - fake)
    close(kind(label_smoothing=0.1).discriminator(jnp.array(REAL), jnp.array(FAKE)), expected)


def test_generator_losses_are_those_of_the_paper():
    real, fake = jnp.array(REAL), jnp.array(FAKE)
    close(losses.NonSaturating().generator(real, fake), -np.log(probability(FAKE)))
    close(losses.Minimax().generator(real, fake), np.log(1 - probability(FAKE)))


def test_least_squares_are_those_of_the_paper():
    real, fake = jnp.array(REAL), jnp.array(FAKE)
    loss = losses.LeastSquares(fake_target=0.25, real_target=1.5, generator_target=0.75)
    close(loss.discriminator(real, fake), 0.5 * (REAL - 1.5) ** 2 + 0.5 * (FAKE - 0.25) ** 2)
    close(loss.generator(real, fake), 0.5 * (FAKE - 0.75) ** 2)


def test_hinge_and_wasserstein_are_those_of_the_papers():
    real, fake = jnp.array(REAL), jnp.array(FAKE)
    hinge, critic = losses.Hinge(), losses.Wasserstein()
    close(hinge.discriminator(real, fake), np.maximum(0, 1 - REAL) + np.maximum(0, 1 + FAKE))
    close(critic.discriminator(real, fake), FAKE - REAL)
    for loss in (hinge, critic):
        close(loss.generator(real, fake), -FAKE)


def test_relativistic_losses_are_those_of_the_paper():
    real, fake = jnp.array(REAL), jnp.array(FAKE)
    paired = losses.RelativisticPairing()
    close(paired.discriminator(real, fake), -np.log(probability(REAL - FAKE)))
    close(paired.generator(real, fake), -np.log(probability(FAKE - REAL)))
    average = losses.RelativisticAverage()
    over_fakes, over_real = REAL - FAKE.mean(), FAKE - REAL.mean()
    expected = -np.log(probability(over_fakes)) - np.log(1 - probability(over_real))
    close(average.discriminator(real, fake), expected)
    expected = -np.log(probability(over_real)) - np.log(1 - probability(over_fakes))
    close(average.generator(real, fake), expected)


ALL = [
    losses.NonSaturating(0.1),
    losses.Minimax(0.1),
    losses.LeastSquares(),
    losses.Hinge(),
    losses.Wasserstein(),
    losses.RelativisticPairing(),
    losses.RelativisticAverage(),
]


@pytest.mark.parametrize("loss", ALL)
def test_the_players_pull_logits_apart_and_together(loss):
    """The discriminator raises real logits over fake ones; the generator raises the fakes'."""
    logits = jnp.array([0.0, 0.0])  # undecided
    to_real, to_fake = jax.grad(lambda pair: loss.discriminator(*pair).sum())((logits, logits))
    assert (to_real < 0).all() and (to_fake > 0).all()
    _, to_fake = jax.grad(lambda pair: loss.generator(*pair).sum())((logits, logits - 0.1))
    assert (to_fake < 0).all()


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("logit", [-200.0, 200.0])
def test_finite_with_finite_gradients_at_extreme_logits(loss, logit):
    for function in (loss.discriminator, loss.generator):
        value, gradients = jax.value_and_grad(
            lambda pair, function=function: function(*pair).sum()
        )((jnp.array([logit]), jnp.array([logit])))
        assert np.isfinite(value)
        assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_gradient_vanishes_for_sure_fakes_with_minimax_only():
    sure = jnp.array([-20.0])
    saturating = jax.grad(lambda fake: losses.Minimax().generator(sure, fake).sum())(sure)
    strong = jax.grad(lambda fake: losses.NonSaturating().generator(sure, fake).sum())(sure)
    close(saturating, -probability(-20.0))
    close(strong, -1 + probability(-20.0))


@pytest.mark.parametrize("wrong", [-0.1, 1.0, True, float("nan")])
def test_wrong_smoothing_is_refused(wrong):
    with pytest.raises(RequestError, match=r"NonSaturating\.label_smoothing"):
        losses.NonSaturating(label_smoothing=wrong)


@pytest.mark.parametrize("fraction, count", [(0.5, 2), (1.0, 4), (0.01, 1)])
def test_top_k_is_the_mean_loss_of_the_best_fakes(fraction, count):
    real, fake = jnp.array(REAL), jnp.array(FAKE)
    top = losses.TopK(losses.Hinge(), fraction)
    close(top.generator(real, fake).mean(), -np.sort(FAKE)[-count:].mean())
    close(top.discriminator(real, fake), losses.Hinge().discriminator(real, fake))
    gradient = jax.grad(lambda fake: top.generator(real, fake).mean())(fake)
    assert np.count_nonzero(gradient) == count


@pytest.mark.parametrize("loss", [losses.RelativisticAverage(), losses.RelativisticPairing()])
def test_top_k_gives_the_other_fakes_no_gradient_where_fakes_are_compared(loss):
    real, fake = jnp.array([0.3, -1.0, 2.0, 0.5]), jnp.array([1.0, -2.0, 0.0, 3.0])
    top = losses.TopK(loss, 0.5)
    gradient = jax.grad(lambda fake: top.generator(real, fake).mean())(fake)
    kept = jnp.array([3, 0])
    expected = jax.grad(lambda best: loss.generator(real[kept], best).mean())(fake[kept])
    np.testing.assert_array_equal(gradient[jnp.array([1, 2])], 0)
    np.testing.assert_allclose(gradient[kept], expected, rtol=1e-6)


def test_top_k_keeps_as_many_where_logits_are_equal():
    value = losses.TopK(losses.Hinge(), 0.5).generator(jnp.zeros(4), jnp.ones(4))
    assert np.count_nonzero(value) == 2


def test_the_auxiliary_classifier_adds_the_cross_entropy_of_labels():
    real = AuxiliaryClassifierOutput(jnp.array(REAL), jnp.array([0.1, 0.2, 0.3, 0.4]))
    fake = AuxiliaryClassifierOutput(jnp.array(FAKE), jnp.array([1.0, 2.0, 3.0, 4.0]))
    loss, plain = losses.AuxiliaryClassifier(losses.Hinge(), weight=0.5), losses.Hinge()
    of_labels = np.array([0.55, 1.1, 1.65, 2.2])
    expected = plain.discriminator(real.logits, fake.logits) + of_labels
    close(loss.discriminator(real, fake), expected)
    expected = plain.generator(real.logits, fake.logits) + np.array([0.5, 1.0, 1.5, 2.0])
    close(loss.generator(real, fake), expected)


def semi_supervised_outputs():
    random = np.random.default_rng(0)

    def output(shift):
        class_logits = random.normal(size=(6, 3)) + shift
        features = jnp.asarray(random.normal(size=(6, 5)))
        logits = jax.nn.logsumexp(jnp.asarray(class_logits), axis=1)
        return semi_supervised.Output(logits, jnp.asarray(class_logits), features)

    return output(1.0), output(-1.0)


def test_the_semi_supervised_loss_is_that_of_a_classifier_with_a_class_for_fakes():
    real, fake = semi_supervised_outputs()
    label = np.array([0, -1, 2, -1, -1, 1])
    known = label >= 0

    def probabilities(output):  # Salimans et al. (2016), section 5: a further logit of 0 is "fake"
        logits = np.concatenate([output.class_logits, np.zeros((6, 1))], axis=1)
        return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)

    of_real, of_fake = probabilities(real), probabilities(fake)
    given_real = of_real[:, :3] / of_real[:, :3].sum(1, keepdims=True)
    supervised = -np.log(given_real[known, label[known]]).mean()
    unsupervised = -np.log(1 - of_real[~known, 3]).mean() - np.log(of_fake[:, 3]).mean()
    found = losses.SemiSupervised(0.7).discriminator(real, fake, jnp.asarray(label))
    assert found.shape == (6,)
    close(found.mean(), supervised + 0.7 * unsupervised / 2)
    without = losses.SemiSupervised().discriminator(real, fake, jnp.full(6, -1))
    close(without.mean(), (-np.log(1 - of_real[:, 3]) - np.log(of_fake[:, 3])).mean() / 2)


def test_the_generator_matches_mean_features():
    real, fake = semi_supervised_outputs()
    label = np.array([0, -1, 2, -1, -1, 1])
    found = losses.SemiSupervised().generator(real, fake, jnp.asarray(label))
    assert found.shape == (6,)
    difference = np.mean(real.features[label < 0], 0) - np.mean(fake.features, 0)
    close(found.mean(), np.mean(difference**2))


def test_top_k_and_the_auxiliary_classifier_combine_in_either_order():
    real = AuxiliaryClassifierOutput(jnp.array(REAL), jnp.zeros(4))
    fake = AuxiliaryClassifierOutput(jnp.array(FAKE), jnp.zeros(4))
    top, told = losses.TopK, losses.AuxiliaryClassifier
    expected = top(losses.Hinge()).generator(real.logits, fake.logits)
    close(told(top(losses.Hinge())).generator(real, fake), expected)
    close(top(told(losses.Hinge())).generator(real, fake), expected)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: losses.TopK(fraction=0.0), r"TopK\.fraction = 0\.0: must be above 0"),
        (lambda: losses.TopK(losses.Hinge), r"TopK\.loss .* parentheses"),
        (lambda: losses.AuxiliaryClassifier(weight=-1.0), r"AuxiliaryClassifier\.weight = -1"),
    ],
)
def test_wrong_fields_are_refused(make, message):
    with pytest.raises(RequestError, match=message):
        make()


def test_which_losses_make_logits_log_odds():
    yes = (losses.NonSaturating(), losses.Minimax(), losses.TopK(losses.Minimax()))
    no = (losses.Hinge(), losses.LeastSquares(), losses.TopK(losses.Wasserstein()), object())
    assert [losses.gives_log_odds(loss) for loss in (*yes, *no)] == [True] * 3 + [False] * 4


def test_which_losses_allow_any_offset_of_their_logits():
    yes = (losses.Wasserstein(), losses.RelativisticAverage(), losses.TopK(losses.Wasserstein()))
    no = (losses.Hinge(), losses.TopK(losses.Minimax()))
    assert [losses.allows_any_offset(loss) for loss in (*yes, *no)] == [True] * 3 + [False] * 2
    real, fake = jnp.asarray(REAL), jnp.asarray(FAKE)
    difference = losses.Wasserstein().discriminator
    close(difference(real + 3, fake + 3), difference(real, fake))
    for player in (
        losses.RelativisticAverage().discriminator,
        losses.RelativisticAverage().generator,
    ):
        close(player(real + 3, fake + 3), player(real, fake))


def test_top_k_of_top_k_is_refused():
    with pytest.raises(RequestError, match="is itself a TopK"):
        losses.TopK(losses.TopK())
