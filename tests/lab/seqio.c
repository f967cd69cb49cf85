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
#include <sys/wait.h>
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

static int64_t read_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t now_ns(void)
{
	return read_clock_ns(CLOCK_REALTIME);
}

static void __attribute__((noreturn)) die(const char *what)
{
	perror(what);
	exit(1);
}

static void *new_blocks(unsigned count)
{
	void *blocks;

	if (posix_memalign(&blocks, BLOCK, (size_t)count * BLOCK))
		die("memory");
	memset(blocks, 0, (size_t)count * BLOCK);
	return blocks;
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

/* Numbers only ever grow on a disk, also when a machine that has forgotten its state goes on writing. */
static void start_above(const char *device, unsigned writer, uint64_t *block, struct state *state)
{
	int fd = open(device, O_RDONLY | O_DIRECT);

	if (fd < 0)
		return;
	if (pread(fd, block, BLOCK, (off_t)writer * BLOCK) == BLOCK && block[0] > state->number)
		state->number = block[0];
	close(fd);
}

/* The device is opened anew after a refusal, as an application that is started again would. */
static void __attribute__((noreturn)) write_forever(const char *device, unsigned writer, struct state *state)
{
	uint64_t *block = new_blocks(1);
	int fd = -1;

	start_above(device, writer, block, state);
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

/* A disk that is read, all writers' blocks by one command. */
struct disk {
	const char *name;
	int fd;
	uint64_t (*blocks)[BLOCK / sizeof(uint64_t)];
};

static struct disk open_disk(const char *device)
{
	struct disk disk = {
		.name = device,
		.fd = open(device, O_RDONLY | O_DIRECT | O_CLOEXEC),
		.blocks = new_blocks(WRITERS),
	};

	if (disk.fd < 0)
		die(device);
	return disk;
}

static void read_disk(struct disk *disk)
{
	if (pread(disk->fd, disk->blocks, (size_t)WRITERS * BLOCK, 0) != (ssize_t)WRITERS * BLOCK)
		die(disk->name);
}

/* "DEVICE NUMBER...": what is on the disk, a number a writer. */
static void print_disk(const struct disk *disk)
{
	printf("%s", disk->name);
	for (unsigned i = 0; i < WRITERS; i++)
		printf(" %" PRIu64, disk->blocks[i][0]);
	putchar('\n');
}

static void print_numbers(const char *device)
{
	struct disk disk = open_disk(device);

	read_disk(&disk);
	print_disk(&disk);
	close(disk.fd);
	free(disk.blocks);
}

/* A command's exit status, as a shell says it. */
static int run_command(char *argv[])
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork");
	if (!pid) {
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/*
 * Runs a command, and reads the disks at once when it has ended: all is open and allocated before, and nothing
 * is printed before the last disk has been read. "seqio: gap A us, B us": from the end of the command, as its
 * parent learns of it, until the first and until the last disk had been read.
 */
static int read_after(char *devices[], int count, char *command[])
{
	struct disk *disks = calloc(count, sizeof(*disks));
	int64_t ended, first = 0, last;
	int status;

	if (!disks)
		die("memory");
	for (int i = 0; i < count; i++)
		disks[i] = open_disk(devices[i]);
	status = run_command(command);
	ended = read_clock_ns(CLOCK_MONOTONIC);
	for (int i = 0; i < count; i++) {
		read_disk(&disks[i]);
		if (!i)
			first = read_clock_ns(CLOCK_MONOTONIC);
	}
	last = read_clock_ns(CLOCK_MONOTONIC);
	printf("seqio: gap %" PRId64 " us, %" PRId64 " us\n", (first - ended) / 1000, (last - ended) / 1000);
	for (int i = 0; i < count; i++)
		print_disk(&disks[i]);
	free(disks);
	return status;
}

/* One line a writer: DEVICE ACCEPTED REFUSALS ERRNO ACCEPTED_NS REFUSED_NS */
static void print_state(const char *device)
{
	struct state *states = map_states(device, O_RDONLY);

	for (unsigned i = 0; i < WRITERS; i++)
		printf("%s %" PRIu64 " %" PRIu64 " %d %" PRId64 " %" PRId64 "\n", device, states[i].accepted,
			states[i].refusals, states[i].error, states[i].accepted_ns, states[i].refused_ns);
}

/* after DEVICE... -- COMMAND ARG...; the status, or -1 for what is not that. */
static int run_after(int argc, char *argv[])
{
	for (int i = 2; i + 1 < argc; i++)
		if (!strcmp(argv[i], "--") && i > 2)
			return read_after(&argv[2], i - 2, &argv[i + 1]);
	return -1;
}

int main(int argc, char *argv[])
{
	static const struct {
		const char *name;
		void (*run)(const char *device);
	} commands[] = { { "write", start_writers }, { "read", print_numbers }, { "state", print_state } };
	int status = argc > 1 && !strcmp(argv[1], "after") ? run_after(argc, argv) : -1;

	if (status >= 0)
		return status;
	for (unsigned c = 0; argc > 2 && c < sizeof(commands) / sizeof(*commands); c++) {
		if (strcmp(argv[1], commands[c].name))
			continue;
		for (int i = 2; i < argc; i++)
			commands[c].run(argv[i]);
		return 0;
	}
	fputs("usage: seqio write|read|state DEVICE...\n"
	      "       seqio after DEVICE... -- COMMAND ARG...\n"
	      "write: leaves writers running in the background; state: what they say; read: what the disk says;\n"
	      "after: runs the command, then reads at once\n",
		stderr);
	return 2;
}
