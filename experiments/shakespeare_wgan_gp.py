"""Shakespeare, character by character: WGAN-GP on text (Gulrajani et al., 2017).

    gan-jax train experiments/shakespeare_wgan_gp.py --data.path input.txt

Windows of 32 characters of the file that Karpathy (2015) calls tiny Shakespeare, which has 65
different ones, or of any other text: give its path, and with --data.vocabulary and
--generator.vocabulary how many symbols it has. As in the paper: residual networks of
one-dimensional convolutions, the Wasserstein loss with a gradient penalty of weight 10, and Adam
with decay rates 0.5 and 0.9. For a CPU, the networks are narrower than theirs (64 channels, not
512), the critic takes one step per step of the generator, not ten, at twice its learning rate
(Heusel et al., 2017), and both rates are larger than theirs (1e-4) and fall to 0 in the second
half.

Measured at commit 71b4959 with --seeds 0:4 on 2,000 samples (Python 3.12, JAX 0.12.0.1, two x86
cores): the Jensen-Shannon divergence of 4-grams from held-out text is 0.496 bits (0.471 to 0.521),
that of single characters 0.015 (0.011 to 0.019); 35.3 % (32.2 to 38.3) of the words are known.
These are means with 95 % intervals over seeds, with features token-counts 28e888a55d52. Counting
which character follows the two before has 0.342, 0.003 and 41.4 % (docs/howto/text.md). The steps
of one seed take 17 minutes. Seed 0 alone, at commit 9c2cc79 with 50,000 steps and schedules as long
(command in docs/howto/text.md), has 0.445 (0.441 to 0.449) and 0.015 (0.014 to 0.016) bits, with
95 % intervals over samples, and knows 43.2 % (42.2 to 44.3) of the words; it took 100 minutes of
two other x86 cores (Zen 3), at 8.4 steps a second.
"""

from gan_jax.data import text
from gan_jax.experiment import Experiment
from gan_jax.losses import Wasserstein
from gan_jax.networks import text as networks
from gan_jax.optimizers import Adam, Schedule
from gan_jax.penalties import GradientPenalty

VOCABULARY, LENGTH, STEPS = 66, 32, 16_000
falling = Schedule("linear", STEPS, hold=STEPS // 2)

experiment = Experiment(
    generator=networks.Generator(VOCABULARY, LENGTH),
    discriminator=networks.Discriminator(),
    data=text.characters("input.txt", VOCABULARY, LENGTH),
    latent_size=128,
    loss=Wasserstein(),
    penalties=(GradientPenalty(10.0),),
    generator_optimizer=Adam(5e-4, b1=0.5, b2=0.9, schedule=falling),
    discriminator_optimizer=Adam(1e-3, b1=0.5, b2=0.9, schedule=falling),
    update_order="alternating",
    batch_size=64,
    ema_decay=0.999,
    steps=STEPS,
    evaluate_every=2000,
    evaluate_samples=2000,
    best_metric="ngram_divergence_4",
)
