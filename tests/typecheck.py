"""The type checker of the tests, for which an int is also a float, as in PEP 484."""

import beartype

checked = beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))
