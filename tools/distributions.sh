#!/usr/bin/env bash
# The wheels in dist/ on other releases of Debian: what is installed, what it measures, the demo.
# As root; nothing of the host is changed: everything is in namespaces that end with it.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v debootstrap >/dev/null || { echo "distributions: apt install debootstrap" >&2; exit 1; }

inside='
set -eu
mount --bind "$ROOT" "$ROOT"
cd "$ROOT"
mkdir -p wheels mnt
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs tmp
mount --bind "$WHEELS" wheels
cat /etc/resolv.conf > etc/resolv.conf
mkdir -p etc/ssl/certs
cat /etc/ssl/certs/ca-certificates.crt > etc/ssl/certs/ca-certificates.crt
# Not chroot: the kernel gives no user namespace to who is in one.
pivot_root . mnt
umount -l /mnt
exec /bin/sh -c "
  cd /tmp && python3 -m venv venv
  unset PIP_FIND_LINKS
  venv/bin/pip install --quiet --disable-pip-version-check --find-links /wheels veracruz
  echo \"Debian \$(cat /etc/debian_version), \$(python3 -V), \$(ldd --version | head -1)\"
  venv/bin/sonora measure
  venv/bin/veracruz demo | tail -6
" < /dev/null
'
for suite in ${SUITES:-trixie testing}; do
  root="$PWD/build/distributions/$suite"
  if [ ! -e "$root/.ready" ]; then
    mkdir -p "$root"
    unshare --mount --propagation private debootstrap --variant=minbase \
      --include=python3,python3-venv,ca-certificates "$suite" "$root" >/dev/null
    touch "$root/.ready"
  fi
  ROOT="$root" WHEELS="$PWD/dist" unshare --mount --pid --fork --propagation private sh -c "$inside"
done
