import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.common.errors import RequestError
from gan_jax.optimizers import Adam, Schedule, clip_weights, from_optax


def steps(optimizer, gradients):
    """Parameter after each update, from 0, of a scalar with the given gradients."""
    transformation, parameter = optimizer.build(), jnp.zeros(())
    state, trace = transformation.init(parameter), []
    for gradient in gradients:
        update, state = transformation.update(jnp.array(gradient), state, parameter)
        parameter = parameter + update
        trace.append(float(parameter))
    return np.array(trace)


def test_adam_is_that_of_the_paper_and_of_optax():
    gradients = [1e-6, -2e-6, 5e-7]  # as small as this, the place of eps matters
    theirs = from_optax(optax.adam, learning_rate=1e-4)
    np.testing.assert_allclose(steps(Adam(1e-4), gradients), steps(theirs, gradients), rtol=1e-6)
    in_keras = steps(Adam(1e-4, form="keras"), gradients)
    assert np.abs(in_keras / steps(theirs, gradients) - 1).min() > 0.01


def test_adam_in_the_form_of_keras_by_hand():
    rate, b1, b2, eps = 0.1, 0.8, 0.9, 1e-3
    first, second, parameter, expected = 0.0, 0.0, 0.0, []
    for t, gradient in enumerate([0.5, -1.0, 2.0], start=1):
        first = b1 * first + (1 - b1) * gradient
        second = b2 * second + (1 - b2) * gradient**2
        corrected_rate = rate * (1 - b2**t) ** 0.5 / (1 - b1**t)
        parameter -= corrected_rate * first / (second**0.5 + eps)
        expected.append(parameter)
    np.testing.assert_allclose(
        steps(Adam(rate, b1, b2, eps, "keras"), [0.5, -1.0, 2.0]), expected, rtol=1e-5
    )


@pytest.mark.parametrize("form", ["paper", "keras"])
def test_adam_with_a_schedule_of_b2_by_hand(form):
    rate, eps, second, parameter, expected = 0.1, 1e-2, 0.0, 0.0, []
    gradients = [0.5, -0.01, 2.0, 0.3]
    for t, gradient in enumerate(gradients, start=1):
        b2 = [0.9, 0.92, 0.94, 0.96][t - 1]
        second = b2 * second + (1 - b2) * gradient**2
        corrected = (second / (1 - b2**t)) ** 0.5
        added = eps if form == "paper" else eps / (1 - b2**t) ** 0.5
        parameter -= rate * gradient / (corrected + added)
        expected.append(parameter)
    ours = Schedule("linear", steps=4, start=0.9, end=0.98)
    for b2 in (ours, from_optax(optax.linear_schedule, 0.9, 0.98, 4)):
        adam = Adam(rate, b1=0.0, b2=b2, eps=eps, form=form)
        np.testing.assert_allclose(steps(adam, gradients), expected, rtol=1e-4)


def test_a_constant_schedule_of_b2_is_the_number():
    gradients = [0.5, -1.0, 2.0]
    for form in ("paper", "keras"):
        number, schedule = (Adam(0.1, b2=b2, form=form) for b2 in (0.9, Schedule(start=0.9)))
        np.testing.assert_allclose(steps(number, gradients), steps(schedule, gradients), rtol=1e-5)


def test_schedule_multiplies_the_learning_rate():
    schedule = from_optax(optax.linear_schedule, init_value=1.0, end_value=0.0, transition_steps=2)
    plain, scheduled = steps(Adam(0.1), [1.0] * 3), steps(Adam(0.1, schedule=schedule), [1.0] * 3)
    factors = np.diff(scheduled, prepend=0.0) / np.diff(plain, prepend=0.0)
    np.testing.assert_allclose(factors, [1.0, 0.5, 0.0], atol=1e-6)


def test_any_optax_transformation_with_a_schedule_inside():
    schedule = from_optax(optax.linear_schedule, init_value=0.5, end_value=0.0, transition_steps=2)
    optimizer = from_optax(optax.sgd, learning_rate=schedule)
    np.testing.assert_allclose(steps(optimizer, [1.0, 1.0, 1.0]), [-0.5, -0.75, -0.75])


def test_a_chain_of_descriptions_clips_and_then_descends():
    clipped = from_optax(
        optax.chain, from_optax(optax.clip, 0.5), from_optax(optax.sgd, learning_rate=1.0)
    )
    np.testing.assert_allclose(steps(clipped, [0.25, 3.0]), [-0.25, -0.75])


def test_arguments_may_be_dictionaries():
    drop = from_optax(
        optax.piecewise_constant_schedule, init_value=1.0, boundaries_and_scales={1: 0.1}
    )
    np.testing.assert_allclose(
        steps(from_optax(optax.sgd, learning_rate=drop), [1.0, 1.0]), [-1.0, -1.1], rtol=1e-6
    )
    assert hash(drop) != hash(from_optax(optax.piecewise_constant_schedule, init_value=1.0))


def test_misspelled_arguments_and_raw_schedules_are_refused():
    with pytest.raises(RequestError, match=r"rmsprop.*learning_rat"):
        from_optax(optax.rmsprop, learning_rat=1e-3)
    with pytest.raises(RequestError, match=r"Adam\.schedule = .*: has no method build"):
        Adam(schedule=optax.constant_schedule(1.0))


