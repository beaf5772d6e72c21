"""Everything that can go wrong between a request and MLflow's answer; maps nothing and logs nothing.

ProxyError
├── AmbiguousTargetError       400  the request line has more than one reading
├── LocationRefusedError       400  a store, or a depth, that the portal does not serve
├── BodyRefusedError           400  a body where none belongs, or one that breaks its own framing
├── UploadTruncatedError       400  fewer bytes came than were announced
├── WorkspaceRefusedError      403  not on the service's list
├── BodyTooLargeError          413
├── CodingRefusedError         415  compressed where that is not read
├── UnauthenticatedError       401  no key, or none that is valid
├── ForbiddenError             403  a good key without the right
├── PaceExceededError          429
├── RouteUnknownError          404  not in the table
├── ArtifactMissingError       404
├── ModelMissingError          404  a logged model that is not in the workspace
├── IsFolderError              400  a folder where a file is meant
├── PreconditionFailedError    412  another version than the one asked for
├── RangeRefusedError          416
├── UnsupportedError           501  what MLflow says of a store without the feature
├── MethodRefusedError         405
├── ArtifactsDisabledError     503  MLFLOW_SERVE_ARTIFACTS=false
├── DatabaseUnavailableError   503  the portal's own
├── StoreUnavailableError      503  the artifact store, for now
│   └── StorePausedError       503  its breaker is open
├── StoreRefusedError          424  the artifact store, until an operator acts
├── TransferBrokenError        500  bytes ended early under way: never a reply, only the end of one
├── LoopDetectedError          508  the upstream is the portal itself
└── UpstreamError
    ├── UpstreamRefusedError   503  nothing reached MLflow
    │   └── UpstreamPausedError     its breaker is open
    ├── UpstreamTimedOutError  504
    ├── UpstreamGarbledError   502  bytes that are no answer
    └── UpstreamRejectedError  424  MLflow, or its store, refuses the portal itself until an operator acts

``error_code`` is a word of MLflow's own table, so that its client shows the message instead of a warning.
"""


class ProxyError(Exception):
    """A refusal or fault with its status, MLflow's word, our stable word and a sentence for the caller."""

    status = 500
    error_code = "INTERNAL_ERROR"
    reason = "INTERNAL"
    # Whole seconds, only where a repeat can help: clients repeat a 503 by themselves.
    retry_after: int | None = None
    # So many more at most, by chance: the callers of one outage come back one after the other.
    retry_spread = 0
    # Whether it says that something else does not answer: a breaker counts these, and nothing else.
    is_outage = False
    # Whether it may as well be that the caller asked for too much.
    is_doubtful = False
    sentence = "The portal failed. Tell its operators the request id."

    def __init__(self, sentence: str = "", *, reason: str = "") -> None:
        super().__init__(sentence or self.sentence)
        self.reason = reason or self.reason


class AmbiguousTargetError(ProxyError):
    status = 400
    error_code = "INVALID_PARAMETER_VALUE"
    reason = "AMBIGUOUS_PATH"


class LocationRefusedError(ProxyError):
    status = 400
    error_code = "INVALID_PARAMETER_VALUE"
    reason = "LOCATION_REFUSED"


class BodyRefusedError(ProxyError):
    status = 400
    error_code = "INVALID_PARAMETER_VALUE"
    reason = "BODY_REFUSED"


class UploadTruncatedError(ProxyError):
    status = 400
    error_code = "BAD_REQUEST"
    reason = "UPLOAD_TRUNCATED"
    sentence = "The upload ended before all announced bytes came. Nothing was stored."


class WorkspaceRefusedError(ProxyError):
    status = 403
    error_code = "PERMISSION_DENIED"
    reason = "WORKSPACE_REFUSED"


class CodingRefusedError(ProxyError):
    status = 415
    error_code = "INVALID_PARAMETER_VALUE"
    reason = "CODING_REFUSED"


class BodyTooLargeError(ProxyError):
    status = 413
    error_code = "BAD_REQUEST"
    reason = "BODY_TOO_LARGE"


class UnauthenticatedError(ProxyError):
    status = 401
    error_code = "UNAUTHENTICATED"
    reason = "UNAUTHENTICATED"


class ForbiddenError(ProxyError):
    status = 403
    error_code = "PERMISSION_DENIED"
    reason = "PERMISSION_DENIED"


class MethodRefusedError(ProxyError):
    status = 405
    error_code = "BAD_REQUEST"
    reason = "METHOD_REFUSED"


class PaceExceededError(ProxyError):
    status = 429
    error_code = "REQUEST_LIMIT_EXCEEDED"
    reason = "RATE_EXCEEDED"


class RouteUnknownError(ProxyError):
    status = 404
    error_code = "ENDPOINT_NOT_FOUND"
    reason = "ROUTE_UNKNOWN"


