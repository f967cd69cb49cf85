// SPDX-License-Identifier: GPL-2.0-or-later
// The block device as a disk: what is repeated, how often, and what never is. Time is a counter here.
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/block.h"
#include "lib/nexus.h"
#include "tests/unit/mock_ioctl.h"
#include "tests/unit/unit.h"

#define OWN 0xa
#define VICTIM 0xb
#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY
#define DEADLINE 1000
#define ROOM 64

int64_t __real_blkpr_clock_ms(void);
int64_t __wrap_blkpr_clock_ms(void);
void __wrap_blkpr_clock_pause(int64_t ms, int64_t deadline);
int __wrap_blkpr_device_open(const struct blkpr_device *device);
int __wrap_blkpr_device_open_path(const struct blkpr_device *map, unsigned i);
int __wrap_blkpr_host_of(int fd, unsigned *host);
int __wrap_blkpr_host_of_disk(const char *disk, unsigned *host);
enum blkpr_reach __wrap_blkpr_host_reach(unsigned host, char driver[BLKPR_DRIVER_SIZE]);
enum blkpr_result __wrap_blkpr_report_ping(const struct blkpr_port *port);
int __real_close(int fd);
int __wrap_close(int fd);

static int64_t now;
static bool real_time; /* what hangs does so in a thread of its own */
static unsigned pauses;
static int opened;

int64_t __wrap_blkpr_clock_ms(void)
{
	return real_time ? __real_blkpr_clock_ms() : now;
}

void __wrap_blkpr_clock_pause(int64_t ms, int64_t deadline)
{
	assert_true(ms > 0);
	pauses++;
	now = now + ms < deadline ? now + ms : deadline;
}

int __wrap_blkpr_device_open(const struct blkpr_device *device)
{
	(void)device;
	return opened;
}

/* --- paths of a map: number N has the descriptor PATH_FD(N) ---------------------------------------- */

#define PATHS 3
#define PATH_FD(path) (MOCK_FD + 1 + (int)(path))
#define OPENING_HANGS PATHS /* of the first one */

static struct path {
	int open_errno; /* 0: it can be opened */
	enum blkpr_result ping;
	atomic_uint pinged;
	int open;       /* how often it is, now */
	unsigned opened;
} paths[PATHS];

int __wrap_blkpr_device_open_path(const struct blkpr_device *map, unsigned i)
{
	assert_true(map->multipath && i < map->npaths);
	if (paths[i].open_errno)
		return -paths[i].open_errno;
	if (!i)
		mock_hang_here(PATH_FD(OPENING_HANGS));
	paths[i].opened++;
	paths[i].open++;
	return PATH_FD(i);
}

enum blkpr_result __wrap_blkpr_report_ping(const struct blkpr_port *port)
{
	struct path *path = &paths[port->fd - PATH_FD(0)];

	path->pinged++;
	mock_hang_here(port->fd);
	return path->ping;
}

int __wrap_close(int fd)
{
	if (fd < PATH_FD(0) || fd >= PATH_FD(PATHS))
		return __real_close(fd);
	paths[fd - PATH_FD(0)].open--;
	return 0;
}

/* How many descriptors of paths are open. */
static int paths_open(void)
{
	int open = 0;

	for (unsigned i = 0; i < PATHS; i++) {
		assert_true(paths[i].open >= 0);
		open += paths[i].open;
	}
	return open;
}

/* --- their SCSI hosts: number N is path N's, HOST that of a disk that is no map -------------------- */

#define HOST 7

static enum blkpr_reach reaches[HOST + 1];
static bool hostless;

int __wrap_blkpr_host_of(int fd, unsigned *host)
{
	*host = fd == MOCK_FD ? HOST : (unsigned)(fd - PATH_FD(0));
	return hostless ? -ENODEV : 0;
}

int __wrap_blkpr_host_of_disk(const char *disk, unsigned *host)
{
	*host = (unsigned)(disk[2] - 'a'); /* "sda" is path 0 */
	return hostless ? -ENODEV : 0;
}

enum blkpr_reach __wrap_blkpr_host_reach(unsigned host, char driver[BLKPR_DRIVER_SIZE])
{
	assert_true(host <= HOST);
	snprintf(driver, BLKPR_DRIVER_SIZE, "driver%u", host);
	return reaches[host];
}

static void all_reach(enum blkpr_reach reach)
{
	for (unsigned i = 0; i < ARRAY_SIZE(reaches); i++)
		reaches[i] = reach;
}

static struct blkpr_block_disk map_block;
static struct blkpr_device map;
static char path_names[PATHS][32] = { "sda", "sdb", "sdc" };

static void make_map(unsigned npaths)
{
	now = pauses = 0;
	real_time = false;
	opened = -EIO; /* the map itself is never opened */
	memset(paths, 0, sizeof(paths));
	all_reach(BLKPR_REACH_TARGET);
	map = (struct blkpr_device){ .kind = BLKPR_SCSI, .multipath = true, .path_names = path_names,
		.npaths = npaths, .paths = npaths };
}

static struct blkpr_disk *open_map(unsigned npaths)
{
	make_map(npaths);
	assert_result(blkpr_disk_open(&map_block, &map, DEADLINE), BLKPR_OK);
	return &map_block.disk;
}

static struct blkpr_disk *open_disk(enum blkpr_kind kind)
{
	static struct blkpr_block_disk block;
	static struct blkpr_device device;

	now = pauses = 0;
	real_time = false;
	opened = MOCK_FD;
	device = (struct blkpr_device){ .kind = kind };
	assert_result(blkpr_disk_open(&block, &device, DEADLINE), BLKPR_OK);
	return &block.disk;
}

static void expect_reserve(int rc, int err)
{
	struct pr_reservation want = { .key = OWN, .type = TYPE };

	mock_pr(IOC_PR_RESERVE, &want, sizeof(want), rc, err);
}

static void expect_preempt(int rc)
{
	struct pr_preempt want = { .old_key = OWN, .new_key = VICTIM, .type = TYPE };

	mock_pr(IOC_PR_PREEMPT_ABORT, &want, sizeof(want), rc, 0);
}

static void expect_register(uint64_t old_key, int rc)
{
	struct pr_registration want = { .old_key = old_key, .new_key = OWN };

	mock_pr(IOC_PR_REGISTER, &want, sizeof(want), rc, 0);
}

static enum blkpr_result register_own(struct blkpr_disk *disk, uint64_t old_key)
{
	static const struct blkpr_others nobody;
	struct blkpr_verdict verdict = { 0 };

