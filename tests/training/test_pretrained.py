import jax
import numpy as np
import pytest

from gan_jax import guard, runs
from gan_jax.common.errors import RequestError
from gan_jax.networks import dcgan
from gan_jax.training.pretrained import InitFrom, load_pretrained
from gan_jax.training.train import train
from tests.states import assert_same_bits
from tests.tiny import init, tiny


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("pretrained") / "run"
    train(tiny(steps=3, ema_decay=0.5), workdir)
    return workdir


def test_both_players_are_taken_and_the_generator_from_the_average(source):
    said = []
    fresh = init(tiny(), 9)
    state = load_pretrained(InitFrom(source), fresh, said.append)
    trained = runs.load(source).state
    assert_same_bits((state.generator.params, state.generator.variables), trained.ema)
    assert_same_bits(state.discriminator.params, trained.discriminator.params)
    assert_same_bits(state.discriminator.opt_state, fresh.discriminator.opt_state)
    assert len(said) == 2 and "generator: took 16 arrays" in said[0]


def test_one_player_can_be_taken_alone(source):
    fresh = init(tiny(), 9)
    state = load_pretrained(InitFrom(source, ("generator",)), fresh, print)
    assert_same_bits(state.discriminator, fresh.discriminator)
    assert not np.array_equal(
        state.generator.params["Dense_0"]["kernel"], fresh.generator.params["Dense_0"]["kernel"]
    )


def test_another_shape_is_refused_by_name_unless_partial(source):
    wider = tiny(discriminator=dcgan.Discriminator(width=3))
    fresh = init(wider, 9)
    with pytest.raises(RequestError, match=r"discriminator\.Conv_0\.\w+ is \[.*2\].*\[.*3\]"):
        load_pretrained(InitFrom(source), fresh, print)
    said = []
    state = load_pretrained(InitFrom(source, partial=True), fresh, said.append)
    assert_same_bits(state.discriminator.params["Conv_0"], fresh.discriminator.params["Conv_0"])
    assert any("left at random" in line and "Conv_0.kernel" in line for line in said)


@pytest.mark.slow
def test_a_run_that_starts_from_another_resumes_as_such(source, tmp_path):
    start = InitFrom(source)
    train(tiny(steps=2), tmp_path / "run", init_from=start)
    first = (tmp_path / "run" / "log.txt").read_text()
    assert "generator: took" in first
    with pytest.raises(RequestError, match="init_from"):
        train(tiny(steps=4), tmp_path / "run")
    train(tiny(steps=4), tmp_path / "run", init_from=start)
    whole = tmp_path / "whole"
    train(tiny(steps=4), whole, init_from=start)
    assert_same_bits(runs.load(whole).state, runs.load(tmp_path / "run").state)


def test_training_with_an_average_goes_on_from_another_run(source, tmp_path):
    start = InitFrom(source)
    assert train(tiny(steps=2, ema_decay=0.9), tmp_path / "run", init_from=start)
    assert int(runs.load(tmp_path / "run").state.step) == 2


def test_the_average_starts_at_the_parameters_taken(source):
    state = load_pretrained(InitFrom(source), init(tiny(ema_decay=0.9), 9), print)
    jax.tree.map(
        np.testing.assert_array_equal,
        state.ema,
        (state.generator.params, state.generator.variables),
    )


def test_a_guard_goes_back_to_the_parameters_taken(source):
    state = load_pretrained(InitFrom(source), init(tiny(guard=guard.Guard()), 9), print)
    assert_same_bits(state.guard.snapshot, guard.snapshot(state))
