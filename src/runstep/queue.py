"""`tf.queue`: queues (source: tf.compat.v1.queue)."""

from runstep.ops.data_flow import (
    FIFOQueue as FIFOQueue,
)
from runstep.ops.data_flow import (
    PaddingFIFOQueue as PaddingFIFOQueue,
)
from runstep.ops.data_flow import (
    PriorityQueue as PriorityQueue,
)
from runstep.ops.data_flow import (
    QueueBase as QueueBase,
)
from runstep.ops.data_flow import (
    RandomShuffleQueue as RandomShuffleQueue,
)