	return blkpr_nexus_register(disk, old_key, OWN, &nobody, &verdict);
}

/* Pauses of 5, 10, 20, 40, 80, 160 and 250 ms; another one would leave less than 300 ms until the deadline. */
#define BUSY_TRIES 8
#define BUSY_MS 565

/* --- unit attentions ------------------------------------------------------------------------------ */

static void a_unit_attention_is_worth_another_try(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	expect_reserve(2, 0);
	expect_reserve(0, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
	expect_preempt(2);
	expect_preempt(0);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_OK);
	expect_register(0, 2);
	expect_register(0, 0);
	assert_result(register_own(disk, 0), BLKPR_OK);
	assert_int_equal(pauses, 0);
}

static void a_read_with_a_unit_attention_starts_again_with_the_keys(void **state)
{
	static const uint64_t keys[] = { OWN };
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);
	struct blkpr_report report;

	(void)state;
	mock_read_keys(ROOM, keys, 1, 5);
	mock_read_reservation_fails(2, 0);
	mock_read_keys(ROOM, keys, 1, 6);
	mock_read_reservation(OWN, TYPE, 6);
	assert_result(disk->ops->read(disk, &report), BLKPR_OK);
	assert_int_equal(report.generation, 6);
	blkpr_report_clear(&report);
}

static void four_unit_attentions_are_bearable(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		expect_reserve(2, 0);
	expect_reserve(0, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
}

/* The PR ioctls do not tell a unit attention from any other CHECK CONDITION. */
static void attentions_of_a_device_that_has_none_are_an_io_error(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		expect_reserve(2, 0);
	mock_test_ready(0, 0, 0);
	expect_reserve(2, 0);
	mock_test_ready(0, 0, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_IO_ERROR);
}

static void five_unit_attentions_are_bearable(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		expect_reserve(2, 0);
	mock_test_ready(0, 0, 0);
	expect_reserve(0, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
}

/* The fifth time they are told from what only looks like one: the device says that they are. */
static void unit_attentions_that_go_on_are_waited_out(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned turn = 0; turn < 3; turn++) {
		for (unsigned i = 0; i < 5; i++)
			expect_reserve(2, 0);
		mock_test_ready(0x6, 0x2a, 0x03); /* reservations preempted */
	}
	expect_reserve(2, 0);
	expect_reserve(0, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
	assert_int_equal(pauses, 3);
}

static void unit_attentions_without_an_end_are_busy(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned turn = 0; turn < BUSY_TRIES; turn++) {
		for (unsigned i = 0; i < 5; i++)
			expect_reserve(2, 0);
		mock_test_ready(0x6, 0x29, 0x00);
	}
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_BUSY);
	assert_int_equal(now, BUSY_MS);
}

/* A reservation command is never repeated blindly: whoever preempts looks first. */
static void preempt_leaves_it_to_its_caller_to_wait_for_unit_attentions(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		expect_preempt(2);
	mock_test_ready(0x6, 0x2a, 0x03);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_BUSY);
	assert_int_equal(pauses, 0);
}

#define NOT_READY 0x2, 0x04, 0x0a /* asymmetric access state transition */

/* The PR ioctls give the same status for it as for a unit attention. */
static void a_device_that_is_not_ready_is_waited_for(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);
	struct blkpr_report report;

	(void)state;
	for (unsigned turn = 0; turn < 3; turn++) {
		for (unsigned i = 0; i < 5; i++)
			mock_read_keys_fails(ROOM, 2, 0);
		mock_test_ready(NOT_READY);
	}
	mock_read_keys_fails(ROOM, 2, 0); /* it has changed its state, and says so */
	mock_read_keys(ROOM, NULL, 0, 5);
	mock_read_reservation(0, 0, 5);
	assert_result(disk->ops->read(disk, &report), BLKPR_OK);
	assert_int_equal(pauses, 3);
	blkpr_report_clear(&report);
}

static void a_device_that_stays_not_ready_is_busy(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned turn = 0; turn < BUSY_TRIES; turn++) {
		for (unsigned i = 0; i < 5; i++)
			expect_reserve(2, 0);
		mock_test_ready(NOT_READY);
	}
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_BUSY);
	assert_int_equal(now, BUSY_MS);
}

/* S2: what it was told to do may be wrong by then. */
static void preempt_leaves_it_to_its_caller_to_wait_for_a_device_that_is_not_ready(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		expect_preempt(2);
	mock_test_ready(NOT_READY);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_BUSY);
	assert_int_equal(pauses, 0);
}

static void a_device_that_becomes_ready_before_it_is_asked_has_another_try(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned turn = 0; turn < 2; turn++) {
		for (unsigned i = 0; i < 5; i++)
			expect_reserve(2, 0);
		if (!turn)
			mock_test_ready(NOT_READY);
		else
			mock_test_ready(0x6, 0x2a, 0x06); /* UNIT ATTENTION: asymmetric access state changed */
	}
	expect_reserve(0, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
	assert_int_equal(pauses, 2); /* there may be more of them */
}

/* Each path may belong to another target port group. */
static void a_path_that_stays_not_ready_does_not_keep_the_others_from_trying(void **state)
{
	struct blkpr_disk *disk = open_map(2);

	(void)state;
	mock_on_fd(PATH_FD(0));
	for (unsigned turn = 0; turn < 2; turn++) {
		for (unsigned i = 0; i < 5; i++)
			expect_reserve(2, 0);
		mock_test_ready(NOT_READY);
	}
	mock_on_fd(PATH_FD(1));
	expect_reserve(0, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
	assert_int_equal(pauses, 2);
}

/* An array that fails over: one path is not ready yet, the other one is not any more. */
static void a_path_that_fails_beside_a_busy_one_is_not_the_last_word(void **state)
{
	struct blkpr_disk *disk = open_map(2);

	(void)state;
	mock_on_fd(PATH_FD(0));
	expect_reserve(8, 0);
	for (unsigned turn = 0; turn < 3; turn++) {
		mock_on_fd(PATH_FD(0));
		expect_reserve(8, 0);
		mock_on_fd(PATH_FD(1));
		expect_reserve(-1, EIO);
	}
	mock_on_fd(PATH_FD(0));
	expect_reserve(0, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
}

static void a_read_that_fails_as_if_by_unit_attentions_ends(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);
	struct blkpr_report report;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		mock_read_keys_fails(ROOM, 2, 0);
	mock_test_ready(0, 0, 0);
	mock_read_keys_fails(ROOM, 2, 0);
	mock_test_ready(0, 0, 0);
	assert_result(disk->ops->read(disk, &report), BLKPR_IO_ERROR);
	assert_null(report.keys);
}

/* --- BUSY ----------------------------------------------------------------------------------------- */

static void busy_is_repeated_after_a_pause(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	expect_reserve(8, 0);
	expect_reserve(0x28, 0);
	expect_reserve(BLKPR_STS_RETRY_PATH_FAILURE, 0);
	expect_reserve(-1, EAGAIN);
	expect_reserve(0, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
	assert_int_equal(pauses, 4);
}

static void busy_ends_early_enough_to_say_so(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned i = 0; i < BUSY_TRIES; i++)
		expect_reserve(8, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_BUSY);
	assert_int_equal(now, BUSY_MS);
}

static void preempt_leaves_it_to_its_caller_to_repeat_what_was_busy(void **state)
{
	static const int busy[] = { 8, 0x28, 0x40, BLKPR_STS_RETRY_PATH_FAILURE };
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state; /* which looks first whether it may still preempt */
	for (unsigned i = 0; i < ARRAY_SIZE(busy); i++) {
		expect_preempt(busy[i]);
		assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_BUSY);
	}
	expect_preempt(2);
	expect_preempt(8);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_BUSY);
	assert_int_equal(pauses, 0);
}

