"""The type checker of the tests: an int is a float too, as PEP 484 has it."""

import beartype

checked = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))
