"""How one piece of work runs."""

from small import Recorder

from ns_tf.engine.config import RuntimeConfig
from ns_tf.engine.execution import Execution, strategy
from ns_tf.engine.runtime import Runtime
from ns_tf.engine.workers import Workers
from ns_tf.run.watch import Watch


def test_the_default_is_one_device_seed_0_and_nobody_who_watches():
    runtime = Runtime()
    assert runtime.execution == Execution()
    assert runtime.seed == 0
    assert runtime.watch.folder is None


def test_a_runtime_is_what_the_settings_say():
    config = RuntimeConfig(precision="mixed_bfloat16", seed=17, checkpoint_seconds=7.0)
    runtime = Runtime.of(config)
    assert runtime.execution.precision == "mixed_bfloat16"
    assert (runtime.seed, runtime.watch.seconds) == (17, 7.0)


def test_an_execution_that_was_made_before_is_taken():
    execution = Execution(jit_compile=True)
    assert Runtime.of(RuntimeConfig(), execution).execution is execution


def test_another_seed_changes_the_seed_alone():
    runtime = Runtime(seed=3)
    other = runtime.seeded(5)
    assert (runtime.seed, other.seed) == (3, 5)
    assert other.execution is runtime.execution and other.watch is runtime.watch


def test_another_watch_saves_as_often_as_the_settings_say(tmp_path):
    """Who watches is decided by the caller, how often is saved by the flags."""
    meter = Recorder()
    runtime = Runtime.of(RuntimeConfig(checkpoint_seconds=7.0))
    watched = runtime.watched(Watch(meter, seconds=60.0).at(tmp_path))
    assert watched.watch.seconds == 7.0
    assert watched.watch.progress is meter and watched.watch.folder == tmp_path
    assert runtime.watch.folder is None


def test_of_several_workers_the_chief_alone_shows_and_writes(tmp_path):
    meter = Recorder()
    for index in range(2):
        way = Execution(strategy("mirrored"))
        way.__dict__["workers"] = Workers(way.strategy, index, 2)
        runtime = Runtime(way).watched(Watch(meter, folder=tmp_path))
        assert runtime.watch.writes == (index == 0)
        assert (runtime.watch.progress is meter) == (index == 0)
        assert runtime.alone.execution.replicas == 1
    runtime = Runtime()
    assert runtime.alone is runtime and runtime.watched(Watch()).watch.writes