static void busy_after_the_deadline_is_not_repeated(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	now = DEADLINE;
	expect_reserve(8, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_BUSY);
	assert_int_equal(pauses, 0);
}

/* --- what is final -------------------------------------------------------------------------------- */

static void a_conflict_is_never_repeated(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);
	struct blkpr_report report;

	(void)state;
	expect_reserve(0x18, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_CONFLICT);
	expect_preempt(0x118);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_CONFLICT);
	expect_register(0, 0x18);
	assert_result(disk->ops->register_key(disk, 0, 0, OWN), BLKPR_CONFLICT);
	mock_read_keys_fails(ROOM, 0x18, 0);
	assert_result(disk->ops->read(disk, &report), BLKPR_CONFLICT);
}

static void a_conflict_after_a_unit_attention_is_not_repeated(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state; /* return code table: the loser of two preempts on 6.1 */
	expect_preempt(2);
	expect_preempt(0x118);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_CONFLICT);
}

static void errors_are_not_repeated(void **state)
{
	static const struct {
		int rc, err;
		enum blkpr_result result;
	} rows[] = {
		{ -1, EINVAL, BLKPR_INVALID },
		{ -1, EPERM, BLKPR_DENIED },
		{ -1, ENODEV, BLKPR_GONE },
		{ -1, EIO, BLKPR_IO_ERROR },
		{ 0x10000, 0, BLKPR_PATH_FAILED },
	};
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		expect_reserve(rows[i].rc, rows[i].err);
		assert_result(disk->ops->reserve(disk, OWN, TYPE), rows[i].result);
	}
}

/* --- the paths of a map --------------------------------------------------------------------------- */

/* After this one call, commands are expected on MOCK_FD again. */
static void expect_register_on(unsigned path, int rc)
{
	mock_on_fd(PATH_FD(path));
	expect_register(0, rc);
	mock_on_fd(MOCK_FD);
}

static void expect_reserve_on(unsigned path, int rc)
{
	mock_on_fd(PATH_FD(path));
	expect_reserve(rc, 0);
	mock_on_fd(MOCK_FD);
}

static void expect_preempt_on(unsigned path, int rc)
{
	mock_on_fd(PATH_FD(path));
	expect_preempt(rc);
	mock_on_fd(MOCK_FD);
}

static void register_goes_to_each_path_of_a_map(void **state)
{
	struct blkpr_disk *disk = open_map(3);

	(void)state; /* trap 4: on the map one bad path would unregister the good ones */
	for (unsigned i = 0; i < 3; i++)
		expect_register_on(i, 0);
	assert_result(register_own(disk, 0), BLKPR_OK);
	assert_int_equal(paths_open(), 1);
	blkpr_disk_close(&map_block);
	assert_int_equal(paths_open(), 0);
}

static void the_old_key_goes_to_each_path_of_a_map(void **state)
{
	struct blkpr_disk *disk = open_map(2);

	(void)state;
	mock_on_fd(PATH_FD(0));
	expect_register(OWN, 0);
	mock_on_fd(PATH_FD(1));
	expect_register(OWN, 0);
	assert_result(register_own(disk, OWN), BLKPR_OK);
}

static void registration_on_one_path_is_enough_whichever_it_is(void **state)
{
	(void)state;
	for (unsigned good = 0; good < PATHS; good++) {
		struct blkpr_disk *disk = open_map(PATHS);

		for (unsigned i = 0; i < PATHS; i++)
			expect_register_on(i, i == good ? 0 : 0x10000);
		assert_result(register_own(disk, 0), BLKPR_OK);
		assert_int_equal(paths_open(), 1);
	}
}

static void registration_on_no_path_is_none(void **state)
{
	struct blkpr_disk *disk = open_map(2);

	(void)state;
	expect_register_on(0, 0x10000);
	expect_register_on(1, 0x10000);
	assert_result(register_own(disk, 0), BLKPR_PATH_FAILED);
	paths[0].open_errno = ENOLINK; /* not running */
	expect_register_on(1, 0x18);
	assert_result(disk->ops->register_key(disk, 1, 0, OWN), BLKPR_CONFLICT);
	paths[1].open_errno = ENODEV;
	assert_result(register_own(disk, 0), BLKPR_GONE);
	paths[1].open_errno = 0;
	expect_register_on(1, 0);
	assert_result(register_own(disk, 0), BLKPR_OK);
}

static void each_path_has_its_own_unit_attentions(void **state)
{
	struct blkpr_disk *disk = open_map(2);

	(void)state;
	for (unsigned path = 0; path < 2; path++) {
		for (unsigned i = 0; i < 4; i++)
			expect_register_on(path, 2);
		expect_register_on(path, 0);
	}
	assert_result(register_own(disk, 0), BLKPR_OK);
	assert_int_equal(pauses, 0);
}

static void a_busy_path_is_registered_after_a_pause(void **state)
{
	struct blkpr_disk *disk = open_map(2);

	(void)state;
	expect_register_on(0, 8);
	expect_register_on(0, 0);
	expect_register_on(1, 0);
	assert_result(register_own(disk, 0), BLKPR_OK);
	assert_int_equal(pauses, 1);
}

