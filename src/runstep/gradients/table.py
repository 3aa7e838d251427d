"""All gradients: importing this module fills the table."""

from __future__ import annotations

import runstep.gradients.arithmetic
import runstep.gradients.basic
import runstep.gradients.cast  # noqa: F401
