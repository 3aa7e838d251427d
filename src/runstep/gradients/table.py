"""All gradients: importing this module fills the table."""

from __future__ import annotations

import runstep.gradients.arithmetic
import runstep.gradients.basic
import runstep.gradients.cast
import runstep.gradients.control_flow  # noqa: F401