static void a_path_that_stays_busy_leaves_the_others_their_time(void **state)
{
	struct blkpr_disk *disk = open_map(2);

	(void)state; /* it has a third of 1000 ms, and 300 of those for its last word */
	for (unsigned i = 0; i < 3; i++)
		expect_register_on(0, 8);
	expect_register_on(1, 0);
	assert_result(register_own(disk, 0), BLKPR_OK);
	assert_int_equal(now, 15);
}

static void a_map_is_opened_by_its_first_path_that_can_be(void **state)
{
	(void)state;
	for (unsigned first = 0; first < PATHS; first++) {
		make_map(PATHS);
		for (unsigned i = 0; i < first; i++)
			paths[i].open_errno = ENOLINK;
		assert_result(blkpr_disk_open(&map_block, &map, DEADLINE), BLKPR_OK);
		expect_reserve_on(first, 0);
		assert_result(map_block.disk.ops->reserve(&map_block.disk, OWN, TYPE), BLKPR_OK);
		assert_int_equal(paths_open(), 1);
		blkpr_disk_close(&map_block);
		assert_int_equal(paths_open(), 0);
	}
}

static void a_map_without_a_path_to_open_cannot_be_asked(void **state)
{
	(void)state;
	make_map(PATHS);
	for (unsigned i = 0; i < PATHS; i++)
		paths[i].open_errno = ENOLINK;
	assert_result(blkpr_disk_open(&map_block, &map, DEADLINE), BLKPR_PATH_FAILED);
	make_map(0);
	assert_result(blkpr_disk_open(&map_block, &map, DEADLINE), BLKPR_PATH_FAILED);
	assert_int_equal(paths_open(), 0);
}

static void a_command_that_a_path_fails_goes_to_the_next(void **state)
{
	struct blkpr_disk *disk = open_map(3);

	(void)state;
	expect_reserve_on(0, 0x10000);
	expect_reserve_on(1, 0x10000);
	expect_reserve_on(2, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
	expect_preempt_on(2, 0x10000); /* it stays with the one that worked */
	expect_preempt_on(0, 0);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_OK);
	assert_int_equal(paths_open(), 1);
}

static void a_read_that_a_path_fails_starts_again_on_the_next(void **state)
{
	static const uint64_t keys[] = { OWN };
	struct blkpr_disk *disk = open_map(2);
	struct blkpr_report report;

	(void)state;
	mock_on_fd(PATH_FD(0));
	mock_read_keys(ROOM, keys, 1, 5);
	mock_read_reservation_fails(0x10000, 0);
	mock_on_fd(PATH_FD(1));
	mock_read_keys(ROOM, keys, 1, 6);
	mock_read_reservation(OWN, TYPE, 6);
	assert_result(disk->ops->read(disk, &report), BLKPR_OK);
	assert_int_equal(report.generation, 6);
	blkpr_report_clear(&report);
}

static void a_command_that_every_path_fails_has_failed(void **state)
{
	struct blkpr_disk *disk = open_map(3);

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		expect_reserve_on(i, 0x10000);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_PATH_FAILED);
	disk = open_map(1);
	expect_reserve_on(0, 0x10000);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_PATH_FAILED);
}

static void a_conflict_comes_back_and_the_next_command_takes_another_path(void **state)
{
	struct blkpr_disk *disk = open_map(2);

	(void)state; /* this nexus may be one that came back unregistered; the caller looks first */
	expect_preempt_on(0, 0x18);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_CONFLICT);
	expect_preempt_on(1, 0x18);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_CONFLICT);
	expect_reserve_on(0, 0x18);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_CONFLICT);
	expect_reserve_on(1, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
	assert_int_equal(paths_open(), 1);
}

/* Only success and a conflict are certainly the disk's: a path may have another LUN there, or none. */
static void what_one_path_refuses_another_one_may_do(void **state)
{
	static const uint8_t no_such_lun[18] = { 0x70, 0, 0x5, 0, 0, 0, 0, 10, [12] = 0x25 };
	struct blkpr_disk *disk = open_map(2);
	struct blkpr_report report;

	(void)state;
	expect_reserve_on(0, 0x402); /* INVALID */
	expect_reserve_on(1, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
	disk = open_map(2);
	mock_on_fd(PATH_FD(0));
	mock_read_keys_fails(ROOM, -1, ENOTTY);
	mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_READ_KEYS, .allocation = 8 + 8 * ROOM, .status = 2,
		.driver_status = 8, .sense = no_such_lun, .sense_length = sizeof(no_such_lun) });
	mock_on_fd(PATH_FD(1));
	mock_read_keys(ROOM, NULL, 0, 5);
	mock_read_reservation(0, 0, 5);
	assert_result(disk->ops->read(disk, &report), BLKPR_OK);
	blkpr_report_clear(&report);
}

static void what_every_path_refuses_is_refused(void **state)
{
	struct blkpr_disk *disk = open_map(2);

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		expect_reserve_on(i, 0x402);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_INVALID);
}

static void what_no_path_could_do_is_not_tried_on_another_one(void **state)
{
	struct blkpr_disk *disk = open_map(2);

	(void)state;
	mock_on_fd(PATH_FD(0));
	expect_reserve(-1, EPERM);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_DENIED);
	expect_preempt(8);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_BUSY);
	mock_reset(0, 0, NULL);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_OK);
}

/* --- drain ---------------------------------------------------------------------------------------- */

static void drain_resets_the_lun_and_no_more(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	mock_reset(0, 0, NULL);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_OK);
}

static void wait_long(void)
{
	now += 400;
}

static void wait_50_ms(void)
{
	now += 50;
}

/* as lib/disk.c: a pause of 100 ms after each, until 300 ms before the deadline */
static void mock_failing_resets(void (*wait)(void), int64_t takes_ms)
{
	for (int64_t t = now + takes_ms;; t += 100 + takes_ms) {
		mock_reset(-1, EIO, wait);
		if (t + 300 >= DEADLINE)
			break;
	}
}

static void a_drain_that_fails_is_undrained(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state; /* S1: however quickly; the session may be about to log in again */
	mock_failing_resets(NULL, 0);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_UNDRAINED);
	assert_int_equal(now, DEADLINE - 300);
	now = 0;
	mock_failing_resets(wait_50_ms, 50);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_UNDRAINED);
	mock_reset(0, 0, wait_long);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_OK);
}

static void a_drain_that_fails_beside_another_is_repeated(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state; /* libiscsi: one task management function at a time */
	mock_reset(-1, EIO, NULL);
	mock_reset(-1, EIO, wait_50_ms);
	mock_reset(0, 0, NULL);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_OK);
	assert_int_equal(pauses, 2);
}

