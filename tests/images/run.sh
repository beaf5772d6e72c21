#!/bin/sh
# Runs the tests of the images: checks that the tools are there, then works in namespaces of its own, so that no
# mount, network, firewall rule or process outlives it.
#   run.sh images|compose [pytest arguments]
# With INSTALL=yes, and as root, missing tools are installed.
set -eu
cd "$(dirname "$0")/../.."
what=$1
shift

missing=
needs() { command -v "$1" >/dev/null || missing="$missing $2"; }
needs buildah buildah
needs podman podman
needs runc runc
needs debootstrap debootstrap
needs unshare util-linux
needs ip iproute2
if [ "$what" = compose ]; then
    needs iptables iptables
    needs catatonit catatonit
    needs openssl openssl
    needs curl curl
    [ -x /usr/lib/podman/netavark ] || missing="$missing netavark"
    [ -x /usr/lib/podman/aardvark-dns ] || missing="$missing aardvark-dns"
fi
if [ -n "$missing" ] && [ "${INSTALL:-}" = yes ] && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of package names
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
elif [ -n "$missing" ]; then
    echo "Missing:$missing. As root, make $what-test INSTALL=yes installs them; or: apt-get install$missing"
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "make $what-test mounts and makes networks: run it as root, on a machine where that is fine."
    exit 1
fi

folder=$PWD/var/images
mkdir -p "$folder/run"
# What podman keeps of running containers must not outlive them: a later run would believe it. The shell stays, to
# bury the orphans that become its own.
# shellcheck disable=SC2016,SC2086  # expanded inside; an option or none
inside() {
    space=$1
    shift
    unshare --mount --pid --fork --kill-child --mount-proc $space sh -c \
        'for place in var/images/run /run/containers /run/runc /run/netns; do
            mkdir -p $place && mount -t tmpfs tmpfs $place
        done
        ip link set lo up && .venv/bin/python "$@" && exit' sh "$@"
}
# Building asks the package index; what runs afterwards asks nothing outside.
inside '' -m tests.images.build "$what"
inside --net -m pytest -m "$what" tests/images "$@"
