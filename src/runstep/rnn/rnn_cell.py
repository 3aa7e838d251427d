"""`tf.nn.rnn_cell`: recurrent cells (source: tf.nn.rnn_cell)."""

from runstep.rnn.cell import BasicRNNCell, GRUCell, RNNCell
from runstep.rnn.lstm import BasicLSTMCell, LSTMCell, LSTMStateTuple
from runstep.rnn.wrappers import DeviceWrapper, DropoutWrapper, MultiRNNCell, ResidualWrapper

__all__ = [
    "BasicLSTMCell",
    "BasicRNNCell",
    "DeviceWrapper",
    "DropoutWrapper",
    "GRUCell",
    "LSTMCell",
    "LSTMStateTuple",
    "MultiRNNCell",
    "RNNCell",
    "ResidualWrapper",
]
