"""`tf.contrib.rnn`: the cells of `tf.nn.rnn_cell` under the names that they had (source: tf.contrib.rnn of
TensorFlow 1.15)."""

from runstep.rnn.cell import BasicRNNCell, GRUCell, RNNCell
from runstep.rnn.lstm import BasicLSTMCell, LSTMCell, LSTMStateTuple
from runstep.rnn.static import static_bidirectional_rnn, static_rnn, static_state_saving_rnn
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
    "static_bidirectional_rnn",
    "static_rnn",
    "static_state_saving_rnn",
]
