#!/bin/sh
# Does what the official image does on its first start: a cluster with a password, then the scripts of initdb.d.
set -eu
mkdir -p "$PGDATA"
chown -R postgres "$PGDATA"
chmod 700 "$PGDATA"
as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
if [ ! -e "$PGDATA/PG_VERSION" ]; then
    printf '%s' "$POSTGRES_PASSWORD" > /tmp/word
    chown postgres /tmp/word
    as initdb --username=postgres --pwfile=/tmp/word --auth-host=scram-sha-256 --auth-local=trust \
        --encoding=UTF8 --locale=C.UTF-8 >/dev/null
    rm /tmp/word
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    as pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -k /var/run/postgresql" -w start >/dev/null
    export PGHOST=/var/run/postgresql
    for script in /docker-entrypoint-initdb.d/*.sh; do as sh "$script"; done
    as pg_ctl -D "$PGDATA" -m fast -w stop >/dev/null
fi
exec setpriv --reuid=postgres --regid=postgres --clear-groups postgres -D "$PGDATA" -c listen_addresses='*' -k /var/run/postgresql
