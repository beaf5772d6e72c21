#!/bin/sh
# Run once by the database image, on an empty volume: a database and a user each for the portal and for MLflow.
set -eu
create() {
    psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --set name="$1" --set word="$2" --username postgres <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'word';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}
create portal "$PORTAL_DATABASE_PASSWORD"
create mlflow "$MLFLOW_DATABASE_PASSWORD"