def test_descriptions_are_values():
    def make():
        inner = from_optax(optax.constant_schedule, value=0.1)
        return from_optax(optax.sgd, learning_rate=inner, nesterov=False)

    assert make() == make()
    assert hash(make()) == hash(make())
    assert make() != from_optax(optax.sgd, learning_rate=0.1)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"learning_rate": -1.0}, "must be at least 0"),
        ({"b1": 1.0}, "must be at least 0 and below 1"),
        ({"b2": 1}, "= 1: must be at least 0 and below 1"),
        ({"b2": float("nan")}, "= nan: must be at least 0 and below 1"),
        ({"b2": True}, r"no method build; give a number at least 0 and below 1, or Schedule\("),
        ({"b2": "0.9"}, r"no method build; give a number at least 0 and below 1, or Schedule\("),
        ({"b2": Schedule("linear", 10)}, r"= Schedule\(.*: must be at least 0 and below 1"),
        ({"b2": Adam()}, "is not a schedule; give a number at least 0 and below 1"),
        ({"eps": float("inf")}, "expected a finite number"),
        ({"schedule": 0.5}, r"no method build; give Schedule\("),
    ],
)
def test_wrong_fields_are_refused(wrong, message):
    with pytest.raises(RequestError, match=rf"Adam\.{next(iter(wrong))} .*{message}"):
        Adam(**wrong)


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_schedules_rise_hold_and_fall(shape):
    schedule = Schedule(shape, steps=20, warm_up=4, hold=10).build()
    found = np.array([float(schedule(step)) for step in range(25)])
    np.testing.assert_allclose(found[:4], [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(found[4:11], 1.0)
    assert found[15] == pytest.approx(0.5)  # half of the way, of either shape
    assert (np.diff(found[10:21]) < 0).all()
    np.testing.assert_allclose(found[20:], 0.0, atol=1e-7)


@pytest.mark.parametrize("end", [0.0, 0.1])
@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_schedules_are_those_of_optax(shape, end):
    theirs = {
        "linear": optax.linear_schedule(1.0, end, 30),
        "cosine": optax.cosine_decay_schedule(1.0, 30, alpha=end),
    }[shape]
    ours = Schedule(shape, steps=30, end=end).build()
    steps_ = jnp.arange(40)
    np.testing.assert_allclose(ours(steps_), theirs(steps_), atol=1e-6)


@pytest.mark.parametrize("start, end", [(0.9, 0.99), (0.0, 0.55), (2e-4, 5e-5), (3.0, 0.0)])
def test_schedules_change_from_any_number_to_any_other(start, end):
    steps_ = np.arange(80)
    way = np.clip((steps_ - 10) / 40, 0, 1)
    shapes = {"linear": way, "cosine": (1 - np.cos(np.pi * way)) / 2}
    for shape, done in shapes.items():
        schedule = Schedule(shape, steps=50, hold=10, start=start, end=end)
        expected = start + (end - start) * done
        np.testing.assert_allclose(schedule.build()(steps_), expected, rtol=1e-5, atol=1e-7)
        assert schedule.largest == max(start, end)
    warm = Schedule(start=start, warm_up=4)
    np.testing.assert_allclose(warm.build()(np.arange(6)), start * np.array([1, 2, 3, 4, 4, 4]) / 4)
    assert warm.largest == start


def test_a_schedule_of_ones_is_left_out():
    parts = Adam().build().init(jnp.zeros(()))
    assert len(parts) == 2
    assert len(Adam(schedule=Schedule(warm_up=5)).build().init(jnp.zeros(()))) == 3


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"shape": "linear"}, r"Schedule\.steps = None: must be above 0"),
        ({"shape": "cosine", "steps": 5, "warm_up": 5}, r"must be above 5, where the cosine"),
        ({"shape": "linar", "steps": 5}, r"did you mean 'linear'"),
        ({"warm_up": -1}, r"Schedule\.warm_up = -1"),
        ({"end": -0.1}, r"Schedule\.end = -0\.1: must be at least 0"),
        ({"start": -0.1}, r"Schedule\.start = -0\.1: must be at least 0"),
        ({"steps": 9}, r"Schedule\.steps = 9: needs a shape that decays"),
        ({"hold": 9}, r"Schedule\.hold = 9: needs a shape that decays"),
    ],
)
def test_wrong_schedules_are_refused(wrong, message):
    with pytest.raises(RequestError, match=message):
        Schedule(**wrong)


def test_clipped_weights_stay_within_the_bound():
    descent = from_optax(optax.sgd, learning_rate=1.0)
    clipped = from_optax(optax.chain, descent, from_optax(clip_weights, 0.3))
    np.testing.assert_allclose(
        steps(clipped, [-0.2, -5.0, 0.1, 9.0]), [0.2, 0.3, 0.2, -0.3], atol=1e-6
    )
    with pytest.raises(RequestError, match=r"clip_weights: bound = 0"):
        clip_weights(0)


def test_accumulated_gradients_are_those_of_a_large_batch():
    """optax.MultiSteps averages over steps: two of them are one with the mean gradient."""
    accumulated = from_optax(
        optax.MultiSteps, from_optax(optax.sgd, learning_rate=1.0), every_k_schedule=2
    )
    np.testing.assert_allclose(steps(accumulated, [1.0, 3.0, 0.0, 2.0]), [0.0, -2.0, -2.0, -3.0])


def test_an_optimizer_is_not_a_schedule():
    with pytest.raises(
        RequestError, match=r"Adam\.schedule = Adam\(.*: is not a schedule; give Sched"
    ):
        Adam(schedule=Adam())