static void a_drain_that_is_refused_has_ended_nothing(void **state)
{
	static const int refusals[] = { EIO, EINVAL, ENOTTY, EOPNOTSUPP };
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state; /* S1: scsi_ioctl_reset gives EIO only, and for everything */
	for (unsigned i = 0; i < ARRAY_SIZE(refusals); i++) {
		now = DEADLINE - 300; /* no time to try again */
		mock_reset(-1, refusals[i], NULL);
		assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_UNDRAINED);
		now = 0;
		mock_reset(-1, refusals[i], wait_50_ms);
		mock_reset(0, 0, NULL);
		assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_OK);
	}
}

static void a_drain_that_cannot_be_sent_now_says_why(void **state)
{
	static const struct {
		int err;
		enum blkpr_result result;
	} rows[] = {
		{ ENODEV, BLKPR_GONE },
		{ ENXIO, BLKPR_GONE },
		{ EACCES, BLKPR_DENIED },
		{ EPERM, BLKPR_DENIED },
		{ ENOMEM, BLKPR_NO_MEMORY },
		{ ENOLINK, BLKPR_PATH_FAILED },
		{ ENOTCONN, BLKPR_PATH_FAILED },
		{ ETIMEDOUT, BLKPR_PATH_FAILED },
		{ EFAULT, BLKPR_IO_ERROR },
	};
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state; /* S1 */
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		mock_reset(-1, rows[i].err, NULL);
		assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), rows[i].result);
		mock_reset(-1, rows[i].err, wait_50_ms);
		assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), rows[i].result);
	}
	assert_int_equal(pauses, 0);
}

static void a_drain_waits_for_a_host_that_is_busy(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state; /* in recovery, or resetting another LUN (scsi_ioctl.c, O_NONBLOCK) */
	mock_reset(-1, EAGAIN, NULL);
	mock_reset(-1, EBUSY, NULL);
	mock_reset(-1, EINTR, NULL);
	mock_reset(0, 0, NULL);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_OK);
	assert_int_equal(pauses, 3);
	for (unsigned i = 0; i < 5; i++)
		mock_reset(-1, EAGAIN, NULL);
	mock_reset(-1, EPERM, NULL);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_DENIED);
}

static void a_host_that_stays_busy_is_drained_until_the_deadline(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (unsigned i = 0; i < BUSY_TRIES; i++)
		mock_reset(-1, EAGAIN, NULL);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_BUSY);
	assert_int_equal(now, BUSY_MS);
}

static void expect_reset_on(unsigned path, int err)
{
	mock_on_fd(PATH_FD(path));
	mock_reset(err ? -1 : 0, err, NULL);
	mock_on_fd(MOCK_FD);
}

static void a_drain_that_a_path_fails_goes_to_the_next(void **state)
{
	struct blkpr_disk *disk = open_map(3);

	(void)state;
	expect_reset_on(0, ENODEV);
	expect_reset_on(1, ENOLINK);
	expect_reset_on(2, EAGAIN); /* busy is another try on the same one */
	expect_reset_on(2, 0);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_OK);
	expect_reset_on(2, 0); /* it stays with the one that worked */
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_OK);
	assert_int_equal(paths_open(), 1);
	for (unsigned i = 0; i < 3; i++)
		expect_reset_on((2 + i) % 3, ENXIO);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_GONE);
	disk = open_map(2);
	paths[1].open_errno = ENOLINK;
	expect_reset_on(0, ENODEV);
	expect_reset_on(0, ENODEV); /* opened again: the only one that can be */
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_GONE);
}

static void a_drain_that_fails_is_repeated_by_the_next_path(void **state)
{
	struct blkpr_disk *disk = open_map(2);

	(void)state; /* S1: the session that it goes by may be the one that is lost */
	expect_reset_on(0, EIO);
	expect_reset_on(1, EIO);
	expect_reset_on(0, EIO);
	expect_reset_on(1, 0);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_OK);
	assert_int_equal(pauses, 3);
	expect_reset_on(1, EPERM);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_DENIED);
	assert_int_equal(paths_open(), 1);
}

static void nvme_is_not_reset(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_NVME);

	(void)state;
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_UNDRAINED);
}

/* --- a path that hangs ------------------------------------------------------------------------------ */

/* In real time: MS are left, more than any machine needs for what does not hang. */
static struct blkpr_disk *open_for(unsigned npaths, int hangs, int64_t ms)
{
	make_map(npaths);
	real_time = true;
	mock_hang(hangs);
	assert_result(blkpr_disk_open(&map_block, &map, __real_blkpr_clock_ms() + ms), BLKPR_OK);
	return &map_block.disk;
}

static struct blkpr_disk *open_hanging(unsigned npaths, unsigned hangs)
{
	return open_for(npaths, PATH_FD(hangs), 60000);
}

static void expect_read_on(unsigned path, enum blkpr_result *result, struct blkpr_disk *disk)
{
	static const uint64_t keys[] = { OWN };
	struct blkpr_report report;

	mock_on_fd(PATH_FD(path));
	mock_read_keys(ROOM, keys, 1, 5);
	mock_read_reservation(OWN, TYPE, 5);
	*result = disk->ops->read(disk, &report);
	blkpr_report_clear(&report);
}

static void a_read_that_is_not_answered_is_asked_of_another_path(void **state)
{
	struct blkpr_disk *disk = open_hanging(2, 0);
	enum blkpr_result result;

	(void)state;
	expect_read_on(1, &result, disk);
	assert_result(result, BLKPR_OK);
	expect_reserve_on(1, 0); /* a command that changes the disk goes where there was an answer */
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
	expect_preempt_on(1, 0);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_OK);
	expect_reset_on(1, 0);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_OK);
	expect_read_on(1, &result, disk);
	assert_result(result, BLKPR_OK);
	assert_int_equal(map_block.path, 1);
}

static void a_map_whose_first_path_hangs_when_it_is_opened_is_opened_by_another(void **state)
{
	enum blkpr_result result;

	(void)state;
	open_hanging(3, OPENING_HANGS);
	assert_int_not_equal(map_block.path, 0);
	expect_read_on(map_block.path, &result, &map_block.disk);
	assert_result(result, BLKPR_OK);
}

