"""`tf.saved_model.tag_constants`: what a graph of a SavedModel is for (source: tf.compat.v1.saved_model)."""

GPU = "gpu"
SERVING = "serve"
TPU = "tpu"
TRAINING = "train"
