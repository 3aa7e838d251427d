"""SavedModels go from one library to the other; signatures are TensorFlow's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runstep
from runstep.testing import programs

Same = Callable[..., None]


def table_of(tf: Any, file: Any) -> Any:
    start = tf.lookup.TextFileInitializer(
        file, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
    )
    return tf.lookup.StaticHashTable(start, -1)


def exported(tf: Any, folder: Path, as_text: bool = False) -> str:
    """A model with variables of both kinds, a table of words from a file, a SparseTensor, and two graphs."""
    words = folder / "words.txt"
    words.write_text("zero\none\ntwo\n")
    where = f"{folder}/model"
    with tf.Graph().as_default(), tf.Session() as sess:
        file = tf.constant(str(words))
        word = tf.placeholder(tf.string, [None], name="word")
        places = table_of(tf, file).lookup(word)
        scale = tf.get_variable("scale", initializer=[10.0])
        shift = tf.get_variable("shift", initializer=[0.5], use_resource=True)
        y = tf.identity(tf.cast(places, tf.float32) * scale + shift, name="y")
        sparse = tf.sparse_placeholder(tf.float32, name="sparse")
        total = tf.identity(tf.sparse_reduce_sum(sparse), name="total")
        sess.run([tf.global_variables_initializer(), tf.tables_initializer()])
        sess.run(tf.assign_add(scale, [1.0]))
        utils = tf.saved_model.signature_def_utils
        signatures = {
            "serving_default": utils.predict_signature_def({"word": word}, {"y": y}),
            "sum": utils.predict_signature_def({"sparse": sparse}, {"total": total}),
        }
        builder = tf.saved_model.builder.SavedModelBuilder(where)
        builder.add_meta_graph_and_variables(
            sess, ["serve"], signatures, assets_collection=[file], main_op=tf.tables_initializer()
        )
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.get_variable("shift", initializer=[0.5], use_resource=True)
        tf.get_variable("scale", initializer=[10.0])
        builder.add_meta_graph(["train", "more"])
        path = builder.save(as_text=as_text)
    assert isinstance(path, bytes) and Path(path.decode()).exists()
    words.unlink()  # the model has its own
    return where


def asked(tf: Any, where: str, scope: str | None) -> Any:
    with tf.Graph().as_default(), tf.Session() as sess:
        model = tf.saved_model.loader.load(sess, ["serve"], where, import_scope=scope)
        find = tf.saved_model.utils.get_tensor_from_tensor_info

        def tensor(signature: str, side: str, name: str) -> Any:
            return find(getattr(model.signature_def[signature], side)[name], import_scope=scope)

        feeds = {tensor("serving_default", "inputs", "word"): ["two", "none", "zero"]}
        y = sess.run(tensor("serving_default", "outputs", "y"), feeds)
        value = tf.SparseTensorValue([[0, 1], [1, 0]], [1.5, 2.0], [2, 2])
        total = sess.run(tensor("sum", "outputs", "total"), {tensor("sum", "inputs", "sparse"): value})
        return y.tolist(), float(total), [var.name for var in tf.global_variables()]


@pytest.mark.parametrize("as_text", [False, True], ids=["binary", "text"])
@pytest.mark.parametrize("ours_first", [True, False], ids=["ours to theirs", "theirs to ours"])
def test_models_go_from_one_library_to_the_other(ours_first: bool, as_text: bool, tmp_path: Path) -> None:
    with programs._version_one() as theirs:
        where = exported(runstep if ours_first else theirs, tmp_path, as_text)
        scope = "inside" if as_text else None
        prefix = "inside/" if as_text else ""
        want = ([22.5, -10.5, 0.5], 3.5, [f"{prefix}scale:0", f"{prefix}shift:0"])
        assert asked(runstep, where, scope) == want
        assert asked(theirs, where, scope) == want
    tf: Any = runstep
    with tf.Graph().as_default(), tf.Session() as sess:
        tf.saved_model.load(sess, ["more", "train"], where)
        assert sess.run("scale:0").tolist() == [11.0]
        with pytest.raises(RuntimeError, match="MetaGraphDef associated with tags 'other' could not be found"):
            tf.saved_model.load(sess, ["other"], where)


def test_simple_save(tmp_path: Path) -> None:
    with programs._version_one() as theirs:
        for writer, reader in ((runstep, theirs), (theirs, runstep)):
            where = f"{tmp_path}/{writer.__name__}"
            tf: Any = writer
            with tf.Graph().as_default(), tf.Session() as sess:
                x = tf.placeholder(tf.float32, name="x")
                v = tf.Variable(3.0)
                sess.run(v.initializer)
                tf.saved_model.simple_save(sess, where, {"x": x}, {"y": tf.multiply(x, v, name="y")})
            tf = reader
            assert tf.saved_model.maybe_saved_model_directory(where)
            with tf.Graph().as_default(), tf.Session() as sess:
                tf.saved_model.load(sess, [tf.saved_model.tag_constants.SERVING], where)
                assert sess.run("y:0", {"x:0": 2.0}) == 6.0


def test_signatures(same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        u = tf.saved_model.signature_def_utils
        words = tf.placeholder(tf.string, [None], name="words")
        numbers = tf.placeholder(tf.float32, [None, 3], name="numbers")
        sparse = tf.sparse_placeholder(tf.int64, [4, 5], name="sparse")
        good = [
            u.regression_signature_def(words, numbers),
            u.classification_signature_def(words, words, numbers),
            u.classification_signature_def(words, None, numbers),
            u.predict_signature_def({"a": words, "b": numbers}, {"c": tf.Variable(1.0)}),
            u.build_signature_def(
                {"x": tf.saved_model.utils.build_tensor_info(numbers)},
                {"y": tf.saved_model.utils.build_tensor_info(sparse)},
                "method",
            ),
        ]
        for signature in good:
            log({key: str(info) for key, info in signature.inputs.items()}, signature.method_name)
            log({key: str(info) for key, info in signature.outputs.items()}, u.is_valid_signature(signature))
        for build in (
            lambda: u.regression_signature_def(None, numbers),
            lambda: u.regression_signature_def(words, None),
            lambda: u.regression_signature_def(numbers, numbers),
            lambda: u.regression_signature_def(words, words),
            lambda: u.classification_signature_def(None, words, numbers),
            lambda: u.classification_signature_def(words, None, None),
            lambda: u.classification_signature_def(numbers, words, numbers),
            lambda: u.classification_signature_def(words, numbers, numbers),
            lambda: u.classification_signature_def(words, words, words),
            lambda: u.predict_signature_def({}, {"x": words}),
            lambda: u.predict_signature_def({"x": words}, None),
        ):
            log.tried(build)
        log(tf.saved_model.main_op.main_op().name)
        names = [name for name in dir(tf.saved_model) if name.isupper()]
        log({name: getattr(tf.saved_model, name) for name in names})

    same(program, graph=False, texts=False)


def test_refusals(tmp_path: Path, same: Same) -> None:
    def program(tf: Any, log: Any) -> None:
        folder = tmp_path / ("theirs" if "tensorflow" in tf.__name__ else "ours")
        folder.mkdir()
        log(tf.saved_model.contains_saved_model(str(folder)))
        with tf.Session() as sess:
            log.tried(lambda: tf.saved_model.load(sess, ["serve"], "/no/such"))
        builder = tf.saved_model.Builder(str(folder))
        log.tried(lambda: builder.add_meta_graph(["serve"]))
        log.tried(lambda: builder.add_meta_graph_and_variables(None, ["serve"], main_op=3))
        (folder / "file").write_text("")
        log.tried(lambda: tf.saved_model.Builder(str(folder)))

    same(program, graph=False, texts=False)