class ArtifactMissingError(ProxyError):
    status = 404
    error_code = "RESOURCE_DOES_NOT_EXIST"
    reason = "ARTIFACT_MISSING"
    sentence = "There is no such artifact."


class ModelMissingError(ProxyError):
    status = 404
    error_code = "RESOURCE_DOES_NOT_EXIST"
    reason = "MODEL_MISSING"


class IsFolderError(ProxyError):
    status = 400
    error_code = "INVALID_PARAMETER_VALUE"
    reason = "ARTIFACT_IS_FOLDER"
    sentence = "The path is a folder, not a file. List it, and ask for the files in it."


class PreconditionFailedError(ProxyError):
    status = 412
    error_code = "RESOURCE_CONFLICT"
    reason = "PRECONDITION_FAILED"
    sentence = "The artifact is another version than the one that If-Match asks for."


class RangeRefusedError(ProxyError):
    """``size`` of the artifact in bytes, None where the store does not tell."""

    status = 416
    error_code = "INVALID_PARAMETER_VALUE"
    reason = "RANGE_REFUSED"
    sentence = "The range is outside of the artifact."

    def __init__(self, size: int | None) -> None:
        super().__init__()
        self.size = size


class UnsupportedError(ProxyError):
    status = 501
    error_code = "NOT_IMPLEMENTED"
    reason = "PRESIGNED_OFF"


class StoreUnavailableError(ProxyError):
    status = 503
    error_code = "TEMPORARILY_UNAVAILABLE"
    reason = "STORE_UNAVAILABLE"
    retry_after = 10
    retry_spread = 2
    hint = ""
    sentence = "The artifact store cannot be reached or is busy. Nothing was changed; try again shortly."

    @property
    def is_outage(self) -> bool:  # type: ignore[override]
        return self.reason == "STORE_UNAVAILABLE"


class StorePausedError(StoreUnavailableError):
    reason = "STORE_PAUSED"
    sentence = "The artifact store did not answer the last calls. Nothing was changed; try again shortly."


class StoreRefusedError(ProxyError):
    """``hint`` is for the operator alone: it may name buckets and roles."""

    status = 424
    error_code = "INVALID_STATE"
    reason = "STORE_DENIED"
    sentence = "The artifact store refuses the portal, not you. Tell its operators the request id."

    def __init__(self, *, reason: str, hint: str = "") -> None:
        super().__init__(reason=reason)
        self.hint = hint


class TransferBrokenError(ProxyError):
    reason = "TRANSFER_BROKEN"
    sentence = "The artifact's bytes ended early."


class ArtifactsDisabledError(ProxyError):
    status = 503
    error_code = "TEMPORARILY_UNAVAILABLE"
    reason = "ARTIFACTS_DISABLED"
    sentence = "Artifact storage is not configured. Please contact your administrator."


class DatabaseUnavailableError(ProxyError):
    status = 503
    error_code = "TEMPORARILY_UNAVAILABLE"
    reason = "DATABASE_UNAVAILABLE"
    retry_after = 2
    sentence = "The portal's database cannot be reached. Try again shortly."


class LoopDetectedError(ProxyError):
    status = 508
    error_code = "INVALID_STATE"
    reason = "LOOP_DETECTED"
    sentence = "MLFLOW_SERVER_URL leads back to the portal. Point it at the MLflow server itself."


class UpstreamError(ProxyError):
    """MLflow could not be asked, or did not answer."""

    error_code = "TEMPORARILY_UNAVAILABLE"


class UpstreamRefusedError(UpstreamError):
    status = 503
    # MLflow's client repeats seven times at this pace: long enough for a restart of MLflow, a minute, to go unseen.
    retry_after = 10
    retry_spread = 2
    is_outage = True
    reason = "UPSTREAM_REFUSED"
    sentence = "MLflow cannot be reached. The request was not sent; try again shortly."


class UpstreamPausedError(UpstreamRefusedError):
    is_outage = False
    reason = "UPSTREAM_PAUSED"
    sentence = "MLflow did not answer the last calls. The request was not sent; try again shortly."


class UpstreamTimedOutError(UpstreamError):
    status = 504
    is_outage = is_doubtful = True
    error_code = "DEADLINE_EXCEEDED"
    reason = "UPSTREAM_TIMED_OUT"
    sentence = "MLflow did not answer in time. The request may or may not have been carried out."


class UpstreamGarbledError(UpstreamError):
    status = 502
    reason = "UPSTREAM_GARBLED"
    sentence = "MLflow's answer could not be read. The request may or may not have been carried out."


class UpstreamRejectedError(UpstreamError):
    # Clients repeat every 500, 502, 503 and 504 for four minutes and then lose the message (RFC 4918 §11.4 for 424).
    status = 424
    error_code = "INVALID_STATE"
    reason = "UPSTREAM_REJECTED"
    sentence = "The portal's own set-up is at fault, not your request. Tell its operators the request id."
