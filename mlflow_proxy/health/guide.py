"""What each probe is called, what it means and how much its failure weighs; data alone, and it asks nothing.

docs/health.md says the same to operators, and a test keeps the two equal.
"""

from typing import Literal, NamedTuple

# critical: the portal is not ready; major: artifacts do not work; minor: they do, and something wants attention.
Weight = Literal["critical", "major", "minor"]


class Guide(NamedTuple):
    """A probe's name for people, its weight, and what it means in a sentence or two."""

    title: str
    weight: Weight
    meaning: str


GUIDES: dict[str, Guide] = {
    "artifacts_enabled": Guide(
        "Artifacts are switched on",
        "major",
        "MLFLOW_SERVE_ARTIFACTS is true. When it is false, every artifact call is answered with 503.",
    ),
    "artifact_destination": Guide(
        "Destination is configured",
        "major",
        "The portal knows where artifacts rest, in a place that outlives this machine.",
    ),
    "database": Guide(
        "Database answers",
        "critical",
        "The portal's own database answers a query. Without it no key can be verified.",
    ),
    "clock_database": Guide(
        "Clock agrees with the database's",
        "minor",
        "Keys begin and end by the database's clock; logs and signatures carry this machine's.",
    ),
    "mlflow": Guide(
        "MLflow answers",
        "critical",
        "MLflow's API answers under MLFLOW_SERVER_URL, with the Host header that the traffic carries.",
    ),
    "mlflow_layout": Guide(
        "MLflow is one that the portal knows",
        "critical",
        "Version and paths are those the portal was made for. Others serve artifacts elsewhere.",
    ),
    "mlflow_artifacts": Guide(
        "MLflow serves artifacts",
        "major",
        "MLflow runs with --serve-artifacts. Without it, its artifact endpoints are closed.",
    ),
    "artifact_root": Guide(
        "New experiments keep artifacts behind the portal",
        "major",
        "The newest experiment has an mlflow-artifacts:/ address. With s3:// or a path, clients need credentials "
        "of the store, and go past the portal.",
    ),
    "experiment_locations": Guide(
        "Old experiments keep artifacts behind the portal",
        "minor",
        "How many experiments point elsewhere, by scheme. Each keeps the address it was created with.",
    ),
    "artifact_store": Guide(
        "Store answers",
        "major",
        "The portal reaches the store and lists below the destination.",
    ),
    "artifact_write": Guide("Canary is written", "major", "The portal stores a few bytes below the destination."),
    "artifact_read": Guide("Canary is read back", "major", "The bytes come back as they were written."),
    "artifact_range": Guide(
        "Part of the canary is read", "major", "The store answers a range of bytes. Interrupted downloads need it."
    ),
    "artifact_multipart": Guide(
        "Upload in parts works",
        "major",
        "An upload in parts begins, ends, and reads back. Files above 5 MiB travel so.",
    ),
    "artifact_delete": Guide(
        "Canary is deleted",
        "minor",
        "The portal removes what it wrote. Where it may not, deleting artifacts fails as well.",
    ),
    "mlflow_store": Guide(
        "MLflow stores and reads",
        "minor",
        "MLflow stores a canary with its own rights and gives it back. Its web interface and the proxy mode need it.",
    ),
    "same_destination": Guide(
        "Portal and MLflow use one place",
        "major",
        "What MLflow has just stored is found where the portal looks. Otherwise each sees half of the artifacts.",
    ),
    "store_credentials": Guide(
        "Credentials last",
        "minor",
        "Where the portal's credentials for the store come from, and when they end.",
    ),
    "bucket_versioning": Guide(
        "Versions are kept",
        "minor",
        "Versioning of the bucket is on, so that an overwritten or deleted artifact can be brought back.",
    ),
    "bucket_encryption": Guide(
        "Encrypted at rest", "minor", "The bucket encrypts new objects by default, whoever writes them."
    ),
    "bucket_public_access": Guide(
        "Closed to the public",
        "minor",
        "All four settings of the public-access block are on, so that no policy or list can open the bucket.",
    ),
    "bucket_tls_only": Guide(
        "TLS only", "minor", "The bucket's policy denies requests without TLS, and the portal uses https itself."
    ),
    "bucket_lifecycle": Guide(
        "Unfinished uploads end",
        "minor",
        "A lifecycle rule ends incomplete uploads, which cost space and are seen by nobody.",
    ),
    "clock_store": Guide(
        "Clock agrees with the store's",
        "minor",
        "S3 refuses requests whose time differs by more than 15 minutes, and signed addresses end early.",
    ),
}
