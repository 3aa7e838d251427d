"""`import runstep.compat.v1 as tf` is `import runstep as tf`: the names there are those of version 1."""

import sys
from typing import TYPE_CHECKING

import runstep

if TYPE_CHECKING:
    from runstep import *  # noqa: F403

sys.modules[__name__] = runstep