static void the_path_that_answered_before_is_asked_first(void **state)
{
	struct blkpr_learned learned = { .path = 2 };
	enum blkpr_result result;

	(void)state;
	make_map(3);
	map.learned = &learned;
	assert_result(blkpr_disk_open(&map_block, &map, DEADLINE), BLKPR_OK);
	expect_read_on(2, &result, &map_block.disk);
	assert_result(result, BLKPR_OK);
	assert_int_equal(paths[0].opened, 0);
}

static void a_path_that_hangs_is_not_registered_and_keeps_nobody_waiting(void **state)
{
	struct blkpr_disk *disk = open_hanging(3, 1);

	(void)state;
	expect_register_on(0, 0);
	expect_register_on(2, 0);
	assert_result(register_own(disk, 0), BLKPR_OK);
	assert_int_equal(map_block.silent, 1 << 1);
	expect_register_on(0, 0); /* found out once */
	expect_register_on(2, 0);
	assert_result(register_own(disk, 0), BLKPR_OK);
	assert_int_equal(paths[1].pinged, 1);
}

static void a_path_that_was_silent_before_is_not_waited_for_again(void **state)
{
	struct blkpr_learned learned = { .silent = 1 << 1 };
	struct blkpr_disk *disk;

	(void)state;
	make_map(3);
	map.learned = &learned;
	assert_result(blkpr_disk_open(&map_block, &map, DEADLINE), BLKPR_OK);
	disk = &map_block.disk;
	expect_register_on(0, 0);
	expect_register_on(2, 0);
	assert_result(register_own(disk, 0), BLKPR_OK);
	assert_int_equal(paths[1].pinged, 0);
	blkpr_disk_close(&map_block);
	assert_int_equal(learned.silent, 1 << 1);
}

static void what_is_one_paths_goes_past_one_that_hangs(void **state)
{
	const struct pr_registration want = { .old_key = OWN };
	struct blkpr_disk *disk = open_hanging(2, 0);

	(void)state;
	mock_on_fd(PATH_FD(1));
	mock_pr(IOC_PR_REGISTER, &want, sizeof(want), 0, 0);
	assert_result(disk->ops->unregister(disk, OWN), BLKPR_OK);
	assert_result(disk->ops->may_write(disk, 0), BLKPR_PATH_FAILED);
}

static void a_command_that_a_path_fails_goes_to_one_that_answers(void **state)
{
	struct blkpr_disk *disk = open_hanging(3, 1);

	(void)state;
	expect_reserve_on(0, 0x10000);
	paths[0].ping = BLKPR_PATH_FAILED;
	expect_reserve_on(2, 0);
	assert_result(disk->ops->reserve(disk, OWN, TYPE), BLKPR_OK);
}

static void a_disk_of_which_every_path_hangs_has_not_answered(void **state)
{
	struct blkpr_disk *disk = open_for(2, PATH_FD(0), 400);
	struct blkpr_report report;

	(void)state;
	paths[1].open_errno = ENOLINK;
	assert_result(disk->ops->read(disk, &report), BLKPR_PATH_FAILED);
	assert_null(report.keys);
	assert_true(__real_blkpr_clock_ms() >= disk->deadline);
}

/* --- how far a LUN RESET gets ---------------------------------------------------------------------- */

static void check_reach(struct blkpr_disk *disk, enum blkpr_reach reach, const char *driver)
{
	char found[BLKPR_DRIVER_SIZE] = "?";

	assert_int_equal(disk->ops->reach(disk, found), reach);
	assert_string_equal(found, driver);
}

static void a_disks_driver_says_how_far_a_reset_gets(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);

	(void)state;
	for (enum blkpr_reach reach = BLKPR_REACH_NONE; reach <= BLKPR_REACH_TARGET; reach++) {
		all_reach(reach);
		check_reach(disk, reach, "driver7");
	}
	hostless = true;
	check_reach(disk, BLKPR_REACH_UNKNOWN, "");
	hostless = false;
	check_reach(open_disk(BLKPR_NVME), BLKPR_REACH_NVME, "");
}

static void a_maps_best_path_says_how_far_a_reset_gets(void **state)
{
	struct blkpr_disk *disk = open_map(3);

	(void)state;
	all_reach(BLKPR_REACH_NONE);
	check_reach(disk, BLKPR_REACH_NONE, "driver0");
	reaches[1] = BLKPR_REACH_UNKNOWN;
	check_reach(disk, BLKPR_REACH_UNKNOWN, "driver1");
	reaches[2] = BLKPR_REACH_TARGET;
	check_reach(disk, BLKPR_REACH_TARGET, "driver2");
	assert_int_equal(paths_open(), 1); /* none but the one that is used anyway */
}

static void a_reset_goes_by_paths_only_where_it_gets_far_enough(void **state)
{
	struct blkpr_disk *disk = open_map(3);

	(void)state; /* S1: the first path would answer it, and end nothing */
	reaches[0] = BLKPR_REACH_ELSEWHERE;
	expect_reset_on(1, EIO);
	expect_reset_on(2, EIO);
	expect_reset_on(1, 0);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_OK);
	all_reach(BLKPR_REACH_ELSEWHERE);
	reaches[2] = BLKPR_REACH_UNKNOWN; /* in_flight=reset */
	expect_reset_on(2, 0);
	assert_result(disk->ops->drain(disk, BLKPR_REACH_UNKNOWN), BLKPR_OK);
	disk = open_map(3); /* it is down: nothing is sent by the others in its place */
	all_reach(BLKPR_REACH_ELSEWHERE);
	reaches[2] = BLKPR_REACH_TARGET;
	paths[2].open_errno = ENOLINK;
	assert_result(disk->ops->drain(disk, BLKPR_REACH_TARGET), BLKPR_UNDRAINED);
	assert_int_equal(now, DEADLINE - 300);
}

/* --- initiators ----------------------------------------------------------------------------------- */

static void expect_full_status(const uint8_t *reply, unsigned length, int rc, int err)
{
	mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_READ_FULL_STATUS, .allocation = 65535, .reply = reply,
		.length = length, .resid = 65535 - (int)length, .rc = rc, .err = err });
}

static void initiators_are_asked_of_scsi_only(void **state)
{
	static const uint8_t nobody[8];
	struct blkpr_disk *disk = open_disk(BLKPR_NVME);
	unsigned initiators = 9;

	(void)state;
	assert_result(disk->ops->initiators(disk, OWN, &initiators), BLKPR_UNSUPPORTED);
	assert_int_equal(initiators, 0);
	disk = open_disk(BLKPR_SCSI);
	expect_full_status(NULL, 0, -1, EAGAIN); /* busy is tried again */
	expect_full_status(nobody, sizeof(nobody), 0, 0);
	assert_result(disk->ops->initiators(disk, OWN, &initiators), BLKPR_OK);
	assert_int_equal(initiators, 0);
	assert_int_equal(pauses, 1);
}

