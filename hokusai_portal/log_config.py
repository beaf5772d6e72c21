"""One JSON line per event on standard error, with every key-shaped or signed text removed; decides no level of detail.

Redaction is the last processor, over the rendered line: whatever found its way into an event (a path, a header in a
traceback, a name that somebody gave to a run) is scrubbed by shape, so that no call site can forget it.
"""

import logging
import re
from typing import Any

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from apikeys.redaction import redact_keys

_SIGNATURE = re.compile(
    r"(?i)((?:X-Amz-(?:Signature|Credential|Security-Token)|api_key|access_token)(?:=|%3D))[^&\s\"']+"
)
_CREDENTIAL = re.compile(r"(?i)\b(Bearer|ApiKey|Basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_URL_PASSWORD = re.compile(r"(?i)([a-z][a-z0-9+.-]*://[^:/?#\s\"']*:)[^@/?#\s\"']+@")
# In ASCII a pattern finds nothing without one of its words, and looking for a word is a hundred times faster. Beyond,
# patterns that ignore case take more letters for an i than any folding does.
_RULES = (
    (("x-amz-", "api_key", "access_token"), _SIGNATURE, r"\1…"),
    (("bearer", "apikey", "basic"), _CREDENTIAL, r"\1 …"),
    (("://",), _URL_PASSWORD, r"\1…@"),
)


def redact(text: str) -> str:
    """Return the text without the secret part of keys, signatures, credentials and passwords inside URLs."""
    text = redact_keys(text)
    lowered, is_ascii = text.lower(), text.isascii()
    for words, pattern, replacement in _RULES:
        if not is_ascii or any(word in lowered for word in words):
            text = pattern.sub(replacement, text)
    return text


class RedactingJsonRenderer:
    """Render an event as JSON and redact the result."""

    def __init__(self) -> None:
        self._render = structlog.processors.JSONRenderer(ensure_ascii=False)

    def __call__(self, logger: WrappedLogger, name: str, event_dict: EventDict) -> str:
        return redact(str(self._render(logger, name, event_dict)))


SHARED_PROCESSORS: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
]


def dict_config(level: str) -> dict[str, Any]:
    """Return the LOGGING setting: structlog, Django, gunicorn and libraries through one formatter."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [*SHARED_PROCESSORS, structlog.stdlib.PositionalArgumentsFormatter()],
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, RedactingJsonRenderer()],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Said by our own lines already, and with a request line that nobody has redacted.
            "django.request": {"level": "CRITICAL"},
            "django.server": {"level": "WARNING"},
            "urllib3": {"level": "ERROR"},
            "gunicorn.error": {"handlers": ["stderr"], "level": level, "propagate": False},
        },
    }


def configure() -> None:
    """Point structlog at the standard library's handlers."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED_PROCESSORS,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(True)
