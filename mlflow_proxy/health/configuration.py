"""Questions that the settings answer by themselves; asks no network."""

from collections.abc import Iterator

from django.conf import settings

from mlflow_proxy import conf
from mlflow_proxy.health.answers import Outcome, Probe, ask, failed, passed, unknown


def walk() -> Iterator[Probe]:
    yield ask("artifacts_enabled", ask_enabled)
    yield ask("artifact_destination", ask_destination)


def ask_enabled() -> Outcome:
    if conf.is_serving_artifacts():
        return passed("the portal moves artifacts itself" if conf.is_direct() else "the portal hands them to MLflow")
    return failed("ARTIFACTS_DISABLED", "MLFLOW_SERVE_ARTIFACTS is false", "Set it to true and restart the portal.")


def ask_destination() -> Outcome:
    destination = conf.artifact_destination()
    if not destination:
        hint = "Set HOKUSAI_ARTIFACT_DESTINATION to the same value as DEFAULT_ARTIFACT_ROOT of the MLflow server."
        return unknown("DESTINATION_MISSING", "only MLflow knows where artifacts rest", hint)
    if not destination.startswith("s3://") and settings.HOKUSAI_ENVIRONMENT == "production":
        hint = "Use a bucket, s3://…, or be sure that the folder is on shared storage that is backed up."
        return failed("DESTINATION_LOCAL", f"the folder {destination}", hint)
    return passed(destination)
