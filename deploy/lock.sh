#!/bin/sh
# Resolves the three requirement files; with --check, fails when one is stale. Writes no index URL into them.
set -eu
cd "$(dirname "$0")/.."
export UV_CUSTOM_COMPILE_COMMAND="make lock" UV_PYTHON_DOWNLOADS=never
check=${1:-}
into=.
if [ "$check" = --check ]; then
    into=$(mktemp -d)
    trap 'rm -rf "$into"' EXIT
    # Started from the committed files, a resolution changes only what its inputs demand.
    cp requirements.txt requirements-dev.txt requirements-mlflow.txt "$into"
fi
compile() {
    .venv/bin/uv pip compile --quiet --generate-hashes --universal --python-version 3.12 --no-emit-index-url "$@"
}
compile pyproject.toml -o "$into/requirements.txt"
compile pyproject.toml --extra dev -c "$into/requirements.txt" --no-annotate -o "$into/requirements-dev.txt"
compile requirements-mlflow.in -o "$into/requirements-mlflow.txt"
[ "$check" = --check ] || exit 0
for file in requirements.txt requirements-dev.txt requirements-mlflow.txt; do
    cmp -s "$file" "$into/$file" || { echo "$file is stale: run make lock and review the difference."; exit 1; }
done
echo "Requirement files are up to date."
