#!/bin/sh
# Writes .env for compose.yaml, with secrets made here and now, and a certificate to begin with. Overwrites nothing.
#   env.sh [FOLDER]        HOKUSAI_PUBLIC_URL in the environment names the address, HOKUSAI_UI_HOST the interface's
set -eu
cd "$(dirname "$0")/../.."
umask 077
folder=${1:-.}
file=$folder/.env
tls=$folder/var/compose/tls
if [ -e "$file" ]; then
    echo "$file exists. It holds secrets that stored data depends on: move it away first, if you mean to begin anew."
    exit 1
fi
url=${HOKUSAI_PUBLIC_URL:-https://localhost}
host=${url#https://}
host=${host%%[:/]*}
ui=${HOKUSAI_UI_HOST:-}
[ "$url" != "$host" ] || { echo "HOKUSAI_PUBLIC_URL must begin with https://"; exit 1; }

random() { openssl rand -hex 32; }
while IFS= read -r line; do
    case $line in
        HOKUSAI_PUBLIC_URL=*) line=HOKUSAI_PUBLIC_URL=$url ;;
        '#HOKUSAI_UI_HOST='*) [ -z "$ui" ] || line=HOKUSAI_UI_HOST=$ui ;;
        HOKUSAI_KEY_PEPPERS=) line="HOKUSAI_KEY_PEPPERS=1:$(random)" ;;
        [A-Z]*=) line=$line$(random) ;;
    esac
    printf '%s\n' "$line"
done < .env.example > "$file.draft"
mv "$file.draft" "$file"

if [ ! -e "$tls/tls.crt" ]; then
    mkdir -p "$tls"
    case $host in
        *[!0-9.]*) names=DNS:$host ;;
        *) names=IP:$host ;;
    esac
    names=$names${ui:+,DNS:${ui%%:*}}
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 90 -subj "/CN=$host" \
        -addext "subjectAltName=$names" -keyout "$tls/tls.key" -out "$tls/tls.crt" 2>/dev/null
    echo "Made a certificate for $host${ui:+ and ${ui%%:*}} that nobody trusts yet: put your own in $tls (tls.crt, tls.key)."
fi
echo "Wrote $file. Keep a copy where you keep secrets: without HOKUSAI_KEY_PEPPERS a backup of the database is of no use."
