"""What networks are computed on and how."""

import ctypes
import gc
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from small import chain

from ns_tf.base import InputError
from ns_tf.engine import execution
from ns_tf.engine.config import ExecutionConfig, RuntimeConfig
from ns_tf.engine.execution import Execution, set_threads, strategy
from ns_tf.engine.workers import Workers


def test_auto_is_one_device_where_there_are_no_gpus():
    assert strategy("auto").num_replicas_in_sync == 1


def test_a_strategy_is_made_once_a_process():
    """Collectives of a second mirrored strategy would get the keys of the first."""
    assert strategy("mirrored") is strategy("mirrored")
    assert strategy("mirrored").num_replicas_in_sync == 2


def test_an_unknown_strategy_suggests_the_nearest():
    with pytest.raises(InputError, match="'mirored'. Did you mean 'mirrored'"):
        strategy("mirored")


def test_xla_over_several_replicas_is_refused():
    with pytest.raises(InputError, match="--jit_compile works on one device; got 2"):
        Execution(strategy("mirrored"), jit_compile=True)


def test_an_execution_is_what_the_settings_say():
    config = RuntimeConfig(precision="mixed_bfloat16", jit_compile=True)
    made = Execution.of(config)
    assert made.precision == "mixed_bfloat16" and made.jit_compile
    assert made.replicas == 1 and not made.on_gpu
    assert Execution() == Execution.of(RuntimeConfig())


def test_the_nominal_speed_grows_with_the_replicas_and_is_no_measurement():
    one, two = Execution(), Execution(strategy("mirrored"))
    assert two.speed == 2 * one.speed == 2 * execution.SPEED["CPU"]


def test_threads_are_set_before_tensorflow_starts_or_never():
    tf.zeros(1).numpy()  # It has started.
    set_threads(0)
    set_threads(tf.config.threading.get_intra_op_parallelism_threads())
    with pytest.raises(InputError, match="--threads=3 comes too late"):
        set_threads(3)


def model_of(widths=(7, 5)) -> keras.Model:
    return chain(widths, input_shape=(6, 7, 3), classes=5)


def test_batch_norms_are_synchronised_over_replicas_alone():
    for devices, synchronised in (("one_device", False), ("mirrored", True)):
        model = Execution(strategy(devices)).build(model_of)
        norms = [layer for layer in model.layers if layer.name.startswith("bn")]
        assert [norm.synchronized for norm in norms] == [synchronised] * 2


def test_layers_of_models_within_models_are_adapted_too():
    inner = keras.Sequential([keras.layers.BatchNormalization(name="bn")])
    image = keras.Input((6, 7, 3))
    Execution(strategy("mirrored")).adapt(keras.Model(image, inner(image)))
    assert inner.layers[0].synchronized


def test_a_network_is_built_at_the_precision_with_the_weights_it_was_made_with():
    model = model_of()
    built = Execution(precision="mixed_bfloat16").build(lambda: model)
    assert built.get_layer("conv1").compute_dtype == "bfloat16"
    for one, other in zip(built.weights, model.weights, strict=True):
        np.testing.assert_array_equal(np.array(one), np.array(other))


def test_a_check_makes_shapes_alone_and_raises_what_the_builder_raises():
    made = []

    def make():
        made.append(model_of())
        return made[-1]

    Execution().check(make)
    (model,) = made
    assert not isinstance(model.weights[0].value, tf.Variable)

    def fails():
        raise InputError("too wide")

    with pytest.raises(InputError, match="too wide"):
        Execution(precision="mixed_float16").check(fails)


@pytest.mark.parametrize(
    ("precision", "scaled"),
    [("float32", False), ("mixed_bfloat16", False), ("mixed_float16", True)],
)
def test_losses_are_scaled_for_float16_alone(precision, scaled):
    way = Execution(precision=precision)
    assert (way.loss_scale(way.build(model_of)) is not None) == scaled


def test_batches_are_dealt_out_to_the_replicas_without_a_rest():
    batches = tf.data.Dataset.range(12).batch(6)
    for devices, sizes in (("one_device", [6]), ("mirrored", [3, 3])):
        way = Execution(strategy(devices))
        for batch in way.deal_out(batches):
            parts = way.strategy.experimental_local_results(batch)
            assert [len(part) for part in parts] == sizes


def test_forgetting_kernels_changes_no_result(monkeypatch):
    monkeypatch.setattr(execution, "gc", gc)  # Tests have them do nothing.
    monkeypatch.setattr(execution, "ctypes", ctypes)
    x = tf.constant([[2.0, 3.0], [5.0, 7.0]])
    before = tf.linalg.matmul(x, x).numpy()
    execution.forget_kernels()
    np.testing.assert_array_equal(tf.linalg.matmul(x, x), before)


def test_workers_have_the_rows_of_their_replicas():
    for size, expected in (
        (7, [[0, 3], [3, 5], [5, 7]]),
        (2, [[0, 1], [1, 2], [2, 2]]),
    ):
        found = []
        for index in range(3):
            way = Execution(strategy("mirrored"))
            way.__dict__["workers"] = Workers(way.strategy, index, 3)
            with mock.patch.object(Execution, "replicas", 3):
                found += way.shares(size)
        assert [[rows.start, rows.stop] for rows in found] == expected
    assert Execution(strategy("mirrored")).shares(7) is None


def test_whole_trainings_are_not_dealt_out_to_the_workers_of_one():
    asked = {"workers_at": ("one:2222", "two:2222"), "worker": 0}
    for config in (
        ExecutionConfig(strategy="multi_worker"),
        RuntimeConfig(strategy="multi_worker"),
        RuntimeConfig(**asked),
    ):
        with pytest.raises(InputError, match="compute searches, trainings and prun"):
            Execution.of(config)
    with pytest.raises(InputError, match="needs workers"):
        Execution.of(RuntimeConfig(strategy="multi_worker"), several=True)


def test_a_network_made_elsewhere_gets_variables_of_the_strategy():
    made, way = model_of(), Execution(strategy("mirrored"))
    made.layers[1].trainable = False
    built = way.build(lambda: made)
    here = way.strategy.extended.variable_created_in_scope
    assert all(here(variable.value) for variable in built.variables)
    assert len(built.trainable_variables) == len(made.trainable_variables)
    for one, other in zip(built.get_weights(), made.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert Execution().build(lambda: made) is made


def test_gpus_give_memory_as_it_is_needed_unless_tensorflow_has_started():
    asked = []

    def grow(gpu, on):
        asked.append((gpu, on))
        raise RuntimeError("has started")

    with (
        mock.patch.object(tf.config, "list_physical_devices", lambda kind: [kind] * 2),
        mock.patch.object(tf.config.experimental, "set_memory_growth", grow),
    ):
        execution.grow_memory()
    assert asked == [("GPU", True)] * 2
