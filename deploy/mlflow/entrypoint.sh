#!/bin/sh
# Starts the MLflow server: the only place that knows its flags. The image and `make run` both use it.
#   entrypoint.sh [more `mlflow server` flags]
#   entrypoint.sh upgrade-database       migrates an existing database; take a backup first
set -eu

say() { printf 'mlflow entrypoint: %s\n' "$*" >&2; }

refuse() {
    say "$@"
    exit 64 # EX_USAGE: a restart will not help
}

# one_of NAME VALUE NAME VALUE: whichever is set. Messages carry names, never values: a URI may hold
# a password.
one_of() {
    if [ -n "$2" ] && [ -n "$4" ] && [ "$2" != "$4" ]; then
        refuse "$1 and $3 are both set and differ. Unset one of them."
    fi
    printf '%s' "${2:-$4}"
}

environment=${HOKUSAI_ENVIRONMENT:-${ENVIRONMENT:-production}}
backend=$(one_of BACKEND_STORE_URI "${BACKEND_STORE_URI:-}" \
    MLFLOW_BACKEND_STORE_URI "${MLFLOW_BACKEND_STORE_URI:-}")
destination=$(one_of DEFAULT_ARTIFACT_ROOT "${DEFAULT_ARTIFACT_ROOT:-}" \
    MLFLOW_ARTIFACTS_DESTINATION "${MLFLOW_ARTIFACTS_DESTINATION:-}")

# MLflow would fall back to a database and a folder on its own disk, and lose both with the container.
case $backend in
    '')
        refuse "BACKEND_STORE_URI is empty. Set it to the metadata database, for example" \
            "postgresql://USER@HOST:5432/mlflow with the password in PGPASSWORD." ;;
    sqlite:*)
        [ "$environment" = development ] || refuse "BACKEND_STORE_URI is SQLite, which is lost with" \
            "this machine. Set it to a PostgreSQL database, or HOKUSAI_ENVIRONMENT to development." ;;
    # SQLAlchemy 2.1 takes psycopg 3 when no driver is named; psycopg2 is the one installed here.
    postgresql://* | postgres://*) backend=postgresql+psycopg2://${backend#*://} ;;
    postgresql+*://* | mysql+*://* | mssql+*://*) ;;
    *) refuse "BACKEND_STORE_URI is not a database URI. Use postgresql://... (or sqlite:///... in development)." ;;
esac
case $destination in
    '') refuse "DEFAULT_ARTIFACT_ROOT is empty. Set it to the object store, for example s3://BUCKET/PREFIX." ;;
    mlflow-artifacts:* | http://* | https://*)
        refuse "DEFAULT_ARTIFACT_ROOT names a server, not a store. Set it to where the bytes rest, for" \
            "example s3://BUCKET/PREFIX; clients are given mlflow-artifacts:/ in any case." ;;
    file:*) is_local=true ;;
    *://*) is_local=false ;;
    *) is_local=true ;;
esac
if $is_local && [ "$environment" != development ]; then
    refuse "DEFAULT_ARTIFACT_ROOT is a folder on this machine and is lost with it. Set it to an object" \
        "store such as s3://BUCKET/PREFIX, or HOKUSAI_ENVIRONMENT to development."
fi

# By environment and not by flag: every user of the machine can read process arguments.
export MLFLOW_BACKEND_STORE_URI="$backend" MLFLOW_ARTIFACTS_DESTINATION="$destination"
# A developer's own client settings point at the portal and would reach the server's process.
unset MLFLOW_TRACKING_URI MLFLOW_REGISTRY_URI MLFLOW_WORKSPACE

here=$(dirname "$0")
case $backend in
    sqlite:*) ;;
    *) python "$here/database.py" wait "${MLFLOW_DATABASE_WAIT_SECONDS:-60}" ;;
esac
if [ "${1:-}" = upgrade-database ]; then
    exec python "$here/database.py" upgrade
fi

export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
# The portal has no route to either; the job runner alone would be eight more processes.
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_ENABLE_AI_GATEWAY=false
# A source elsewhere (s3://, /etc, another host) would be read with this server's credentials, past the
# portal. The last two are the placeholders that MLflow stores for prompts.
: "${MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX=^((runs|models|mlflow-artifacts):/[^/]|(prompt-template|dummy-source)\$)}"
export MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX

port=${MLFLOW_PORT:-5000}
prefix=${MLFLOW_STATIC_PREFIX-/mlflow}

# The list replaces MLflow's own and is compared with the whole Host header, port included.
hosts=${MLFLOW_SERVER_ALLOWED_HOSTS:-}
if [ -n "${MLFLOW_SERVER_URL:-}" ]; then
    netloc=${MLFLOW_SERVER_URL#*://}
    netloc=${netloc%%/*}
    case $netloc in
        *\]) host=$netloc ;;
        *) host=${netloc%:*} ;;
    esac
    hosts=$netloc,$host,localhost:$port,127.0.0.1:$port${hosts:+,$hosts}
elif [ -z "$hosts" ]; then
    say "MLFLOW_SERVER_URL is not set: only localhost and private addresses are accepted as Host."
fi

case ${HOKUSAI_WORKSPACES:-false} in
    [Tt]rue | TRUE | 1 | [Yy]es | [Oo]n) workspaces=--enable-workspaces ;;
    *) workspaces=--disable-workspaces ;;
esac

case $destination in
    *@* | *\?*) shown=${destination%%:*} ;;
    *) shown=$destination ;;
esac
say "database ${backend%%:*}, artifacts $shown, prefix ${prefix:-none}, hosts ${hosts:-default}," \
    "$environment, ${workspaces#--}"

# `mlflow server` creates the tables of an empty database in this one process, before any worker starts,
# and refuses to start on an older schema: then run upgrade-database. So start one replica first.
# Uvicorn's own 5 s of keep-alive is shorter than the portal's pool keeps a connection.
exec mlflow server \
    --host "${MLFLOW_HOST:-0.0.0.0}" \
    --port "$port" \
    ${prefix:+--static-prefix "$prefix"} \
    --default-artifact-root mlflow-artifacts:/ \
    --serve-artifacts \
    --workers "${MLFLOW_WORKERS:-2}" \
    ${hosts:+--allowed-hosts "$hosts"} \
    --uvicorn-opts "${MLFLOW_UVICORN_OPTS:---timeout-keep-alive 75}" \
    "$workspaces" \
    "$@"
