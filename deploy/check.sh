#!/bin/sh
# Checks the deployment files with the tools of .venv-deploy: Compose, Helm, Terraform. Asks no cluster and no cloud.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

sh deploy/compose/env.sh "$folder" >/dev/null
.venv-deploy/bin/docker-compose --env-file "$folder/.env" config -q
echo "compose.yaml: good"

.venv-deploy/bin/python deploy/check_helm.py

.venv-deploy/bin/python - <<'PYTHON'
from pathlib import Path
import hcl2
files = sorted(Path("deploy/terraform").glob("*.tf"))
for file in files:
    hcl2.loads(file.read_text())
print(f"deploy/terraform: {len(files)} files parse")
PYTHON
.venv-deploy/bin/checkov --directory deploy/terraform --framework terraform --skip-download --quiet --compact \
    --config-file deploy/terraform/.checkov.yaml
echo "deploy/terraform: the scan finds nothing that .checkov.yaml does not explain"

if ! command -v terraform >/dev/null; then
    echo "deploy/terraform: terraform is not installed, so neither fmt nor validate has run"
    exit 0
fi
export CHECKPOINT_DISABLE=1 TF_DATA_DIR="$folder/terraform" TF_IN_AUTOMATION=1
terraform fmt -check deploy/terraform
echo "deploy/terraform: formatted"
# In a copy: it would write a lock of providers beside the files.
cp deploy/terraform/*.tf "$folder"
if terraform -chdir="$folder" init -backend=false -input=false >/dev/null 2>&1; then
    terraform -chdir="$folder" validate
else
    echo "deploy/terraform: no registry of providers is reached, so terraform validate has not run"
fi
