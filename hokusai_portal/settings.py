"""Django's settings, composed from hokusai_portal.env; reads no variable itself and holds no rule."""

from typing import Any
from urllib.parse import urlsplit

import dj_database_url
from django.utils.csp import CSP

from apikeys import sunsets
from apikeys.keys import parse_peppers
from apikeys.sessions import WHOLE_SECONDS
from hokusai_portal import env, log_config, pool

BASE_DIR = env.BASE_DIR
DEBUG = False
SECRET_KEY = env.SECRET_KEY
ROOT_URLCONF = "hokusai_portal.urls"
WSGI_APPLICATION = "hokusai_portal.wsgi.application"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
APPEND_SLASH = False

_public = urlsplit(env.PUBLIC_URL)
ALLOWED_HOSTS = env.ALLOWED_HOSTS or ([_public.hostname] if _public.hostname else ["localhost", "127.0.0.1", "[::1]"])
if env.UI_HOST:
    ALLOWED_HOSTS = [*ALLOWED_HOSTS, urlsplit(f"//{env.UI_HOST}").hostname or ""]
IS_HTTPS = _public.scheme == "https"

INSTALLED_APPS = [
    "hokusai_portal.apps.HokusaiPortalConfig",
    "mlflow_proxy.apps.MlflowProxyConfig",
    "apikeys.apps.ApiKeysConfig",
    "hokusai_portal.apps.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "hokusai_portal.middleware.RequestLogMiddleware",
    "hokusai_portal.lanes.ClientLaneMiddleware",
    "hokusai_portal.hosts.ProbeHostMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Refuses a foreign Host on every path: it asks for it before any view does.
    "django.middleware.common.CommonMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "hokusai_portal.hosts.HostsMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.csp",
            ]
        },
    }
]

