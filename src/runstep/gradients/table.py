"""All gradients: importing this module fills the table."""

from __future__ import annotations

import runstep.gradients.arithmetic
import runstep.gradients.basic
import runstep.gradients.cast
import runstep.gradients.control_flow
import runstep.gradients.conv
import runstep.gradients.image
import runstep.gradients.pooling  # noqa: F401
