#!/bin/sh
# Makes the base image without a registry: Debian from this machine's apt mirror, and this machine's Python.
#   base.sh PYTHON FOLDER NAME       $PODMAN is podman with its options
set -eu
python=$1 folder=$2 name=$3
rootfs=$folder/rootfs
# shellcheck disable=SC2016  # apt expands it
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
# shellcheck source=/dev/null
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
prefix=$("$python" -c 'import sys; print(sys.base_prefix)')
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')

rm -rf "$rootfs"
debootstrap --variant=minbase --include=ca-certificates,libssl3,libffi8,libsqlite3-0,libreadline8,libbz2-1.0,liblzma5,libncursesw6,libuuid1,zlib1g,libexpat1,netbase,tzdata \
    "$release" "$rootfs" "$mirror"
lib=$rootfs/usr/local/lib/python$version
mkdir -p "$lib"
cp -a "$prefix/bin/python$version" "$rootfs/usr/local/bin/"
find "$prefix/lib" -maxdepth 1 -name 'libpython*.so*' -exec cp -a {} "$rootfs/usr/local/lib/" \;
tar -C "$prefix/lib/python$version" -c --exclude=test --exclude=tests --exclude=__pycache__ --exclude=idlelib \
    --exclude='config-*' --exclude='site-packages/*' . | tar -C "$lib" -x
ln -sf "python$version" "$rootfs/usr/local/bin/python3"
ln -sf python3 "$rootfs/usr/local/bin/python"
chroot "$rootfs" ldconfig
chroot "$rootfs" /usr/local/bin/python -m ensurepip
ln -sf pip3 "$rootfs/usr/local/bin/pip"
rm -rf "$rootfs"/var/cache/apt/archives/*.deb "$rootfs"/var/lib/apt/lists/*
# shellcheck disable=SC2086  # a command with its options
tar -C "$rootfs" -c . | $PODMAN import \
    --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["python3"]' - "$name"
rm -rf "$rootfs"
