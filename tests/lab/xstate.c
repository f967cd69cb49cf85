// SPDX-License-Identifier: GPL-2.0-or-later
// Preloaded into User Mode Linux before 6.13, which has room for 2696 bytes of a process's extended state, and sets just
// these. A processor with AMX has 11 KB; its kernel refuses to set less than the whole (arch/x86/kernel/fpu/regset.c,
// xstateregs_set), and UML kills the process. What follows the 2696 bytes are AMX's tiles: nothing in a lab asks for
// them, so they are in their initial state, which zeros stand for. Linux 6.13 has it right (3f17fed21491).
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/uio.h>

#define MOST 65536 /* bytes; any processor's state so far is much smaller */

typedef long (*ptrace_function)(enum __ptrace_request request, pid_t pid, void *address, void *data);

/* Set all that this processor has. */
static long set_whole(ptrace_function next, pid_t pid, void *address, const struct iovec *part)
{
	static unsigned char state[MOST]; /* the kernel has one thread */
	static size_t size;
	struct iovec whole = { .iov_base = state, .iov_len = sizeof(state) };

	if (!size) {
		if (next(PTRACE_GETREGSET, pid, address, &whole))
			return -1;
		size = whole.iov_len;
	}
	memset(state, 0, size);
	memcpy(state, part->iov_base, part->iov_len < size ? part->iov_len : size);
	whole.iov_len = size;
	return next(PTRACE_SETREGSET, pid, address, &whole);
}

long ptrace(enum __ptrace_request request, ...)
{
	static ptrace_function next;
	void *address, *data;
	va_list more;
	pid_t pid;

	va_start(more, request);
	pid = va_arg(more, pid_t);
	address = va_arg(more, void *);
	data = va_arg(more, void *);
	va_end(more);
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "ptrace");
	if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE)
		return set_whole(next, pid, address, data);
	return next(request, pid, address, data);
}
