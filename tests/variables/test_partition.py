"""Variables in parts, and the functions that say how many parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Same = Callable[..., None]


def test_what_a_partitioned_variable_adds_to_the_graph(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        two = tf.fixed_size_partitioner(2)
        v = tf.get_variable("a", [5, 2], partitioner=two)
        log(v.name, v.dtype.name, v.shape, v.get_shape(), len(v), list(v), v._get_partitions())
        for part in v:
            info = part._get_save_slice_info()
            log(info.spec, info.full_name, info.full_shape, info.var_offset, info.var_shape)
        log(tf.convert_to_tensor(v), v.as_tensor(), tf.identity(v))
        log(v.assign(tf.ones([5, 2])), v.assign_add([tf.ones([3, 2]), tf.ones([2, 2])]), v.assign_sub(v))
        log(tf.get_variable("one", [5], partitioner=tf.fixed_size_partitioner(1)).as_tensor())
        log(list(tf.get_variable("r", [5], partitioner=two, use_resource=True, initializer=tf.ones_initializer())))
        log(list(tf.get_variable("c", partitioner=two, initializer=tf.constant([1.0, 2.0, 3.0]))))
        with tf.variable_scope("s", partitioner=two):
            log(list(tf.get_variable("v", [4])), tf.get_variable("scalar", []))
        with tf.name_scope("ignored"):
            log(list(tf.get_variable("e", [4], partitioner=two, initializer=tf.constant_initializer([1.0, 2.0]))))
        log(tf.create_partitioned_variables([4, 2], [2, 1], tf.zeros_initializer(), name="x"))
        log(tf.create_partitioned_variables([4, 2], [1, 2], tf.ones([4, 2])))

    same(program)


def test_initializers_see_which_part_they_fill(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        def initializer(shape: Any, dtype: Any, partition_info: Any) -> Any:
            where = partition_info and (partition_info.full_shape, partition_info.var_offset)
            log(shape, dtype.name, where)
            if partition_info:
                log(partition_info.single_offset(shape), partition_info.single_slice_dim(shape))
            return tf.ones(shape)

        tf.get_variable("a", [4, 2], partitioner=tf.fixed_size_partitioner(2), initializer=initializer)
        tf.get_variable("b", [4, 2], initializer=initializer)
        for name, made in (
            ("identity", tf.initializers.identity()),
            ("unit", tf.initializers.uniform_unit_scaling()),
            ("glorot", tf.initializers.glorot_uniform()),
        ):
            tf.get_variable(name, [4, 3], partitioner=tf.fixed_size_partitioner(2), initializer=made)

    same(program)


def test_reuse(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        two, three = tf.fixed_size_partitioner(2), tf.fixed_size_partitioner(3)
        first = tf.get_variable("x", [4], partitioner=two)
        tf.get_variable("whole", [4])
        with tf.variable_scope("", reuse=True):
            log(tf.get_variable("x", [4], partitioner=two) is first, tf.get_variable("x", [4]) is first)
            log.tried(lambda: tf.get_variable("x", [4], partitioner=three))
            log.tried(lambda: tf.get_variable("x", [5], partitioner=two))
            log.tried(lambda: tf.get_variable("x", [4], tf.int32, partitioner=two))
            log.tried(lambda: tf.get_variable("y", [4], partitioner=two))
            log.tried(lambda: tf.get_variable("whole", [4], partitioner=two))
        log.tried(lambda: tf.get_variable("x", [4], partitioner=two))
        log.tried(lambda: tf.get_variable("x", [4]))

    same(program)


def test_bad_partitioners(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        for shape, slicing in (([4], 3), ([4], [2, 2]), ([4], [0]), ([4], [5]), ([4, 4], [2, 2])):
            log.tried(lambda s=shape, p=slicing: tf.get_variable("a", s, partitioner=lambda shape, dtype: p))
        log.tried(lambda: tf.get_variable("a", [4], partitioner=3))
        log.tried(lambda: tf.get_variable("a", partitioner=lambda shape, dtype: [2], initializer=[1.0, 2.0]))
        log.tried(lambda: tf.create_partitioned_variables([4, 2], [3], tf.ones([4, 2])))

    same(program, graph=False)


def test_how_many_parts(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        for partitioner in (
            tf.fixed_size_partitioner(3),
            tf.fixed_size_partitioner(3, 1),
            tf.variable_axis_size_partitioner(1024),
            tf.variable_axis_size_partitioner(1024, 1, max_shards=3),
            tf.variable_axis_size_partitioner(64, 0, bytes_per_string_element=3),
            tf.min_max_variable_partitioner(4, min_slice_size=64),
            tf.min_max_variable_partitioner(4, 1, min_slice_size=1),
        ):
            for shape in ([64, 32], [10, 1], [3, 5000]):
                for dtype in (tf.float32, tf.string, tf.bfloat16):
                    log(partitioner(shape=tf.TensorShape(shape), dtype=dtype))
        log.tried(lambda: tf.variable_axis_size_partitioner(0))
        log.tried(lambda: tf.variable_axis_size_partitioner(1, bytes_per_string_element=0))
        log.tried(lambda: tf.variable_axis_size_partitioner(1)([2], tf.float32))
        log.tried(lambda: tf.variable_axis_size_partitioner(1)(tf.TensorShape([None]), tf.float32))
        log.tried(lambda: tf.min_max_variable_partitioner(1, axis=3)(tf.TensorShape([2]), tf.float32))

    same(program)


def test_values(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        v = tf.get_variable(
            "v", partitioner=tf.fixed_size_partitioner(3), initializer=tf.reshape(tf.range(14.0), [7, 2])
        )
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            log(session.run(tf.convert_to_tensor(v)), session.run(list(v)))
            log(session.run(v.assign(tf.ones([7, 2]) * 3.0)), session.run(v.as_tensor()))

    same(program, graph=False)
