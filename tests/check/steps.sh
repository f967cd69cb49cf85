#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The checks of ./check that are no pytest: steps.sh NAME, in the top directory. Exit 0 is good. plan.py lists them.
set -u
out=$PWD/build/check
stage=$out/stage

# build DIRECTORY CONFIGURE_ARGUMENT...
build() {
	local dir=$out/$1 top=$PWD
	shift
	[ ! -f "$dir/agents/reservation" ] || rm "$dir/agents/reservation"	# a program once, a directory now
	mkdir -p "$dir" &&
		( cd "$dir" && "$top/configure" --quiet --enable-werror "$@" && make -j"$(nproc)" )
}

# unit DIRECTORY: make check there. The tests wait for their own children more than for a processor.
unit() {
	rm -f "$out/$1"/tests/unit/*.log
	make -C "$out/$1" -j$(($(nproc) * 2)) check && return
	grep -hE '^\[  (ERROR|FAILED)|error:|ERROR: AddressSanitizer|runtime error' "$out/$1"/tests/unit/*.log
	return 1
}

autoreconf_() { autoreconf -fi; }
gcc_() { build gcc; }
clang_() { build clang CC=clang; }
unit_gcc() { unit gcc; }
unit_asan() { unit asan; }

asan_() {
	# the generator runs while building, and frees nothing on purpose
	ASAN_OPTIONS=detect_leaks=0 build asan CFLAGS="-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined \
		-fno-sanitize-recover=undefined"
}

install_() {
	rm -rf "$stage"
	make -C "$out/gcc" install DESTDIR="$stage" &&
		install -D "$out/gcc/tests/lab/seqio" "$stage/usr/bin/seqio" &&
		install -D "$out/gcc/tests/pr/pr_probe" "$stage/usr/bin/pr_probe"
}

# The last version whose state was a list for each devices parameter, for the test of an update in a running cluster.
before=77df3ec

before() {
	local dir=$out/before
	rm -rf "$dir"
	mkdir -p "$dir/src" "$dir/build"
	git cat-file -e "$before^{commit}" 2>/dev/null || { echo "this clone has no commit $before: the test will be skipped"; return 0; }
	git archive "$before" | tar -C "$dir/src" -x &&
		( cd "$dir/src" && autoreconf -fi && cd "$dir/build" && ../src/configure --quiet && make -j"$(nproc)" &&
			make install DESTDIR="$dir/stage" )
}

sources() {
	git ls-files 'lib/*.c' 'agents/*.c' 'metadata/*.c' 'tests/lab/*.c' 'tests/pr/*.c' 'tests/bench/*.c'
}

flags() {
	pkg-config --cflags nettle libqb libcmap libxml-2.0 pacemaker | sed 's/-I/-isystem/g'
}

cppcheck_() {
	# shellcheck disable=SC2046 # a list of words
	cppcheck --quiet --error-exitcode=1 --std=c11 --inline-suppr -j"$(nproc)" \
		--enable=warning,performance,portability --suppressions-list=tests/cppcheck.txt -D_GNU_SOURCE \
		-I. -I"$out/gcc" $(sources)
}

# The analyzer's nodes of a function: its own default, 225000, takes three times as long. The soak has it.
nodes=${BLKPR_ANALYZER_NODES:-40000}

clang_tidy() {
	# shellcheck disable=SC2016 # the inner shell expands it
	sources | xargs -P"$(nproc)" -n3 sh -c 'flags=$1 dir=$2; shift 2
		clang-tidy --quiet --warnings-as-errors="*" "$@" -- -std=gnu11 -D_GNU_SOURCE -I. -I"$dir" $flags' sh "$(flags) -Xclang -analyzer-config -Xclang max-nodes=$nodes" "$out/gcc"
}

shellcheck_() {
	git ls-files | while read -r f; do
		head -c 64 "$f" | head -n 1 | grep -qE '^#!.*(bash|/sh|busybox sh)' && echo "$f"
	done | xargs shellcheck -x
}

headers() {
	local header status=0
	for header in $(git ls-files 'lib/*.h' 'agents/*.h' 'metadata/*.h'); do
		# shellcheck disable=SC2046 # a list of words
		gcc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -I. $(flags) -fsyntax-only -include "$header" -x c /dev/null || status=1
	done
	return $status
}

library_is_pure() {
	! grep -HnE '#include *[<"](crm|qb|corosync|libxml|syslog)|\b(getenv|exit|printf|syslog)\(' lib/*.[ch]
}

licences() {
	local file status=0
	while read -r file; do
		head -n 3 "$file" | grep -q SPDX-License-Identifier || { echo "$file: no SPDX line"; status=1; }
	done < <(git ls-files '*.[ch]' '*.py' '*.xml' '*.sh' '*.ac' '*.am' check demo .ci/run tests/lab/guest tests/vm)
	return $status
}

metadata() {
	local image
	image=$(PYTHONPATH=tests/lab /usr/bin/python3 -Bc 'import lab_image; print(lab_image.prepare().root)') || return 1
	local rng=$image/usr/share/cluster/relaxng/metadata.rng ocf=$image/usr/share/pcs/data/ocf-1.1.rng
	xmllint --noout --relaxng "$rng" metadata/fence_blkpr.xml &&
		"$out/gcc/agents/fence/fence_blkpr" -o metadata | xmllint --noout --relaxng "$rng" - &&
		xmllint --noout --relaxng "$ocf" metadata/reservation.xml &&
		"$out/gcc/agents/reservation/reservation" meta-data | sed "s|SYSTEM \"[^\"]*/|SYSTEM \"$PWD/metadata/|" |
		xmllint --noout --valid --relaxng "$ocf" -
}

rooms() {
	git ls-files -z 'lib/*.[ch]' 'agents/*.[ch]' 'metadata/*.[ch]' | xargs -0 /usr/bin/python3 -B tests/check/rooms.py
}

layers() {
	git ls-files -z 'lib/*.[ch]' 'agents/*.[ch]' | xargs -0 /usr/bin/python3 -B tests/check/layers.py |
		diff -q - doc/layers.svg >/dev/null || { echo "doc/layers.svg is not of these includes: make layers"; return 1; }
}

links() {
	git ls-files -z '*.md' | xargs -0 /usr/bin/python3 -B tests/check/links.py
}

man_pages() {
	local warnings page
	for page in fence_blkpr.8 ocf_blkpr_reservation.7 blkpr-watch.8; do
		warnings=$(LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings=all -l "$out/gcc/metadata/$page" 2>&1 >/dev/null)
		[ -z "$warnings" ] || { echo "$page: $warnings"; return 1; }
	done
}

distcheck() { make -j"$(nproc)" -C "$out/gcc" distcheck; }
pacemaker3() { tests/pacemaker3; }
lab_prepared() { tests/lab/lab.py prepare; }
vm_prepared() { tests/vm/vm prepare newest; }

"$@"
