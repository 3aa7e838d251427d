"""`tf.image`: images (source: tf.compat.v1.image)."""

from runstep.ops.nn_pooling import (
    extract_image_patches as extract_patches,
)
from runstep.ops.random import (
    random_crop as random_crop,
)
from runstep.ops.rearranging import (
    transpose as transpose_image,
)
