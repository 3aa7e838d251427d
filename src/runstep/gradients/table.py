"""All gradients: importing this module fills the table."""

from __future__ import annotations

import runstep.gradients.activation
import runstep.gradients.arithmetic
import runstep.gradients.basic
import runstep.gradients.cast
import runstep.gradients.contraction
import runstep.gradients.control_flow
import runstep.gradients.conv
import runstep.gradients.cumulative
import runstep.gradients.data_flow
import runstep.gradients.elementwise
import runstep.gradients.fft
import runstep.gradients.functional
import runstep.gradients.image
import runstep.gradients.indexing
import runstep.gradients.joining
import runstep.gradients.linalg
import runstep.gradients.linalg_factors
import runstep.gradients.logging
import runstep.gradients.loss
import runstep.gradients.matmul
import runstep.gradients.matrix_diag
import runstep.gradients.nondifferentiable
import runstep.gradients.normalization
import runstep.gradients.optional
import runstep.gradients.patches
import runstep.gradients.pooling
import runstep.gradients.quantization
import runstep.gradients.ragged
import runstep.gradients.random
import runstep.gradients.rearranging
import runstep.gradients.recurrent
import runstep.gradients.reduction
import runstep.gradients.script
import runstep.gradients.segment
import runstep.gradients.selecting
import runstep.gradients.shape_ops
import runstep.gradients.slicing
import runstep.gradients.sparse
import runstep.gradients.special
import runstep.gradients.tensor_array
import runstep.gradients.tensor_list
import runstep.gradients.topk  # noqa: F401
