"""Headers that several operations take or give, as the schema tells of them; reads none."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter

# Ways to sign in, for operations that take what they ask about from the body.
KEY_ANYWHERE: Any = [{"bearer": []}, {"header": []}, {}]
KEY_IN_BODY: Any = [{}]
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="The ETag of the last reading, or * to change it whatever it is.",
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    OpenApiParameter.HEADER,
    description="Any word of the caller's own. The same one again makes nothing again.",
)
ETAG = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, response=[200, 201], description="Names this state, for If-Match."
)
