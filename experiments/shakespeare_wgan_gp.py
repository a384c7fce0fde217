"""Shakespeare, character by character: WGAN-GP on text (Gulrajani et al., 2017).

    gan-jax train experiments/shakespeare_wgan_gp.py --data.path input.txt

Windows of 32 characters of the file that Karpathy (2015) calls tiny Shakespeare, which has 65
different ones, or of any other text: give its path, and with --data.vocabulary and
--generator.vocabulary how many symbols it has. As in the paper: residual networks of
one-dimensional convolutions, the Wasserstein loss with a gradient penalty of weight 10, and Adam
with learning rate 1e-4 and decay rates 0.5 and 0.9. The networks are narrower than theirs (64
channels, not 512), and the critic has five steps for each step of the generator, not ten.

Not measured yet.
"""

from gan_jax.data import text
from gan_jax.experiment import Experiment
from gan_jax.losses import Wasserstein
from gan_jax.networks import text as networks
from gan_jax.optimizers import Adam
from gan_jax.penalties import GradientPenalty

VOCABULARY, LENGTH = 66, 32
adam = Adam(1e-4, b1=0.5, b2=0.9)

experiment = Experiment(
    generator=networks.Generator(VOCABULARY, LENGTH),
    discriminator=networks.Discriminator(),
    data=text.characters("input.txt", VOCABULARY, LENGTH),
    latent_size=128,
    loss=Wasserstein(),
    penalties=(GradientPenalty(10.0),),
    generator_optimizer=adam,
    discriminator_optimizer=adam,
    update_order="alternating",
    discriminator_steps=5,
    batch_size=64,
    steps=10_000,
    evaluate_every=1000,
    evaluate_samples=2000,
    best_metric="ngram_divergence_4",
)
