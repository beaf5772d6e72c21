"""How the bucket is set up, whose credentials are used, and the store's clock: good, bad, or not to be found out."""

from collections.abc import Callable, Iterator
from functools import partial

from mlflow_proxy.artifacts import stores
from mlflow_proxy.exceptions import StoreRefusedError, StoreUnavailableError
from mlflow_proxy.health import database
from mlflow_proxy.health.answers import Outcome, Probe, ask, failed, passed

Question = Callable[[stores.Inspector], Outcome]


def names() -> tuple[str, ...]:
    return tuple(QUESTIONS) if stores.is_bucket() else ()


def walk() -> Iterator[Probe]:
    if (inspector := stores.inspector()) is not None:
        for name, question in QUESTIONS.items():
            yield ask(name, partial(question, inspector), on_fault="unknown")


def ask_credentials(inspector: stores.Inspector) -> Outcome:
    found = inspector.credentials()
    if found.is_renewed:
        until = f", now until {found.ends_at:%Y-%m-%d %H:%M} UTC" if found.ends_at else ""
        return passed(f"{found.source}, which renews itself{until}")
    if found.is_temporary:
        hint = "Use a task role: it renews its credentials itself."
        return failed("STORE_CREDENTIALS_TEMPORARY", f"{found.source}, with a session token that ends", hint)
    return passed(f"{found.source}; they do not end by themselves")


def ask_versioning(inspector: stores.Inspector) -> Outcome:
    if inspector.is_versioned():
        return passed(f"on{_end_of_canaries(inspector)}")
    return failed("BUCKET_UNVERSIONED", "off", "Switch versioning on, and let old versions expire after some months.")


def _end_of_canaries(inspector: stores.Inspector) -> str:
    """Say how long versions of the canary stay; where the rules may not be read, bucket_lifecycle says so."""
    try:
        days = inspector.days_until_canaries_end()
    except (StoreRefusedError, StoreUnavailableError):
        return ""
    if days is None:
        return "; every check leaves versions of the canary, and no lifecycle rule ends them"
    return f"; old versions of the canary end after {days} day{'' if days == 1 else 's'}"


def ask_encryption(inspector: stores.Inspector) -> Outcome:
    if word := inspector.encryption():
        return passed(word)
    return failed("BUCKET_UNENCRYPTED", "no default encryption", "Set the bucket's default encryption, SSE-S3 or KMS.")


def ask_public_access(inspector: stores.Inspector) -> Outcome:
    if doors := inspector.open_doors():
        return failed("BUCKET_OPENABLE", f"off: {', '.join(doors)}", "Switch all four settings of the block on.")
    return passed("all four settings are on")


def ask_tls_only(inspector: stores.Inspector) -> Outcome:
    if not inspector.is_tls_only():
        hint = (
            "Add a statement to the bucket's policy that denies s3:* to everybody where aws:SecureTransport is false."
        )
        return failed("BUCKET_WITHOUT_TLS", "the policy does not deny requests without TLS", hint)
    if not inspector.endpoint().startswith("https://"):
        hint = "Give HOKUSAI_S3_ENDPOINT_URL its https address."
        return failed("BUCKET_WITHOUT_TLS", f"the portal itself uses {inspector.endpoint()}", hint)
    return passed("the policy denies requests without TLS")


def ask_lifecycle(inspector: stores.Inspector) -> Outcome:
    days = inspector.days_until_uploads_end()
    if days is None:
        hint = "Add a rule that aborts incomplete multipart uploads after a day; until then the worker sweeps them."
        return failed("BUCKET_WITHOUT_LIFECYCLE", "no rule ends incomplete uploads", hint)
    return passed(f"after {days} day{'' if days == 1 else 's'}")


def ask_clock(inspector: stores.Inspector) -> Outcome:
    before = database.now()
    return database.compared("the store", inspector.clock(), before=before)


QUESTIONS: dict[str, Question] = {
    "store_credentials": ask_credentials,
    "bucket_versioning": ask_versioning,
    "bucket_encryption": ask_encryption,
    "bucket_public_access": ask_public_access,
    "bucket_tls_only": ask_tls_only,
    "bucket_lifecycle": ask_lifecycle,
    "clock_store": ask_clock,
}
