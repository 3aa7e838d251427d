"""`variable_scope` and `get_variable`: names, reuse, defaults, and their errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Same = Callable[..., None]


def test_what_get_variable_adds_to_the_graph(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        get = tf.get_variable
        log(get("a", [2, 3]), get("b", [2, 3], use_resource=True), get("c", initializer=[1.0, 2.0]))
        log(get("d", initializer=[1.0, 2.0], use_resource=True), get("e", initializer=tf.ones([2])))
        log(get("f", initializer=lambda: tf.ones([2])), get("g", [2], dtype=tf.int32), get("h", [2], dtype=tf.bool))
        log(get("i", [2], initializer=tf.zeros_initializer), get("j", [2], initializer=tf.ones_initializer()))
        log(
            get("k", [2], initializer=tf.constant_initializer(3.0)),
            get("l", [], initializer=tf.constant_initializer([3.0])),
        )
        log(
            get("m", initializer=tf.constant(2.0), use_resource=True),
            get("n", initializer=3),
            get("o", [2], dtype=tf.string),
        )
        log(get("p", [2], trainable=False, collections=["mine"]), tf.get_local_variable("q", [2]), get(None, [2]))
        log(get("r", [2], validate_shape=False), get("s", [2], dtype=tf.float64, caching_device="/device:CPU:0"))
        with tf.name_scope("ignored"):
            log(get("t", [2]))
        log(tf.local_variables(), tf.trainable_variables(), tf.global_variables(), tf.get_collection("mine"))

    same(program)


def test_names(same: Same) -> None:
    """A variable scope opens a name scope, which is made unique where the variable scope is not."""

    def program(tf: Any, log: Any) -> None:
        def note() -> None:
            scope = tf.get_variable_scope()
            log(scope.name, scope.original_name_scope, tf.no_op(), tf.get_variable("v", [1]))

        with tf.variable_scope("a") as a:
            note()
            with tf.variable_scope("b") as b:
                note()
            with tf.variable_scope("b", reuse=True):
                note()
            with tf.variable_scope(None, "default"):
                note()
            with tf.variable_scope(None, "default"):
                note()
            with tf.variable_scope(a, reuse=True):
                note()
            with tf.name_scope("inner"):
                log(tf.no_op(), tf.get_variable("z", []))
        with tf.variable_scope("a", reuse=True):
            note()
        with tf.variable_scope(b, reuse=True):
            note()
        with tf.variable_scope(b, reuse=True, auxiliary_name_scope=False):
            note()
        with tf.variable_scope("a", reuse=True, auxiliary_name_scope=False):
            note()
        with tf.name_scope("outer"):
            for name, default in (("a", None), (b, None), ("new", None), (None, "default")):
                with tf.variable_scope(name, default, reuse=None if name in ("new", None) else True):
                    note()
            with tf.variable_scope("a", reuse=True, auxiliary_name_scope=False):
                note()
        for name in ("a/b/c", "", tf.get_variable_scope()):
            with tf.variable_scope(name, reuse=tf.AUTO_REUSE):
                note()
        with tf.name_scope("x"), tf.variable_scope(tf.get_variable_scope(), reuse=tf.AUTO_REUSE):
            note()
        with tf.variable_op_scope([tf.constant(1)], None, "operator"):
            note()
        with tf.variable_op_scope([tf.constant(1)], "named", "operator"):
            note()

    same(program)


def test_default_names_are_counted_within_a_scope(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        def defaults() -> None:
            for _ in range(2):
                with tf.variable_scope(None, "d") as scope:
                    log(scope.name, scope.original_name_scope)
                    with tf.variable_scope(None, "d") as inner:
                        log(inner.name, inner.original_name_scope)

        with tf.variable_scope("a") as a:
            defaults()
        with tf.variable_scope("a"):
            defaults()
        with tf.variable_scope(a):
            defaults()
        with tf.variable_scope("d"):
            defaults()
        defaults()
        with tf.variable_scope("d_1"):
            pass
        defaults()

    same(program)


def test_reuse(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        def reuse() -> Any:
            found = tf.get_variable_scope().reuse
            return "auto" if found is tf.AUTO_REUSE else found

        for outer in (None, False, True, tf.AUTO_REUSE):
            for inner in (None, False, True, tf.AUTO_REUSE):
                with tf.variable_scope("q", reuse=outer) as q:
                    log(reuse())
                    with tf.variable_scope("r", reuse=inner):
                        log(reuse())
                    with tf.variable_scope(tf.VariableScope(False, "w"), reuse=inner) as w:
                        log(reuse(), w.name)
                    q.reuse_variables()
                    log(reuse())
                with tf.variable_scope(q, reuse=inner):
                    log(reuse())
                log(reuse())
        with tf.variable_scope("auto", reuse=tf.AUTO_REUSE):
            first = tf.get_variable("x", [4])
            log(
                first is tf.get_variable("x", [4]),
                first is tf.get_variable("x"),
                first is tf.get_variable("x", dtype=tf.float32),
            )
        tf.get_variable("x", [2])
        with tf.variable_scope("", reuse=True):
            log(tf.get_variable("x", [2]), tf.get_variable("x"))
            log.tried(lambda: tf.get_variable("x", [3]))
            log.tried(lambda: tf.get_variable("x", [2], tf.int32))
            log.tried(lambda: tf.get_variable("y", [2]))
        log.tried(lambda: tf.get_variable("x", [2]))
        tf.Variable(1.0, name="made")
        log(tf.get_variable("made", [2]))

    same(program)


def test_errors(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        get = tf.get_variable
        log.tried(lambda: get("x"))
        log.tried(lambda: get("x", [None, 2]))
        log.tried(lambda: get("x", [2], dtype=tf.complex64))
        log.tried(lambda: get("x", [2], initializer=tf.ones([2])))
        log.tried(lambda: get("x", [2], initializer=[1.0, 2.0]))
        log.tried(lambda: get("x", [2], initializer="text"))
        log.tried(lambda: get("x", initializer=lambda s, **k: tf.ones(s)))
        log.tried(lambda: get("x", [2], initializer=lambda s, dtype=None, partition_info=None: tf.ones([5])))
        log.tried(lambda: get("x", dtype=tf.int32, initializer=tf.ones([3])))
        log.tried(lambda: get("x", [2], collections="text"))
        log.tried(lambda: get(3, [2]))
        log.tried(lambda: get("a b", [2]))
        log.tried(lambda: get("a", [2], custom_getter=3))
        log.tried(lambda: get("a", [2], constraint=3))
        log.tried(lambda: get("a", [2], regularizer=3))
        log.tried(lambda: tf.variable_scope("x", reuse=3).__enter__())
        log.tried(lambda: tf.variable_scope(None).__enter__())
        log.tried(lambda: tf.variable_scope(3).__enter__())
        log.tried(lambda: tf.variable_scope(None, "d", reuse=True).__enter__())
        log.tried(lambda: tf.variable_scope("x", auxiliary_name_scope=3).__enter__())
        log(tf.get_variable_scope().name)

    same(program, graph=False, texts=False)
    messages = {
        "did not get an initializer, so its `shape` argument must be specified": lambda tf: tf.get_variable("x"),
        "If initializer is a constant, do not specify shape": lambda tf: tf.get_variable("x", [2], initializer=[1.0]),
        "The initializer passed is not valid": lambda tf: tf.get_variable("x", [None]),
        "Passed a custom_getter which is not callable": lambda tf: tf.get_variable("x", [2], custom_getter=3),
        "The reuse parameter must be True or False or None": lambda tf: tf.variable_scope("x", reuse=3).__enter__(),
        "If default_name is None then name_or_scope is required": lambda tf: tf.variable_scope(None).__enter__(),
        "name_or_scope must be a string or VariableScope": lambda tf: tf.variable_scope(3).__enter__(),
        "reuse=True cannot be used without a name_or_scope": lambda tf: tf.variable_scope(
            None, "d", reuse=True
        ).__enter__(),
    }

    def texts(tf: Any, log: Any) -> None:
        for text, call in messages.items():
            try:
                call(tf)
            except (TypeError, ValueError) as error:
                log(text in str(error))

    same(texts, graph=False)


def test_what_scopes_hand_down(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        with tf.variable_scope(
            "s", use_resource=True, dtype=tf.float64, initializer=tf.ones_initializer(), constraint=tf.abs
        ) as s:
            v = tf.get_variable("x", [2])
            log(v, v.constraint is tf.abs, s.dtype.name, s.use_resource, s.constraint is tf.abs, tf.Variable(1))
            with tf.variable_scope("t") as t:
                log(t.dtype.name, t.use_resource, t.initializer is s.initializer, t.constraint)
            with tf.variable_scope(s) as again:
                log(again.dtype.name, again.use_resource, again.constraint, again is s, again.original_name_scope)
            with tf.variable_scope("t", use_resource=False, dtype=tf.float32) as t:
                log(t.dtype.name, t.use_resource, tf.get_variable("y", [2]))
            log(s.global_variables(), s.trainable_variables(), s.local_variables(), s.get_collection("variables"))
        with tf.variable_scope("z", caching_device="/device:CPU:0"):
            log(tf.get_variable("y", [2]), tf.get_variable_scope().caching_device)
        scope = tf.get_variable_scope()
        scope.set_initializer(tf.zeros_initializer())
        scope.set_dtype(tf.float64)
        scope.set_use_resource(True)
        log(tf.get_variable("w", [2]))

    same(program)


def test_regularizers(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        def regularizer(weights: Any) -> Any:
            return tf.reduce_sum(weights) * 0.1

        with tf.variable_scope("s", regularizer=regularizer):
            tf.get_variable("a", [2], initializer=tf.zeros_initializer())
            tf.get_variable("b", [2], initializer=tf.zeros_initializer(), regularizer=tf.no_regularizer)
            tf.get_variable("c", [2], initializer=tf.zeros_initializer(), use_resource=True)
            tf.get_variable("p", [2], initializer=tf.zeros_initializer(), partitioner=tf.fixed_size_partitioner(2))
        tf.get_variable("d", [2], initializer=tf.zeros_initializer(), regularizer=lambda w: None)
        with tf.variable_scope("s", reuse=True, regularizer=regularizer):
            tf.get_variable("a", [2])
        log(len(tf.get_collection("regularization_losses")))

    same(program)


def test_custom_getters_and_creators(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        def outer(getter: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            log("outer", name, len(args), sorted(kwargs), kwargs["reuse"], kwargs["trainable"], kwargs["shape"])
            return getter(name, *args, **kwargs)

        def doubling(getter: Any, *args: Any, **kwargs: Any) -> Any:
            log("inner", len(args), sorted(kwargs))
            return getter(*args, **kwargs) * 2.0

        with tf.variable_scope("s", custom_getter=outer):
            log(tf.get_variable("a", [2]))
            with tf.variable_scope("t", custom_getter=doubling):
                log(tf.get_variable("a", [2], initializer=tf.zeros_initializer()))
            log(tf.get_variable("b", [2], custom_getter=doubling))

        def creator(next_creator: Any, **kwargs: Any) -> Any:
            log("creator", kwargs["name"], kwargs["initial_value"] == 5.0, kwargs["trainable"], kwargs["use_resource"])
            log(sorted(set(kwargs) - {"experimental_enable_variable_lifting"}), kwargs["shape"])
            return next_creator(**kwargs)

        def five(next_creator: Any, **kwargs: Any) -> Any:
            log("five")
            kwargs["initial_value"] = 5.0
            return next_creator(**kwargs)

        with tf.variable_creator_scope(creator), tf.variable_creator_scope(five):
            log(tf.Variable(1.0, name="q"))
            log(tf.get_variable("w", []))

    same(program)


def test_in_threads(same: Same) -> None:
    """Each thread starts in the outermost scope; the variables are shared."""
    import threading

    def program(tf: Any, log: Any) -> None:
        graph = tf.get_default_graph()

        def work() -> None:
            with graph.as_default():
                log(tf.get_variable_scope().name)
                with tf.variable_scope("s", reuse=True):
                    log(tf.get_variable("v", [2]))

        with tf.variable_scope("s"):
            tf.get_variable("v", [2])
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()

    same(program)
