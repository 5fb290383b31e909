"""Which processes compute one run together."""

import json

import pytest

from ns_tf.base import InputError
from ns_tf.engine.cluster import Cluster, cluster_of
from ns_tf.engine.config import RuntimeConfig

AT = ("one:2222", "two:2223", "three:2224")


def told(cluster, kind="worker", index=0):
    """An environment whose TF_CONFIG names a cluster."""
    task = {"type": kind, "index": index}
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})}


def test_flags_and_tf_config_name_the_same_cluster():
    cluster = Cluster(AT, 1)
    config = RuntimeConfig(strategy="multi_worker", workers_at=AT, worker=1)
    environment = told({"worker": list(AT)}, index=1)
    assert cluster_of(config, {}) == cluster
    assert cluster_of(config, environment) == cluster
    assert cluster_of(RuntimeConfig(strategy="multi_worker"), environment) == cluster
    assert cluster_of(RuntimeConfig(), environment) == cluster


def test_a_chief_is_the_first_worker():
    jobs = {"chief": [AT[0]], "worker": list(AT[1:])}
    assert cluster_of(RuntimeConfig(), told(jobs, "chief")) == Cluster(AT, 0)
    assert cluster_of(RuntimeConfig(), told(jobs, "worker", 1)) == Cluster(AT, 2)


@pytest.mark.parametrize("name", ["auto", "one_device", "mirrored"])
def test_without_workers_a_process_is_alone(name):
    config = RuntimeConfig(strategy=name)
    assert cluster_of(config, {}) is None
    assert cluster_of(config, told({"worker": ["one:2222"]})) is None


def refused(environment=None, **settings):
    """The line by which settings and environment are refused."""
    with pytest.raises(InputError) as caught:
        cluster_of(RuntimeConfig(**settings), environment or {})
    return str(caught.value)


def test_flags_that_name_no_cluster_are_refused():
    assert "needs workers: give --workers_at=" in refused(strategy="multi_worker")
    assert "--workers_at and --worker go together" in refused(workers_at=AT)
    assert "--workers_at and --worker go together" in refused(worker=1)
    assert "got one:2222 alone" in refused(workers_at=AT[:1], worker=0)
    assert "expected a number from 0 to 2" in refused(workers_at=AT, worker=3)
    for address in ("one", "one:", ":2222", "one:two", "one:0", "one:65536"):
        line = refused(workers_at=(address, "two:2223"), worker=0)
        assert f"{address!r} is no address; expected host:port" in line
    assert "an address twice" in refused(workers_at=AT[:1] * 2, worker=0)


def test_a_tf_config_that_names_no_cluster_is_refused():
    assert "TF_CONFIG is no JSON (" in refused({"TF_CONFIG": "{cluster"})
    for text in ("3", "[]", "{}", '{"cluster": {}}', '{"cluster": 1, "task": {}}'):
        assert "names no cluster and task" in refused({"TF_CONFIG": text})
    assert "the task worker 0; expected one of the 0" in refused(told({}))
    assert "the task worker 3;" in refused(told({"worker": list(AT)}, index=3))
    assert "the task chief 0;" in refused(told({"worker": list(AT)}, "chief"))
    assert "the task None 0;" in refused(told({"worker": list(AT)}, None))
    assert "not used here (ps)" in refused(told({"worker": list(AT), "ps": ["a:1"]}))
    assert "expected a list of host:port" in refused(told({"worker": "one:2222"}))
    one = told({"worker": ["one:2222"]})
    assert "got one:2222 alone" in refused(one, strategy="multi_worker")


@pytest.mark.parametrize("name", ["one_device", "mirrored"])
def test_a_strategy_of_one_process_contradicts_workers(name):
    line = refused(strategy=name, workers_at=AT, worker=0)
    assert f"--strategy={name} computes in one process, and --workers_at" in line
    line = refused(told({"worker": list(AT)}), strategy=name)
    assert "and TF_CONFIG names workers" in line


def test_flags_and_tf_config_may_not_differ():
    line = refused(told({"worker": list(AT)}), workers_at=AT, worker=1)
    assert "name different workers" in line


def test_how_long_workers_wait_says_not_who_they_are():
    config = RuntimeConfig(workers_at=AT, worker=0, workers_seconds=7.0)
    for found in (
        cluster_of(config, {}),
        cluster_of(RuntimeConfig(workers_seconds=7.0), told({"worker": list(AT)})),
    ):
        assert found.seconds == 7.0
        assert found == Cluster(AT, 0, 300.0) and hash(found) == hash(Cluster(AT, 0))
