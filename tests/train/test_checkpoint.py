"""Checkpoints of objects: TensorFlow reads what we write, we read what it writes, under the same keys."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import runstep
from runstep.testing.oracle import tensorflow
from runstep.train.object_graph import ObjectGraph

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # TensorFlow's: its cells and layers are deprecated

LIBRARIES = ("runstep", "tensorflow")


def library(name: str) -> Any:
    return runstep if name == "runstep" else tensorflow().compat.v1


class Program:
    """A program with two optimizers, layers, cells and containers, in its own graph and session."""

    def __init__(self, tf: Any, scope: str, scale: float) -> None:
        self.tf = tf
        self.graph = tf.Graph()
        with self.graph.as_default(), tf.variable_scope(scope):
            x = tf.get_variable("x", initializer=2.0 * scale, use_resource=True)
            y = tf.get_variable("y", initializer=[3.0 * scale, 4.0], use_resource=False)
            start = tf.constant_initializer(scale)
            dense = tf.layers.Dense(3, kernel_initializer=start, bias_initializer=start)
            norm = tf.layers.BatchNormalization()
            with tf.variable_scope("rnn", initializer=start):
                cell = tf.nn.rnn_cell.MultiRNNCell([tf.nn.rnn_cell.GRUCell(2), tf.nn.rnn_cell.LSTMCell(2)])
                out, _ = cell(tf.ones([2, 3]), cell.zero_state(2, tf.float32))
            loss = x * x + tf.reduce_sum(y * y) + tf.reduce_sum(norm(dense(tf.ones([2, 4])))) + tf.reduce_sum(out)
            adam, momentum = tf.train.AdamOptimizer(0.1), tf.train.MomentumOptimizer(0.1, 0.9)
            step = tf.train.get_or_create_global_step()
            self.train = tf.group(adam.minimize(loss), momentum.minimize(x * x, global_step=step, var_list=[x]))
            held = {"a/b": y, "c.d": [x, (y, 5)], "number": 3}
            self.checkpoint = tf.train.Checkpoint(
                adam=adam, momentum=momentum, held=held, layers=[dense, norm], cell=cell, step=step
            )
            self.checkpoint.inner = tf.train.Checkpoint(x=x)
            self.variables = tf.global_variables()
            self.session = tf.Session(graph=self.graph)
            self.session.run(tf.global_variables_initializer())

    def values(self) -> list[Any]:
        with self.graph.as_default():
            found: list[Any] = self.session.run([*self.variables, self.checkpoint.save_counter])
            return found


@pytest.fixture(scope="module")
def programs() -> Iterator[dict[str, tuple[Program, Program]]]:
    """By library: one to save, and one of other names to restore into."""
    found = {name: (Program(library(name), "a", 1.0), Program(library(name), "other", 7.0)) for name in LIBRARIES}
    for program, _ in found.values():
        for _ in range(2):
            program.session.run(program.train)
    yield found
    for both in found.values():
        for program in both:
            program.session.close()


def index_of(path: str) -> tuple[Any, dict[str, Any]]:
    tf = tensorflow()
    reader = tf.train.load_checkpoint(path)
    from runstep.protos.trackable_object_graph_pb2 import TrackableObjectGraph

    message = TrackableObjectGraph.FromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
    return message, reader.get_variable_to_shape_map()


def paths(message: Any) -> dict[str, Any]:
    """What can be reached, by the way to it: the attributes at its end, and slots."""
    found: dict[str, Any] = {}

    def walk(node: int, path: str) -> None:
        here = message.nodes[node]
        found[path] = [(a.name, a.full_name, a.checkpoint_key) for a in here.attributes], here.has_checkpoint_values
        for child in here.children:
            walk(child.node_id, f"{path}|{child.local_name}")
        for slot in here.slot_variables:
            of = message.nodes[slot.original_variable_node_id].attributes[0].full_name
            walk(slot.slot_variable_node_id, f"{path}|{slot.slot_name} of {of}")

    walk(0, "")
    return found


def test_the_same_files(programs: Any, tmp_path: pathlib.Path) -> None:
    seen = []
    for name in LIBRARIES:
        program, _ = programs[name]
        folder = tmp_path / name
        with program.graph.as_default():
            first = program.checkpoint.save(str(folder / "c"), session=program.session)
            again = program.checkpoint.save(str(folder / "c"), program.session)
            other = program.checkpoint.write(str(folder / "deep" / "w"), program.session)
        said = [str(pathlib.Path(path).relative_to(folder)) for path in (first, again, other)]
        message, shapes = index_of(again)
        files = sorted(path.name for path in folder.iterdir())
        seen.append((said, files, shapes, (folder / "checkpoint").read_text(), paths(message)))
    assert seen[0] == seen[1]
    assert "held/a.Sb/.OPTIMIZER_SLOT/adam/m/.ATTRIBUTES/VARIABLE_VALUE" in seen[0][2]


@pytest.mark.parametrize("reader", LIBRARIES)
@pytest.mark.parametrize("writer", LIBRARIES)
def test_each_restores_what_each_saves(writer: str, reader: str, programs: Any, tmp_path: pathlib.Path) -> None:
    source, target = programs[writer][0], programs[reader][1]
    with source.graph.as_default():
        path = source.checkpoint.save(str(tmp_path / "c"), source.session)
    with target.graph.as_default(), target.session.as_default():
        target.session.run(target.tf.global_variables_initializer())
        status = target.checkpoint.restore(path)
        status.assert_consumed().assert_existing_objects_matched()
        status.assert_nontrivial_match().expect_partial()
        status.run_restore_ops()
        status.run_restore_ops(target.session)
    for saved, restored in zip(source.values(), target.values(), strict=True):
        np.testing.assert_array_equal(restored, saved)


def test_more_and_less_than_there_is(tmp_path: pathlib.Path) -> None:
    """Which checks fail, and what is initialized and restored."""
    seen = []
    for name in LIBRARIES:
        tf = library(name)
        log: list[Any] = []

        def tried(status: Any, log: Any = log) -> None:
            for check in ("assert_consumed", "assert_existing_objects_matched", "assert_nontrivial_match"):
                try:
                    getattr(status, check)()
                    log.append(check)
                except AssertionError as error:
                    log.append(str(error).split("<")[0].split("\n")[0][:60])

        folder = str(tmp_path / name)
        with tf.Graph().as_default(), tf.Session() as session:
            v, w, u = (tf.get_variable(n, initializer=float(i), use_resource=True) for i, n in enumerate("vwu"))
            session.run(tf.global_variables_initializer())
            path = tf.train.Checkpoint(v=v, w=w).save(f"{folder}/c")
            session.run([v.assign(10.0), w.assign(11.0), u.assign(12.0)])
            more = tf.train.Checkpoint(v=v, w=w, u=u)
            status = more.restore(path)
            tried(status)
            status.initialize_or_restore(session)
            log.append(session.run([v, w, u, more.save_counter]))
            session.run([v.assign(10.0), w.assign(11.0), u.assign(12.0)])
            less = tf.train.Checkpoint(w=w)
            status = less.restore(path).expect_partial()
            log.append("existing" if status.assert_existing_objects_matched() is status else "?")
            with pytest.raises(AssertionError, match="Unresolved object in checkpoint"):
                status.assert_consumed()
            status.run_restore_ops()
            log.append(session.run([v, w, u, less.save_counter]))
            nothing = tf.train.Checkpoint(v=v)
            status = nothing.restore(None)
            tried(status)
            with pytest.raises(AssertionError, match="no restore ops are available"):
                status.run_restore_ops()
            status.initialize_or_restore()
            log.append(session.run([v, nothing.save_counter]))
            with pytest.raises(tf.errors.NotFoundError):
                nothing.restore(f"{folder}/none")
            for wrong in (3, None, tf.constant(1.0), tf.train.ExponentialMovingAverage(0.9)):
                with pytest.raises(ValueError, match="was expecting a trackable object"):
                    tf.train.Checkpoint(a=wrong)
            with pytest.raises(ValueError, match="Unable to save the object"):
                tf.train.Checkpoint(a={1: v}).save(f"{folder}/c")
        seen.append(log)
    assert seen[0] == seen[1]


def test_the_names_of_children() -> None:
    """Of every layer and cell: what TensorFlow calls their variables."""
    seen = []
    for name in LIBRARIES:
        tf = library(name)
        with tf.Graph().as_default():
            image, rows = tf.zeros([1, 8, 8, 3]), tf.zeros([2, 3])
            layers, cells = tf.layers, tf.nn.rnn_cell
            made = [(layers.Conv2D(3, 3), image), (layers.SeparableConv2D(2, 3), image), (layers.Flatten(), image)]
            made += [(layers.Conv2DTranspose(2, 3), image), (layers.BatchNormalization(renorm=True), rows)]
            for layer, value in made:
                layer(value)
            kinds = [cells.BasicLSTMCell(2), cells.LSTMCell(2, use_peepholes=True, num_proj=2), cells.BasicRNNCell(2)]
            for cell in (*kinds, cells.DropoutWrapper(cells.GRUCell(2)), cells.ResidualWrapper(cells.GRUCell(3))):
                cell(rows, cell.zero_state(2, tf.float32))
                made.append((cell, rows))
            if tf is runstep:
                walks = [ObjectGraph(thing) for thing, _ in made]
                seen.append([sorted(walk.paths[node] for node, _ in walk.variables()) for walk in walks])
                continue
            found = []
            for thing, _ in made:
                held = thing._trackable_children()
                inner = held.get("cell")
                names = [f"cell/{name}" for name in inner._trackable_children()] if inner is not None else list(held)
                found.append(
                    sorted(name.replace("cell/", "cell|").replace("/", ".S").replace("|", "/") for name in names)
                )
            seen.append(found)
    assert seen[0] == seen[1]


def test_what_comes_later_and_does_not_fit(tmp_path: pathlib.Path) -> None:
    with runstep.Graph().as_default(), runstep.Session() as session:
        v = runstep.get_variable("v", initializer=[1.0, 2.0])
        session.run(v.initializer)
        path = runstep.train.Checkpoint(v=v, layer={"kernel": v}).save(str(tmp_path / "c"))
        other = runstep.get_variable("other", initializer=1.0, use_resource=True)
        with pytest.raises(ValueError, match=r"shape \(2,\).* with shape \(\) and name other:0"):
            runstep.train.Checkpoint(v=other).restore(path).run_restore_ops()
        layer = runstep.layers.Layer()
        checkpoint = runstep.train.Checkpoint(layer=layer)
        status = checkpoint.restore(path)
        kernel = layer.add_weight("kernel", [2])
        status.initialize_or_restore()
        np.testing.assert_array_equal(session.run(kernel), [1.0, 2.0])
        before = len(session.graph.get_operations())
        checkpoint.restore(path).run_restore_ops()
        checkpoint.write(str(tmp_path / "d"))
        checkpoint.write(str(tmp_path / "d"))
        assert len(session.graph.get_operations()) - before < 12  # one way to save, none to restore
    with pytest.raises(ValueError, match="give one, or open a default one"):
        checkpoint.save(str(tmp_path / "c"))


def test_a_checkpoint_of_a_saver(tmp_path: pathlib.Path) -> None:
    with runstep.Graph().as_default(), runstep.Session() as session:
        v, w = (runstep.get_variable(name, initializer=value) for name, value in (("v", 1.0), ("w", 2.0)))
        session.run(runstep.global_variables_initializer())
        path = runstep.train.Saver([v]).save(session, str(tmp_path / "s"))
        session.run(v.assign(5.0))
        status = runstep.train.Checkpoint(any_name=v).restore(path)
        status.assert_consumed().initialize_or_restore()
        assert session.run(v) == 1.0
        lacking = runstep.train.Checkpoint(v=v, w=w).restore(path)
        with pytest.raises(AssertionError, match="Object not restored.*'w:0'"):
            lacking.assert_consumed()
        with pytest.raises(runstep.errors.NotFoundError, match="Key w not found"):
            lacking.run_restore_ops()


def test_the_manager(tmp_path: pathlib.Path) -> None:
    seen = []
    for name in LIBRARIES:
        tf = library(name)
        folder = tmp_path / name
        log: list[Any] = []
        with tf.Graph().as_default(), tf.Session() as session:
            v, step = (tf.get_variable(n, initializer=0, use_resource=True) for n in ("v", "step"))
            session.run(tf.global_variables_initializer())
            checkpoint = tf.train.Checkpoint(v=v)
            for wrong in ({"max_to_keep": 0}, {"max_to_keep": 1, "checkpoint_interval": 3}):
                with pytest.raises(ValueError, match="Expected a positive integer|`step_counter` should be passed"):
                    tf.train.CheckpointManager(checkpoint, str(folder), **wrong)
            manager = tf.train.CheckpointManager(checkpoint, str(folder), 2, init_fn=lambda: log.append("new"))
            log += [manager.latest_checkpoint, manager.checkpoints, manager.restore_or_initialize()]
            log += [manager.save() for _ in range(3)]
            log += [manager.save(checkpoint_number=v), manager.checkpoints, manager.latest_checkpoint]
            log.append(sorted(path.name for path in folder.iterdir()))
            state = tf.train.get_checkpoint_state(str(folder))
            log += [state.model_checkpoint_path, list(state.all_model_checkpoint_paths)]
            again = tf.train.CheckpointManager(checkpoint, str(folder), 1, checkpoint_name="x", step_counter=step)
            log += [again.checkpoints, again.save(), again.checkpoints, again.directory, again.checkpoint_interval]
            often = tf.train.CheckpointManager(checkpoint, str(folder), None, step_counter=step, checkpoint_interval=2)
            log.append(often.save())
            for _ in range(3):
                session.run(step.assign_add(1))
                log.append(often.save())
            log += [often.save(check_interval=False), often.checkpoints, often.checkpoint is checkpoint]
            kept = tf.train.CheckpointManager(checkpoint, str(folder / "k"), 1, keep_checkpoint_every_n_hours=-1.0)
            log += [kept.save(), kept.save(), kept.checkpoints, sorted(path.name for path in (folder / "k").iterdir())]
        seen.append(str(log).replace(name, "L"))
    assert seen[0] == seen[1]
