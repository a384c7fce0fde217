"""Names of the ways in which seeds share the devices.

In a module of their own, as the command line needs them before it imports JAX.
"""

from typing import Literal

Strategy = Literal["auto", "map", "vmap", "shard", "shard-vmap"]  # see `parallel_seeds.make_plan`