_sqlite_url = f"sqlite:///{env.DATA_DIR / 'portal.sqlite3'}"
_database = dj_database_url.parse(env.DATABASE_URL or _sqlite_url)
if _database["ENGINE"] == "django.db.backends.sqlite3":
    # A file has no limit of connections that idle ones could use up, and opening it costs more than the query.
    _database["CONN_MAX_AGE"] = None
    _database["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 10,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
else:
    from hokusai_portal.database import ImpatientConnection  # SQLite needs no psycopg

    # libpq waits for ever by default, and psycopg for two minutes.
    _database.setdefault("OPTIONS", {}).setdefault("connect_timeout", 2)
    # A pool instead of CONN_MAX_AGE: the proxy gives its connection back before bytes move.
    _database["OPTIONS"]["pool"] = {
        "min_size": 1,
        "max_size": env.DATABASE_POOL_SIZE,
        **pool.UNHURRIED,
        "connection_class": ImpatientConnection,
    }
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATIC_ROOT = env.STATIC_DIR
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
if env.ARTIFACT_DESTINATION.startswith("s3://"):
    _bucket = urlsplit(env.ARTIFACT_DESTINATION)
    STORAGES["artifacts"] = {
        "BACKEND": "mlflow_proxy.artifacts.storage.ArtifactBucket",
        "OPTIONS": {
            "bucket_name": _bucket.netloc,
            "location": _bucket.path.strip("/"),
            "endpoint_url": env.S3_ENDPOINT_URL or None,
        },
    }

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_NAME = "__Host-sessionid" if IS_HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if IS_HTTPS else "csrftoken"
SESSION_ENGINE = "apikeys.sessions"
SESSION_COOKIE_AGE = WHOLE_SECONDS
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
CSRF_FAILURE_VIEW = "hokusai_portal.views.csrf_failure"
CSRF_TRUSTED_ORIGINS = [f"{_public.scheme}://{_public.netloc}"] if IS_HTTPS else []
SECURE_HSTS_SECONDS = 31536000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = False
SECURE_CONTENT_TYPE_NOSNIFF = True
# Other sites learn nothing. Under no-referrer, browsers send `Origin: null` with a form, which Django refuses (Fetch).
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
# A redirect would leak a key sent over http and lose an upload's body; the front proxy answers http (docs/adr).
SECURE_SSL_REDIRECT = False
SILENCED_SYSTEM_CHECKS = [
    "mail.W001",  # without a mail server there is no mailer, and whoever would send asks first
    "security.W005",  # HSTS for subdomains is for the owner of the domain to decide
    "security.W008",  # see SECURE_SSL_REDIRECT
    "security.W021",  # preloading, likewise
]

REST_FRAMEWORK = {
    # Deny unless a view says otherwise: no anonymous surface by omission, and no password or session on the API.
    "DEFAULT_AUTHENTICATION_CLASSES": ["apikeys.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apikeys.permissions.DenyAll"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apikeys.api.parsers.SmallJSONParser"],
    # Python's own form: old clients read times with fromisoformat, which did not know Z.
    "DATETIME_FORMAT": "%Y-%m-%dT%H:%M:%S.%f%:z",
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_SCHEMA_CLASS": "apikeys.api.schema.PortalSchema",
    "EXCEPTION_HANDLER": "apikeys.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
    "UNAUTHENTICATED_TOKEN": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Hokusai Portal",
    "DESCRIPTION": "Services, API keys, usage, audit trail and storage health. docs/api.md is the guide.",
    "VERSION": "1",
    "SERVERS": [{"url": "/"}],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["apikeys.api.schema.without_last_slash"],
    "POSTPROCESSING_HOOKS": ["apikeys.api.schema.completed"],
    "COMPONENT_SPLIT_REQUEST": True,
}

CORS_ALLOWED_ORIGINS = env.CORS_ORIGINS
CORS_URLS_REGEX = r"^/(api|mlflow)/"
CORS_ALLOW_CREDENTIALS = False
CORS_EXPOSE_HEADERS = [
    *("X-Request-ID", "Retry-After", "WWW-Authenticate", "RateLimit", "RateLimit-Policy"),
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    *sunsets.NAMES,
]
CORS_ALLOW_HEADERS = ["accept", "authorization", "content-type", "x-api-key", "x-mlflow-client-version"]

LOGGING = log_config.dict_config(env.LOG_LEVEL)
log_config.configure()

MAILERS: dict[str, dict[str, Any]] = {}
if env.SMTP_URL:
    _mail = env.mail_settings()
    MAILERS["default"] = {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": _mail["HOST"],
            "port": _mail["PORT"],
            "username": _mail["HOST_USER"] or "",
            "password": _mail["HOST_PASSWORD"] or "",
            "use_tls": _mail["USE_TLS"],
            "use_ssl": _mail["USE_SSL"],
            "timeout": 10,
        },
    }
DEFAULT_FROM_EMAIL = env.MAIL_FROM or f"hokusai-portal@{_public.hostname or 'localhost'}"

HOKUSAI_ENVIRONMENT = env.ENVIRONMENT
HOKUSAI_PUBLIC_URL = env.PUBLIC_URL
HOKUSAI_UI_HOST = env.UI_HOST
HOKUSAI_KEY_PEPPERS = parse_peppers(env.KEY_PEPPERS)
HOKUSAI_KEY_DEFAULT_DAYS = env.KEY_DEFAULT_DAYS
HOKUSAI_KEY_MAX_DAYS = env.KEY_MAX_DAYS
HOKUSAI_REDIS_URL = env.REDIS_URL
HOKUSAI_RATE_LIMIT_PER_HOUR = env.RATE_LIMIT_PER_HOUR
HOKUSAI_KEY_CONCURRENCY = env.KEY_CONCURRENCY
HOKUSAI_TRUSTED_PROXIES = env.TRUSTED_PROXIES
HOKUSAI_USAGE_FLUSH_SECONDS = env.USAGE_FLUSH_SECONDS
HOKUSAI_CONNECT_TIMEOUT = env.CONNECT_TIMEOUT
HOKUSAI_METADATA_TIMEOUT = env.METADATA_TIMEOUT
HOKUSAI_TRANSFER_TIMEOUT = env.TRANSFER_TIMEOUT
HOKUSAI_BREAKERS = env.BREAKERS
HOKUSAI_WEB_THREADS = env.WEB_THREADS
HOKUSAI_MAX_JSON_BYTES = env.MAX_JSON_BYTES
HOKUSAI_API_KEY = env.API_KEY
HOKUSAI_TRACKING_URI = f"{env.PUBLIC_URL.rstrip('/')}/api/mlflow" if env.PUBLIC_URL else ""
HOKUSAI_CLIENT_ENVIRONMENT = env.CLIENT_ENVIRONMENT
HOKUSAI_MLFLOW_PYTHON = env.MLFLOW_PYTHON
MLFLOW_SERVER_URL = env.MLFLOW_SERVER_URL
MLFLOW_STATIC_PREFIX = env.MLFLOW_STATIC_PREFIX
HOKUSAI_WORKSPACES = env.WORKSPACES
MLFLOW_SERVE_ARTIFACTS = env.MLFLOW_SERVE_ARTIFACTS
HOKUSAI_ARTIFACT_MODE = env.ARTIFACT_MODE
HOKUSAI_ARTIFACT_DESTINATION = env.ARTIFACT_DESTINATION
HOKUSAI_S3_PUBLIC_ENDPOINT_URL = env.S3_PUBLIC_ENDPOINT_URL
HOKUSAI_REDIRECT_MIN_BYTES = env.REDIRECT_MIN_BYTES
HOKUSAI_STORAGE_CHECK_SECONDS = env.STORAGE_CHECK_SECONDS
HOKUSAI_WEBHOOK_NETWORKS = env.WEBHOOK_NETWORKS
HOKUSAI_ALERT_EMAILS = env.ALERT_EMAILS
HOKUSAI_ALERT_WEBHOOK_URL = env.ALERT_WEBHOOK_URL
HOKUSAI_ALERT_WEBHOOK_SECRET = env.ALERT_WEBHOOK_SECRET
