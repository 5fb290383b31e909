"""Tasks by name, and how a score is shown."""

import pytest

from ns_tf.base import InputError
from ns_tf.problem import tasks
from ns_tf.problem.tasks import TASKS, Score, Task, task
from ns_tf.problem.tasks.classification import Classification


def test_a_score_is_shown_in_its_unit():
    assert Score("accuracy", "%", 100.0).text(0.5) == "50.00 %"
    assert Score("map", "mAP", 1.0).text(0.12345) == "0.12 mAP"


def test_classification_is_known_by_name_and_says_what_it_is():
    member = tasks.get("classification")
    assert isinstance(member, Classification)
    assert (member.name, member.score.name) == ("classification", "accuracy")
    assert member.help.endswith(".")


def test_an_unknown_task_suggests_the_nearest():
    with pytest.raises(InputError, match="task 'classify'. Did you mean"):
        tasks.get("classify")


def test_a_task_is_registered_by_its_decorator(monkeypatch):
    TASKS.names()
    monkeypatch.setattr(TASKS, "_members", dict(TASKS._members))

    @task("twice", help="As classification.")
    class Twice(Classification):
        score = Score("twice", "%", 200.0)

    member = tasks.get("twice")
    assert type(member) is Twice
    assert (member.name, member.help) == ("twice", "As classification.")
    with pytest.raises(ValueError, match="'twice' is registered twice"):
        task("twice", help="Once more.")(Twice)


def test_a_task_has_to_say_all_that_is_asked_of_it():
    class Half(Task):
        score = Score("half", "", 1.0)

        def check(self, dataset):
            pass

    with pytest.raises(TypeError, match="abstract"):
        Half()
