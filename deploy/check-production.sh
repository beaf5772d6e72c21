#!/bin/sh
# Runs Django's deployment checks against a production profile made up on the spot; touches no database.
set -eu
cd "$(dirname "$0")/.."
secret=$(.venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(64))')
env HOKUSAI_ENVIRONMENT=production HOKUSAI_SECRET_KEY="$secret" HOKUSAI_KEY_PEPPERS="1:$secret" \
    DATABASE_URL=postgres://portal@db.invalid/portal HOKUSAI_PUBLIC_URL=https://registry.example.org \
    HOKUSAI_UI_HOST=mlflow.example.org \
    MLFLOW_SERVER_URL=http://mlflow.internal:5000 HOKUSAI_DATA_DIR="${TMPDIR:-/tmp}/hokusai-check" \
    .venv/bin/python manage.py check --deploy --fail-level WARNING
