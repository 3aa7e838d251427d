"""`tf.version`: the TensorFlow whose API this is (source: tf.compat.v1.version). Our own: `runstep.__version__`."""

from runstep.graph.graph import PRODUCER as GRAPH_DEF_VERSION

__all__ = [
    "COMPILER_VERSION",
    "GIT_VERSION",
    "GRAPH_DEF_VERSION",
    "GRAPH_DEF_VERSION_MIN_CONSUMER",
    "GRAPH_DEF_VERSION_MIN_PRODUCER",
    "VERSION",
]

VERSION = "2.21.0"
"""The TensorFlow whose API and numbers are followed: programs ask it for what they may use."""

GIT_VERSION = "unknown"
COMPILER_VERSION = ""
"""Nothing here is compiled."""

GRAPH_DEF_VERSION_MIN_CONSUMER = 0
GRAPH_DEF_VERSION_MIN_PRODUCER = 0

CXX11_ABI_FLAG = 0
CXX_VERSION = 0
MONOLITHIC_BUILD = 0
