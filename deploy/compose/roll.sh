#!/bin/sh
# Brings compose.yaml to a new version of the portal without a failed call: new portals first, then the old ones end.
# Touches portal and worker alone: with its dependencies, compose may replace the database under the portals.
set -eu
cd "$(dirname "$0")/../.."
old=$(docker compose ps --quiet portal)
docker compose run --rm --no-deps migrate
# shellcheck disable=SC2086  # a list
set -- $old
docker compose up --detach --no-deps --no-recreate --wait --scale portal=$((2 * $#)) portal
for portal; do
    docker stop "$portal" && docker rm "$portal"
done
docker compose up --detach --no-deps worker