static void a_device_without_full_status_cannot_tell_initiators(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);
	unsigned initiators = 9;

	(void)state;
	expect_full_status(NULL, 0, -1, ENOTTY);
	assert_result(disk->ops->initiators(disk, OWN, &initiators), BLKPR_UNSUPPORTED);
	assert_int_equal(initiators, 0);
}

static void initiators_that_a_path_does_not_tell_are_asked_of_the_next(void **state)
{
	static const uint8_t nobody[8];
	struct blkpr_disk *disk = open_map(3);
	unsigned initiators = 9;

	(void)state;
	mock_on_fd(PATH_FD(0));
	expect_full_status(NULL, 0, -1, ENODEV);
	mock_on_fd(PATH_FD(1));
	expect_full_status(NULL, 0, -1, EIO);
	mock_on_fd(PATH_FD(2));
	expect_full_status(nobody, sizeof(nobody), 0, 0);
	assert_result(disk->ops->initiators(disk, OWN, &initiators), BLKPR_OK);
	assert_int_equal(initiators, 0);
	assert_int_equal(paths_open(), 1);
	for (unsigned i = 0; i < 3; i++) {
		mock_on_fd(PATH_FD((2 + i) % 3));
		expect_full_status(NULL, 0, -1, ENODEV);
	}
	assert_result(disk->ops->initiators(disk, OWN, &initiators), BLKPR_GONE);
	for (unsigned i = 0; i < 3; i++) { /* from where it is now */
		mock_on_fd(PATH_FD((1 + i) % 3));
		expect_full_status(NULL, 0, -1, ENOTTY);
	}
	assert_result(disk->ops->initiators(disk, OWN, &initiators), BLKPR_UNSUPPORTED);
}

/* S4: whoever answers with nonsense has READ FULL STATUS; and that a path fails does not unsay what another one has said. */
static void what_one_path_says_of_the_device_outlives_the_next_paths_trouble(void **state)
{
	static const uint8_t cut_short[4];
	struct blkpr_disk *disk = open_map(2);
	unsigned initiators;

	(void)state;
	for (unsigned malformed = 0; malformed < 2; malformed++) {
		mock_on_fd(PATH_FD(map_block.path));
		expect_full_status(NULL, 0, -1, ENOTTY);
		mock_on_fd(PATH_FD(!map_block.path));
		if (malformed)
			expect_full_status(cut_short, sizeof(cut_short), 0, 0);
		else
			expect_full_status(NULL, 0, -1, EIO);
		assert_result(disk->ops->initiators(disk, OWN, &initiators), malformed ? BLKPR_MALFORMED : BLKPR_UNSUPPORTED);
	}
	mock_on_fd(PATH_FD(map_block.path));
	expect_full_status(cut_short, sizeof(cut_short), 0, 0);
	mock_on_fd(PATH_FD(!map_block.path));
	expect_full_status(NULL, 0, -1, ENOTTY);
	assert_result(disk->ops->initiators(disk, OWN, &initiators), BLKPR_MALFORMED);
}

/* --- the rest ------------------------------------------------------------------------------------- */

static void register_never_ignores_a_key_that_is_there(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_NVME);

	(void)state;
	expect_register(0, 0);
	assert_result(register_own(disk, 0), BLKPR_OK);
	expect_register(OWN, 0);
	assert_result(register_own(disk, OWN), BLKPR_OK);
}

/* REPLACE with CRKEY 0: what a host that is not registered with key 0 is refused. */
static void an_nvme_host_with_key_0_is_given_its_key(void **state)
{
	static const uint8_t keys[16] = { [8] = OWN & 0xff, [9] = OWN >> 8 };
	struct mock_nvme replace = { .opcode = 0x0d, .cdw10 = 2 | 3u << 30, .data_len = 16, .data = keys };
	struct blkpr_disk *disk = open_disk(BLKPR_NVME);

	(void)state; /* trap 2 */
	for (unsigned refused = 0; refused < 2; refused++) {
		expect_register(0, 0x18);
		replace.rc = refused ? 0x83 : 0;
		mock_nvme_id(MOCK_NSID, 0);
		mock_nvme(&replace);
		assert_result(disk->ops->register_key(disk, 0, 0, OWN), refused ? BLKPR_CONFLICT : BLKPR_OK);
	}
}

static void eviction_aborts_the_victims_commands(void **state)
{
	struct blkpr_disk *disk = open_disk(BLKPR_NVME);

	(void)state; /* S1: PREEMPT alone would leave them in flight */
	expect_preempt(0);
	assert_result(disk->ops->preempt_abort(disk, OWN, VICTIM, TYPE), BLKPR_OK);
}

/* NVMe: the header of a Reservation Report. */
static void check_nvme_forgets(uint8_t ptpls, int rc, bool want)
{
	const uint8_t header[64] = { [9] = ptpls };
	struct blkpr_disk *disk = open_disk(BLKPR_NVME);
	struct blkpr_capabilities capabilities = { .types = 1 };

	for (uint32_t forms = rc ? 2 : 1; forms; forms--) {
		mock_nvme_id(MOCK_NSID, 0);
		mock_nvme(&(struct mock_nvme){ .opcode = 0x0e,
			.cdw10 = 15,
			.cdw11 = rc ? forms - 1 : 1,
			.data_len = 64,
			.reply = header,
			.length = 64,
			.rc = rc });
	}
	assert_result(disk->ops->capabilities(disk, &capabilities), BLKPR_OK);
	assert_int_equal(capabilities.types, 0);
	assert_int_equal(capabilities.forgets, want);
}

static void nvme_says_of_its_capabilities_only_whether_it_forgets(void **state)
{
	(void)state;
	check_nvme_forgets(0, 0, true);
	check_nvme_forgets(1, 0, false);
	check_nvme_forgets(0, 0x4002, false); /* it has not said so */
}

