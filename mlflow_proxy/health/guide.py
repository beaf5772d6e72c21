"""What each probe is called, what it means and how much its failure weighs; data alone, and it asks nothing.

docs/health.md says the same to operators, and a test keeps the two equal.
"""

from typing import Literal, NamedTuple

# critical: the portal is not ready; major: artifacts do not work; minor: they do, and something wants attention.
Weight = Literal["critical", "major", "minor"]


class Guide(NamedTuple):
    """A probe's name for people, its weight, what its failure says in a headline, and what it means."""

    title: str
    weight: Weight
    failure: str
    meaning: str


GUIDES: dict[str, Guide] = {
    "artifacts_enabled": Guide(
        "Artifacts are switched on",
        "major",
        "Artifacts are switched off.",
        "MLFLOW_SERVE_ARTIFACTS is true. When it is false, every artifact call is answered with 503.",
    ),
    "artifact_destination": Guide(
        "Destination is configured",
        "major",
        "The portal does not know of a lasting place for artifacts.",
        "The portal knows where artifacts rest, in a place that outlives this machine.",
    ),
    "database": Guide(
        "Database answers",
        "critical",
        "The portal's database does not answer.",
        "The portal's own database answers a query. Without it no key can be verified.",
    ),
    "clock_database": Guide(
        "Clock agrees with the database's",
        "minor",
        "This machine's clock differs from the database's.",
        "Keys begin and end by the database's clock; logs and signatures carry this machine's.",
    ),
    "mlflow": Guide(
        "MLflow answers",
        "critical",
        "MLflow does not answer as it should.",
        "MLflow's API answers under MLFLOW_SERVER_URL, with the Host header that the traffic carries.",
    ),
    "mlflow_layout": Guide(
        "MLflow is one that the portal knows",
        "critical",
        "This is not an MLflow that the portal knows.",
        "Version and paths are those the portal was made for. Others serve artifacts elsewhere.",
    ),
    "mlflow_artifacts": Guide(
        "MLflow serves artifacts",
        "major",
        "MLflow does not serve artifacts.",
        "MLflow runs with --serve-artifacts. Without it, its artifact endpoints are closed.",
    ),
    "artifact_root": Guide(
        "New experiments keep artifacts behind the portal",
        "major",
        "New experiments keep their artifacts past the portal.",
        "The newest experiment has an mlflow-artifacts:/ address. With s3:// or a path, clients need credentials "
        "of the store, and go past the portal.",
    ),
    "experiment_locations": Guide(
        "Old experiments keep artifacts behind the portal",
        "minor",
        "Some experiments keep their artifacts past the portal.",
        "How many experiments point elsewhere, by scheme. Each keeps the address it was created with.",
    ),
    "artifact_store": Guide(
        "Store answers",
        "major",
        "The artifact store cannot be used.",
        "The portal reaches the store and lists below the destination.",
    ),
    "artifact_write": Guide(
        "Canary is written",
        "major",
        "The artifact store takes no upload.",
        "The portal stores a few bytes below the destination.",
    ),
    "artifact_read": Guide(
        "Canary is read back",
        "major",
        "What was stored does not come back.",
        "The bytes come back as they were written.",
    ),
    "artifact_range": Guide(
        "Part of the canary is read",
        "major",
        "The artifact store does not answer ranges.",
        "The store answers a range of bytes. Interrupted downloads need it.",
    ),
    "artifact_multipart": Guide(
        "Upload in parts works",
        "major",
        "Uploads in parts do not work.",
        "An upload in parts begins, ends, and reads back. Files above 5 MiB travel so.",
    ),
    "artifact_delete": Guide(
        "Canary is deleted",
        "minor",
        "The portal cannot delete artifacts.",
        "The portal removes what it wrote. Where it may not, deleting artifacts fails as well.",
    ),
    "mlflow_store": Guide(
        "MLflow stores and reads",
        "minor",
        "MLflow itself cannot use the artifact store.",
        "MLflow stores a canary with its own rights and gives it back. Its web interface and the proxy mode need it.",
    ),
    "same_destination": Guide(
        "Portal and MLflow use one place",
        "major",
        "Portal and MLflow keep artifacts in different places.",
        "What MLflow has just stored is found where the portal looks. Otherwise each sees half of the artifacts.",
    ),
    "store_credentials": Guide(
        "Credentials last",
        "minor",
        "The credentials for the store will end.",
        "Where the portal's credentials for the store come from, and when they end.",
    ),
    "bucket_versioning": Guide(
        "Versions are kept",
        "minor",
        "Overwritten artifacts are lost: the bucket keeps no versions.",
        "Versioning of the bucket is on, so that an overwritten or deleted artifact can be brought back.",
    ),
    "bucket_encryption": Guide(
        "Encrypted at rest",
        "minor",
        "The bucket does not encrypt by default.",
        "The bucket encrypts new objects by default, whoever writes them.",
    ),
    "bucket_public_access": Guide(
        "Closed to the public",
        "minor",
        "The bucket could be opened to the public.",
        "All four settings of the public-access block are on, so that no policy or list can open the bucket.",
    ),
    "bucket_tls_only": Guide(
        "TLS only",
        "minor",
        "Artifacts may travel without TLS.",
        "The bucket's policy denies requests without TLS, and the portal uses https itself.",
    ),
    "bucket_lifecycle": Guide(
        "Unfinished uploads end",
        "minor",
        "The bucket never ends unfinished uploads.",
        "A lifecycle rule ends incomplete uploads, which cost space and are seen by nobody.",
    ),
    "clock_store": Guide(
        "Clock agrees with the store's",
        "minor",
        "This machine's clock differs from the store's.",
        "S3 refuses requests whose time differs by more than 15 minutes, and signed addresses end early.",
    ),
}

# How a page that shows all of them is divided.
CHAPTERS: dict[str, tuple[str, ...]] = {
    "The portal": ("artifacts_enabled", "artifact_destination", "database", "clock_database"),
    "MLflow": ("mlflow", "mlflow_layout", "mlflow_artifacts", "mlflow_store", "artifact_root", "experiment_locations"),
    "The artifact store": (
        "artifact_store",
        "artifact_write",
        "artifact_read",
        "artifact_range",
        "artifact_multipart",
        "artifact_delete",
        "same_destination",
    ),
    "The bucket": (
        "store_credentials",
        "bucket_versioning",
        "bucket_encryption",
        "bucket_public_access",
        "bucket_tls_only",
        "bucket_lifecycle",
        "clock_store",
    ),
}
