"""How the signatures of lta are checked under pytest.

The contracts of lta.protocols are left to the type checker and to lta.testing: beartype refuses protocols that can't be
asked with isinstance, and isinstance on Python 3.12 does not see what lies in a module's `_modules` (a network's
`attention`), nor could a test pretend only the members that it is about.
"""

from typing import Protocol

import beartype
from beartype import BeartypeConf, FrozenDict

from lta import protocols

CONTRACTS = [
    one for one in vars(protocols).values() if isinstance(one, type) and Protocol in one.__mro__ and one is not Protocol
]

check = beartype.beartype(
    conf=BeartypeConf(is_pep484_tower=True, hint_overrides=FrozenDict(dict.fromkeys(CONTRACTS, object)))
)