static void scsi_says_what_it_is_capable_of(void **state)
{
	static const uint8_t reply[8] = { 0, 8, 0, 0x80, 0x20, 0 };
	static const uint8_t control[16] = { 15, [4] = 0x0a, 10 };
	struct blkpr_disk *disk = open_disk(BLKPR_SCSI);
	struct blkpr_capabilities capabilities = { .types = 1 };

	(void)state;
	mock_sgio(&(struct mock_sgio){
		.action = BLKPR_PRIN_REPORT_CAPABILITIES, .allocation = 8, .reply = reply, .length = 8 });
	mock_sgio(&(struct mock_sgio){ .mode_sense = true, .allocation = 64, .reply = control, .length = sizeof(control),
		.resid = 64 - sizeof(control) });
	assert_result(disk->ops->capabilities(disk, &capabilities), BLKPR_OK);
	assert_int_equal(capabilities.types, 1 << PR_WRITE_EXCLUSIVE_REG_ONLY);
	assert_true(capabilities.mute);
	mock_sgio(&(struct mock_sgio){ .action = BLKPR_PRIN_REPORT_CAPABILITIES, .allocation = 8, .rc = -1, .err = EIO });
	mock_sgio(&(struct mock_sgio){ .mode_sense = true, .allocation = 64, .rc = -1, .err = EIO });
	assert_result(disk->ops->capabilities(disk, &capabilities), BLKPR_IO_ERROR);
	assert_false(capabilities.mute); /* it has not said so */
}

static void a_device_that_cannot_be_opened_gives_its_errnos_verdict(void **state)
{
	struct blkpr_block_disk block;
	struct blkpr_device device = { .kind = BLKPR_SCSI };

	(void)state;
	opened = -ENXIO;
	assert_result(blkpr_disk_open(&block, &device, DEADLINE), BLKPR_GONE);
	opened = -EACCES;
	assert_result(blkpr_disk_open(&block, &device, DEADLINE), BLKPR_DENIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		mock_test(a_unit_attention_is_worth_another_try),
		mock_test(a_read_with_a_unit_attention_starts_again_with_the_keys),
		mock_test(four_unit_attentions_are_bearable),
		mock_test(attentions_of_a_device_that_has_none_are_an_io_error),
		mock_test(five_unit_attentions_are_bearable),
		mock_test(unit_attentions_that_go_on_are_waited_out),
		mock_test(unit_attentions_without_an_end_are_busy),
		mock_test(preempt_leaves_it_to_its_caller_to_wait_for_unit_attentions),
		mock_test(a_read_that_fails_as_if_by_unit_attentions_ends),
		mock_test(a_device_that_is_not_ready_is_waited_for),
		mock_test(a_device_that_stays_not_ready_is_busy),
		mock_test(preempt_leaves_it_to_its_caller_to_wait_for_a_device_that_is_not_ready),
		mock_test(a_device_that_becomes_ready_before_it_is_asked_has_another_try),
		mock_test(a_path_that_stays_not_ready_does_not_keep_the_others_from_trying),
		mock_test(a_path_that_fails_beside_a_busy_one_is_not_the_last_word),
		mock_test(a_path_that_stays_busy_leaves_the_others_their_time),
		mock_test(busy_is_repeated_after_a_pause),
		mock_test(busy_ends_early_enough_to_say_so),
		mock_test(preempt_leaves_it_to_its_caller_to_repeat_what_was_busy),
		mock_test(busy_after_the_deadline_is_not_repeated),
		mock_test(a_conflict_is_never_repeated),
		mock_test(a_conflict_after_a_unit_attention_is_not_repeated),
		mock_test(errors_are_not_repeated),
		mock_test(register_goes_to_each_path_of_a_map),
		mock_test(the_old_key_goes_to_each_path_of_a_map),
		mock_test(registration_on_one_path_is_enough_whichever_it_is),
		mock_test(registration_on_no_path_is_none),
		mock_test(each_path_has_its_own_unit_attentions),
		mock_test(a_busy_path_is_registered_after_a_pause),
		mock_test(a_map_is_opened_by_its_first_path_that_can_be),
		mock_test(a_map_without_a_path_to_open_cannot_be_asked),
		mock_test(a_command_that_a_path_fails_goes_to_the_next),
		mock_test(a_read_that_a_path_fails_starts_again_on_the_next),
		mock_test(a_command_that_every_path_fails_has_failed),
		mock_test(a_conflict_comes_back_and_the_next_command_takes_another_path),
		mock_test(what_one_path_refuses_another_one_may_do),
		mock_test(what_every_path_refuses_is_refused),
		mock_test(what_no_path_could_do_is_not_tried_on_another_one),
		mock_test(a_read_that_is_not_answered_is_asked_of_another_path),
		mock_test(a_map_whose_first_path_hangs_when_it_is_opened_is_opened_by_another),
		mock_test(the_path_that_answered_before_is_asked_first),
		mock_test(a_path_that_hangs_is_not_registered_and_keeps_nobody_waiting),
		mock_test(a_path_that_was_silent_before_is_not_waited_for_again),
		mock_test(what_is_one_paths_goes_past_one_that_hangs),
		mock_test(a_command_that_a_path_fails_goes_to_one_that_answers),
		mock_test(a_disk_of_which_every_path_hangs_has_not_answered),
		mock_test(drain_resets_the_lun_and_no_more),
		mock_test(a_drain_that_fails_is_undrained),
		mock_test(a_drain_that_fails_beside_another_is_repeated),
		mock_test(a_drain_that_is_refused_has_ended_nothing),
		mock_test(a_drain_that_cannot_be_sent_now_says_why),
		mock_test(a_drain_waits_for_a_host_that_is_busy),
		mock_test(a_host_that_stays_busy_is_drained_until_the_deadline),
		mock_test(a_drain_that_a_path_fails_goes_to_the_next),
		mock_test(a_drain_that_fails_is_repeated_by_the_next_path),
		mock_test(nvme_is_not_reset),
		mock_test(a_disks_driver_says_how_far_a_reset_gets),
		mock_test(a_maps_best_path_says_how_far_a_reset_gets),
		mock_test(a_reset_goes_by_paths_only_where_it_gets_far_enough),
		mock_test(initiators_are_asked_of_scsi_only),
		mock_test(a_device_without_full_status_cannot_tell_initiators),
		mock_test(initiators_that_a_path_does_not_tell_are_asked_of_the_next),
		mock_test(what_one_path_says_of_the_device_outlives_the_next_paths_trouble),
		mock_test(register_never_ignores_a_key_that_is_there),
		mock_test(an_nvme_host_with_key_0_is_given_its_key),
		mock_test(eviction_aborts_the_victims_commands),
		mock_test(nvme_says_of_its_capabilities_only_whether_it_forgets),
		mock_test(scsi_says_what_it_is_capable_of),
		mock_test(a_device_that_cannot_be_opened_gives_its_errnos_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
