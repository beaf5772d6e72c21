#!/bin/sh
# Checks the deployment files with the tools of .venv-deploy, offline.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sh deploy/compose/env.sh "$folder" >/dev/null
.venv-deploy/bin/docker-compose --env-file "$folder/.env" config -q
echo "compose.yaml: good"

.venv-deploy/bin/python deploy/check_helm.py
