import dataclasses

import pytest

from gan_jax import losses, penalties
from gan_jax.common.errors import RequestError
from gan_jax.experiment import half_life
from gan_jax.networks import dcgan
from gan_jax.optimizers import Adam, Schedule
from tests.tiny import tiny


def test_is_a_value():
    assert tiny() == tiny()
    assert hash(tiny()) == hash(tiny())
    assert tiny() != tiny(seed=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        tiny().steps = 3


def round_up(pixels):
    return pixels


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": -1}, "Experiment.steps = -1: must be at least 1"),
        ({"steps": 0}, "Experiment.steps = 0"),
        ({"steps": "12"}, "Experiment.steps = '12': expected int | None"),
        ({"steps": 1.5}, "Experiment.steps = 1.5"),
        ({"batch_size": True}, "Experiment.batch_size = True: expected int"),
        ({"epochs": 3}, "give one of the two"),
        ({"steps": None}, "give one of the two"),
        ({"ema_decay": 1.0}, "Experiment.ema_decay = 1.0: must be at least 0 and below 1"),
        ({"ema_decay": float("nan")}, "Experiment.ema_decay = nan: expected a finite number"),
        ({"update_order": "alternate"}, "did you mean 'alternating'?"),
        ({"generator_batch": "fresch"}, "did you mean 'fresh'?"),
        ({"generator_batch": "fresh"}, "'fresh': needs update_order = 'alternating', not 'simul"),
        ({"ema_schedule": Schedule(warm_up=9)}, "changes the half-life of ema_decay, which is 0"),
        ({"ema_schedule": 0.5, "ema_decay": 0.9}, "Experiment.ema_schedule = 0.5: has no method"),
        ({"ema_schedule": Adam(), "ema_decay": 0.9}, "is not a schedule; give Schedule("),
        ({"latent_distribution": "gauss"}, "one of 'normal', 'uniform'"),
        ({"seed": -1}, "Experiment.seed = -1"),
        ({"seed": 2**32}, "seed = 4294967296: must be at least 0 and below 4294967296"),
        ({"loss": losses.Minimax}, "is a class; did you forget the parentheses, as in Minimax()?"),
        ({"features": round_up}, "as in round_up()?; give features.mnist() or"),
        ({"generator": dcgan.Generator}, "did you forget the parentheses"),
        ({"data": "mnist"}, "Experiment.data = 'mnist': has no method load"),
        ({"penalties": penalties.R1()}, "Experiment.penalties"),
        ({"penalties": (1,)}, "Experiment.penalties[0] = 1: has no method __call__"),
        ({"generator_optimizer": 1e-4}, "Experiment.generator_optimizer = 0.0001"),
    ],
)
def test_wrong_fields_are_named(changes, message):
    with pytest.raises(RequestError) as error:
        tiny(**changes)
    assert message in str(error.value)


def test_unhashable_parts_are_refused():
    class Unhashable(Adam):
        __hash__ = None

    with pytest.raises(RequestError, match="must be hashable"):
        tiny(generator_optimizer=Unhashable())

    @dataclasses.dataclass
    class Mine:
        def discriminator(self, real_logits, fake_logits):
            return fake_logits - real_logits

        def generator(self, real_logits, fake_logits):
            return -fake_logits

    with pytest.raises(RequestError, match=r"hashable .*; use @dataclass\(frozen=True\)"):
        tiny(loss=Mine())


def test_epochs_become_steps_rounded_up():
    count = tiny().data.count
    assert tiny(steps=None, epochs=3).total_steps() == -(-3 * count // 16)
    twice = tiny(steps=None, epochs=3, discriminator_steps=2)
    assert twice.total_steps() == -(-3 * count // 32)
    own = dataclasses.replace(twice, update_order="alternating", generator_batch="fresh")
    assert (own.batches_per_step, own.examples_per_step) == (3, 48)
    assert own.total_steps() == -(-3 * count // 48)


def test_the_reference_recipe_takes_11719_steps():
    class SixtyThousand:
        count, labels, sample_shape = 60_000, False, (8, 8, 1)
        stored = split = classes = class_names = samples_per_page = suffixes = None
        final_suffixes = ()

        def load(self): ...

        indices = fingerprint = gather = prepare = to_stored = page = cells = load
        write = read = held_out = features = fitted = load

    whole = tiny(steps=None, epochs=50, batch_size=256, data=SixtyThousand())
    assert whole.total_steps() == 11_719


def test_data_that_lack_a_part_of_the_contract_are_refused():
    class Partial:
        def load(self): ...

        indices = fingerprint = gather = prepare = to_stored = page = cells = load
        write = read = held_out = features = fitted = load

    with pytest.raises(RequestError, match=r"has no labels and no sample_shape .* no suffixes"):
        tiny(data=Partial())


def test_half_life_is_where_a_batch_weighs_half():
    assert half_life(1000, 100) ** 10 == pytest.approx(0.5)
    for wrong in ((0, 1), (1, 0), (1e-5, 64), (1e20, 64)):
        with pytest.raises(RequestError, match=r"half_life\("):
            half_life(*wrong)
