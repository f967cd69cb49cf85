// SPDX-License-Identifier: GPL-2.0-or-later
// A writer that never stops: numbers, ever higher, to fixed blocks of disks, past every page cache.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define WRITERS 4           /* a device, each with a block of its own: so many commands are in flight */
#define STATE_DIR "/run/seqio"
#define PAUSE_US 200        /* after a refusal */

/* What one writer tells about itself, in a file that others map. */
struct state {
	uint64_t number;      /* of the last attempt; a refused one is never used again */
	uint64_t accepted;    /* the last number that the disk took */
	uint64_t refusals;    /* since then */
	int64_t accepted_ns;  /* CLOCK_REALTIME */
	int64_t refused_ns;   /* the first refusal since then */
	int error;            /* errno of the last refusal */
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static void *new_block(void)
{
	void *block;

	if (posix_memalign(&block, BLOCK, BLOCK))
		die("memory");
	memset(block, 0, BLOCK);
	return block;
}

static struct state *map_states(const char *device, int flags)
{
	const char *slash = strrchr(device, '/');
	char path[256];
	struct state *states;
	int fd;

	snprintf(path, sizeof(path), STATE_DIR "/%s", slash ? slash + 1 : device);
	mkdir(STATE_DIR, 0755);
	fd = open(path, flags, 0644);
	if (fd < 0 || (flags & O_CREAT && ftruncate(fd, WRITERS * sizeof(*states))))
		die(path);
	states = mmap(NULL, WRITERS * sizeof(*states), PROT_READ | (flags & O_CREAT ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
	if (states == MAP_FAILED)
		die(path);
	close(fd);
	return states;
}

/* The device is opened anew after a refusal, as an application that is started again would. */
static void __attribute__((noreturn)) write_forever(const char *device, unsigned writer, struct state *state)
{
	uint64_t *block = new_block();
	int fd = -1;

	for (;;) {
		if (fd < 0)
			fd = open(device, O_WRONLY | O_DIRECT);
		block[0] = ++state->number;
		if (fd >= 0 && pwrite(fd, block, BLOCK, (off_t)writer * BLOCK) == BLOCK) {
			state->accepted = block[0];
			state->refusals = 0;
			state->accepted_ns = now_ns();
			continue;
		}
		state->error = errno;
		if (!state->refusals++)
			state->refused_ns = now_ns();
		if (fd >= 0)
			close(fd);
		fd = -1;
		usleep(PAUSE_US);
	}
}

static void start_writers(const char *device)
{
	struct state *states = map_states(device, O_RDWR | O_CREAT);

	for (unsigned i = 0; i < WRITERS; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (!pid)
			write_forever(device, i, &states[i]);
	}
}

/* "DEVICE NUMBER...": what is on the disk, a number a writer. */
static void print_numbers(const char *device)
{
	uint64_t *block = new_block();
	int fd = open(device, O_RDONLY | O_DIRECT);

	if (fd < 0)
		die(device);
	printf("%s", device);
	for (unsigned i = 0; i < WRITERS; i++) {
		if (pread(fd, block, BLOCK, (off_t)i * BLOCK) != BLOCK)
			die(device);
		printf(" %" PRIu64, block[0]);
	}
	putchar('\n');
	close(fd);
}

/* One line a writer: DEVICE ACCEPTED REFUSALS ERRNO ACCEPTED_NS REFUSED_NS */
static void print_state(const char *device)
{
	struct state *states = map_states(device, O_RDONLY);

	for (unsigned i = 0; i < WRITERS; i++)
		printf("%s %" PRIu64 " %" PRIu64 " %d %" PRId64 " %" PRId64 "\n", device, states[i].accepted,
			states[i].refusals, states[i].error, states[i].accepted_ns, states[i].refused_ns);
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		void (*run)(const char *device);
	} commands[] = { { "write", start_writers }, { "read", print_numbers }, { "state", print_state } };

	for (unsigned c = 0; argc > 2 && c < sizeof(commands) / sizeof(*commands); c++) {
		if (strcmp(argv[1], commands[c].name))
			continue;
		for (int i = 2; i < argc; i++)
			commands[c].run(argv[i]);
		return 0;
	}
	fputs("usage: seqio write|read|state DEVICE...\n"
	      "write: leaves writers running in the background; state: what they say; read: what the disk says\n",
		stderr);
	return 2;
}
