"""What the settings say by themselves, and the database's clock."""

import datetime

import pytest

from mlflow_proxy.health import configuration, database


def test_artifacts_that_are_off_fail(settings) -> None:
    settings.MLFLOW_SERVE_ARTIFACTS = False
    assert configuration.ask_enabled().reason == "ARTIFACTS_DISABLED"


@pytest.mark.parametrize(("mode", "who"), [("direct", "itself"), ("proxy", "to MLflow")])
def test_artifacts_that_are_on_say_who_moves_them(settings, mode, who) -> None:
    settings.HOKUSAI_ARTIFACT_MODE = mode
    assert configuration.ask_enabled().detail.endswith(who)


def test_destination_that_is_not_set_is_unknown(settings) -> None:
    outcome = configuration.ask_destination()
    assert (outcome.status, outcome.reason) == ("unknown", "DESTINATION_MISSING")
    assert "DEFAULT_ARTIFACT_ROOT" in outcome.hint


@pytest.mark.parametrize(
    ("environment", "destination", "reason"),
    [
        ("production", "/srv/artifacts", "DESTINATION_LOCAL"),
        ("development", "/srv/artifacts", ""),
        ("production", "s3://bucket/x", ""),
    ],
)
def test_destination_must_outlive_the_machine_in_production(settings, environment, destination, reason) -> None:
    settings.HOKUSAI_ENVIRONMENT, settings.HOKUSAI_ARTIFACT_DESTINATION = environment, destination
    assert configuration.ask_destination().reason == reason


def test_database_that_answers_passes(db) -> None:
    assert database.ask_database().status == "passed"


def test_clock_of_the_database_on_one_machine_agrees(db) -> None:
    assert database.ask_clock().status == "passed"


@pytest.mark.parametrize(
    ("seconds", "reason"), [(0, ""), (25, ""), (-25, ""), (40, "CLOCK_SKEWED"), (-40, "CLOCK_SKEWED")]
)
def test_clock_is_judged_by_the_bearable_skew(seconds, reason) -> None:
    now = database.now()
    outcome = database.compared("the store", now + datetime.timedelta(seconds=seconds), before=now)
    assert outcome.reason == reason
