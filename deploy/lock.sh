#!/bin/sh
# Resolves the requirement files; with --check, fails when one is stale. Writes no index URL into them.
set -eu
cd "$(dirname "$0")/.."
export UV_CUSTOM_COMPILE_COMMAND="make lock" UV_PYTHON_DOWNLOADS=never
check=${1:-}
into=.
files="requirements.txt requirements-dev.txt requirements-mlflow.txt bench/requirements.txt deploy/requirements.txt"
if [ "$check" = --check ]; then
    into=$(mktemp -d)
    trap 'rm -rf "$into"' EXIT
    # Started from the committed files, a resolution changes only what its inputs demand.
    mkdir "$into/bench" "$into/deploy"
    for file in $files; do cp "$file" "$into/$file"; done
fi
compile() {
    .venv/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.12 --no-emit-index-url "$@"
}
compile pyproject.toml -o "$into/requirements.txt"
compile pyproject.toml --extra dev -c "$into/requirements.txt" --no-annotate -o "$into/requirements-dev.txt"
compile requirements-mlflow.in -o "$into/requirements-mlflow.txt"
compile bench/requirements.in -c "$into/requirements-mlflow.txt" --no-annotate -o "$into/bench/requirements.txt"
compile deploy/requirements.in --no-annotate -o "$into/deploy/requirements.txt"
[ "$check" = --check ] || exit 0
for file in $files; do
    cmp -s "$file" "$into/$file" || { echo "$file is stale: run make lock and review the difference."; exit 1; }
done
echo "Requirement files are up to date."
