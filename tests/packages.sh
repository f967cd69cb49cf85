# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Sourced by ./demo and ./check: the Debian packages that they need, and how to get those that are missing.

# shellcheck disable=SC2034	# the lists are for those who source this
{
	PACKAGES_BUILD=(autoconf automake gcc libc6-dev linux-libc-dev make pkg-config
		pacemaker-dev libqb-dev libcmap-dev libxml2-dev nettle-dev)
	PACKAGES_LAB=(python3 iproute2 mmdebstrap patchelf)
	PACKAGES_VM=(qemu-system-x86 kmod zstd)
	PACKAGES_CHECK=(libcmocka-dev libmd-dev clang libclang-rt-14-dev clang-tidy cppcheck shellcheck
		libxml2-utils python3-pytest)	# libmd-dev: the version before needs it (steps.sh: before)
}

# The apt-get of scripts: it asks nothing, waits for another one that is at work, and is not what Ctrl-C ends.
packages_apt_get()
{
	DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 setsid -w apt-get -q -y -o DPkg::Lock::Timeout=300 \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" </dev/null
}

# packages_missing NAME...: the ones that are not installed, one a line. A virtual package counts as installed
# when another package provides it.
packages_missing()
{
	local have name
	# shellcheck disable=SC2016	# dpkg-query expands it
	have=$(dpkg-query -W -f '${db:Status-Status} ${Package}, ${Provides}\n' |
		sed -n 's/ ([^)]*)//g; s/:[a-z0-9]*,/,/g; s/^installed //p' | tr -s ', ' '\n')
	for name; do
		grep -qxF -e "$name" <<<"$have" || echo "$name"
	done
}

# need_packages NAME...: install the ones that are missing. Says so on stderr; apt-get's output goes to the file
# PACKAGES_LOG (default: build/packages.log). Needs root only if something is missing.
need_packages()
{
	local log=${PACKAGES_LOG:-build/packages.log} missing
	if ! command -v dpkg-query >/dev/null; then
		echo "this is not Debian; install by hand what these Debian packages hold: $*" >&2
		return 1
	fi
	mapfile -t missing < <(packages_missing "$@")
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "packages are missing and only root can install them: apt-get install ${missing[*]}" >&2
		return 1
	fi
	echo "installing ${missing[*]}" | fold -s -w 96 | sed '2,$s/^/    /' >&2
	mkdir -p "$(dirname "$log")"
	# package lists may be unreachable and yet good enough: what counts is whether the packages come
	packages_apt_get update >>"$log" 2>&1 || echo "apt-get update failed; trying with the package lists of before" >&2
	if ! packages_apt_get install --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
		echo "apt-get could not install them; the end of $log:" >&2
		tail -n 15 "$log" >&2
		return 1
	fi
}
