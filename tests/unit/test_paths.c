// SPDX-License-Identifier: GPL-2.0-or-later
// The protocols on many multipath maps whose paths hang, err or take their time: real processes and
// threads, a target in shared memory.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <scsi/sg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/block.h"
#include "lib/clock.h"
#include "lib/fence.h"
#include "lib/hold.h"
#include "lib/pr.h"
#include "tests/unit/unit.h"

#define OWN 0xa
#define VICTIM 0xb
#define TYPE PR_WRITE_EXCLUSIVE_REG_ONLY
#define DISKS 64
#define PATHS 8
#define MOST_FDS 65536

int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg);
int __wrap_blkpr_device_open_path(const struct blkpr_device *map, unsigned i);
int __wrap_blkpr_host_of(int fd, unsigned *host);
int __wrap_blkpr_host_of_disk(const char *disk, unsigned *host);
enum blkpr_reach __wrap_blkpr_host_reach(unsigned host, char driver[BLKPR_DRIVER_SIZE]);

enum manner { ANSWERS, HANGS, ERRS, DOWN /* cannot be opened */ };

struct target {
	atomic_flag lock;
	uint64_t nexus[PATHS + 1]; /* this node's by each path, and the other node's: the key */
	uint64_t holder;
	unsigned type, resets, registers, reads;
	uint32_t generation;
	struct {
		_Atomic enum manner manner;
		atomic_uint delay_us;
	} paths[PATHS];
};

static struct world {
	struct target targets[DISKS];
	atomic_int threads, most_threads; /* at a time; 0: any number */
} *world;

static atomic_int where[MOST_FDS]; /* a descriptor's disk and path */

static struct blkpr_device devices[DISKS];
static struct blkpr_target targets[DISKS];
static struct blkpr_verdict verdicts[DISKS];
static char names[DISKS][24];
static char path_names[DISKS][PATHS][32];

/* --- the target ----------------------------------------------------------------------------------- */

static void lock(struct target *target)
{
	while (atomic_flag_test_and_set(&target->lock))
		;
}

static void unlock(struct target *target)
{
	atomic_flag_clear(&target->lock);
}

int __wrap_blkpr_device_open_path(const struct blkpr_device *map, unsigned i)
{
	int disk = (int)(map - devices), fd;

	assert_true(i < map->npaths);
	if (world->targets[disk].paths[i].manner == DOWN)
		return -ENOLINK;
	fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	where[fd] = disk * PATHS + (int)i;
	return fd;
}

int __wrap_blkpr_host_of(int fd, unsigned *host)
{
	*host = (unsigned)where[fd] % PATHS;
	return 0;
}

int __wrap_blkpr_host_of_disk(const char *disk, unsigned *host)
{
	(void)disk;
	*host = 0;
	return 0;
}

enum blkpr_reach __wrap_blkpr_host_reach(unsigned host, char driver[BLKPR_DRIVER_SIZE])
{
	(void)host;
	snprintf(driver, BLKPR_DRIVER_SIZE, "test");
	return BLKPR_REACH_TARGET;
}

struct thread {
	void *(*run)(void *);
	void *arg;
};

static void *run_thread(void *argument)
{
	struct thread thread = *(struct thread *)argument;

	free(argument);
	thread.run(thread.arg);
	world->threads--;
	return NULL;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
	struct thread *started = malloc(sizeof(*started));

	*started = (struct thread){ run, arg };
	if (++world->threads <= world->most_threads || !world->most_threads)
		return __real_pthread_create(thread, attr, run_thread, started);
	world->threads--;
	free(started);
	return EAGAIN;
}

static bool registered(const struct target *target, uint64_t key)
{
	for (unsigned i = 0; i <= PATHS; i++)
		if (target->nexus[i] == key)
			return true;
	return false;
}

static int read_keys(const struct target *target, struct blkpr_pr_read_keys *keys)
{
	uint64_t *out = (uint64_t *)(uintptr_t)keys->keys_ptr;
	unsigned count = 0;

	for (unsigned i = 0; i <= PATHS; i++) {
		if (!target->nexus[i])
			continue;
		if (count < keys->num_keys)
			out[count] = target->nexus[i];
		count++;
	}
	keys->num_keys = count;
	keys->generation = target->generation;
	return 0;
}

static int do_register(struct target *target, unsigned path, const struct pr_registration *registration)
{
	target->registers++;
	if (target->nexus[path] != registration->old_key)
		return 0x18;
	target->nexus[path] = registration->new_key;
	target->generation++;
	if (target->type && !registered(target, target->holder))
		target->type = 0;
	return 0;
}

static int preempt(struct target *target, unsigned path, const struct pr_preempt *preempt)
{
	if (target->nexus[path] != preempt->old_key || !registered(target, preempt->new_key))
		return 0x18;
	for (unsigned i = 0; i <= PATHS; i++)
		if (target->nexus[i] == preempt->new_key)
			target->nexus[i] = 0;
	if (target->holder == preempt->new_key)
		target->holder = preempt->old_key;
	target->generation++;
	return 0;
}

static int reserve(struct target *target, unsigned path, const struct pr_reservation *reservation)
{
	if (!target->nexus[path] || (target->type && target->holder != reservation->key))
		return 0x18;
	target->type = reservation->type;
	target->holder = reservation->key;
	return 0;
}

static int sg_io(struct target *target, struct sg_io_hdr *io)
{
	static const uint8_t spc[] = { [TYPE] = 5 };
	uint8_t *reply = io->dxferp;

	target->reads++;
	if (io->cmdp[0] == 0x5e && io->cmdp[1] == 1 && io->dxfer_len >= 24) {
		memset(reply, 0, 24);
		for (unsigned i = 0; i < 4; i++)
			reply[i] = (uint8_t)(target->generation >> (24 - 8 * i));
		reply[7] = target->type ? 16 : 0;
		for (unsigned i = 0; i < 8; i++)
			reply[8 + i] = (uint8_t)(target->holder >> (56 - 8 * i));
		reply[21] = target->type ? spc[TYPE] : 0;
		io->resid = (int)io->dxfer_len - 24;
	} else if (io->cmdp[0] == 0x5e) {
		io->status = 2; /* no capabilities, no full status */
		memcpy(io->sbp, (uint8_t[18]){ 0x70, [2] = 5, [7] = 10, [12] = 0x24 }, 18);
		io->sb_len_wr = 18;
	}
	return 0;
}

static int execute(struct target *target, unsigned path, unsigned long request, void *arg)
{
	switch (request) {
	case BLKPR_IOC_PR_READ_KEYS:
		target->reads++;
		return read_keys(target, arg);
	case BLKPR_IOC_PR_READ_RESERVATION:
		*(struct blkpr_pr_read_reservation *)arg = (struct blkpr_pr_read_reservation){
			target->holder, target->generation, target->type };
		return 0;
	case IOC_PR_REGISTER:
		return do_register(target, path, arg);
	case IOC_PR_RESERVE:
		return reserve(target, path, arg);
	case IOC_PR_RELEASE:
		if (!target->nexus[path])
			return 0x18;
		target->type = target->holder == target->nexus[path] ? 0 : target->type;
		return 0;
	case IOC_PR_PREEMPT_ABORT:
		return preempt(target, path, arg);
	case SG_SCSI_RESET:
		target->resets++;
		return 0;
	case SG_IO:
		return sg_io(target, arg);
	default:
		errno = ENOTTY;
		return -1;
	}
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct target *target = &world->targets[where[fd] / PATHS];
	unsigned path = (unsigned)where[fd] % PATHS;
	va_list ap;
	void *arg;
	int rc;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	while (target->paths[path].manner == HANGS)
		pause();
	if (target->paths[path].delay_us)
		usleep(target->paths[path].delay_us);
	if (target->paths[path].manner == ERRS) {
		errno = EIO;
		return -1;
	}
	lock(target);
	rc = execute(target, path, request, arg);
	unlock(target);
	return rc;
}

/* --- what the tests have in common ------------------------------------------------------------------ */

static void set_up(unsigned count, unsigned npaths, bool own, bool victim)
{
	if (!world)
		world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(world, 0, sizeof(*world));
	for (unsigned i = 0; i < count; i++) {
		struct target *target = &world->targets[i];

		for (unsigned p = 0; p < npaths; p++) {
			snprintf(path_names[i][p], sizeof(path_names[i][p]), "sd%u-%u", i, p);
			target->nexus[p] = own ? OWN : 0;
		}
		target->nexus[PATHS] = victim ? VICTIM : 0;
		target->type = own || victim ? TYPE : 0;
		target->holder = victim ? VICTIM : own ? OWN : 0;
		target->generation = 7;
		snprintf(names[i], sizeof(names[i]), "/dev/map%03u", i);
		free(devices[i].learned);
		devices[i] = (struct blkpr_device){ .name = names[i], .path = names[i], .wwid = names[i], .kind = BLKPR_SCSI,
			.multipath = true, .path_names = path_names[i], .npaths = npaths, .paths = npaths,
			.learned = calloc(1, sizeof(struct blkpr_learned)) };
		targets[i] = (struct blkpr_target){ .device = &devices[i], .own = OWN };
	}
}

static struct blkpr_fence fence_for(int64_t ms)
{
	static const uint64_t known[] = { VICTIM };

	return (struct blkpr_fence){ .type = TYPE, .parallel = 64, .deadline = blkpr_clock_ms() + ms, .known = known, .nknown = 1 };
}

/* How many disks the victim is off. */
static unsigned off(unsigned count, int64_t ms, unsigned *arbiter)
{
	struct blkpr_fence fence = fence_for(ms);
	unsigned evicted = 0;

	fence.victim = VICTIM;
	blkpr_fence_off(&fence, targets, count, verdicts, arbiter);
	assert_true(blkpr_clock_ms() < fence.deadline + 1000);
	for (unsigned i = 0; i < count; i++)
		evicted += !registered(&world->targets[i], VICTIM);
	return evicted;
}

static void set_path(unsigned count, unsigned from, unsigned path, enum manner manner, unsigned delay_us)
{
	for (unsigned i = from; i < count; i++) {
		world->targets[i].paths[path].manner = manner;
		world->targets[i].paths[path].delay_us = delay_us;
	}
}

/* --- tests ------------------------------------------------------------------------------------------ */

/* S5: one adapter hangs, which is the first path to each disk, and the first disk is dead. */
static void disks_are_fenced_by_their_other_path_when_the_first_disk_is_dead(void **state)
{
	unsigned arbiter;

	(void)state;
	set_up(8, 2, true, true);
	set_path(8, 0, 0, HANGS, 0);
	set_path(1, 0, 1, HANGS, 0);
	assert_int_equal(off(8, 12000, &arbiter), 7);
	assert_int_equal(arbiter, 1); /* as for a side whose paths all work (S3) */
}

static void a_path_that_errs_keeps_nobody_waiting(void **state)
{
	unsigned arbiter;

	(void)state;
	set_up(4, 3, true, true);
	set_path(4, 0, 0, ERRS, 0);
	set_path(4, 0, 1, ERRS, 0);
	assert_int_equal(off(4, 30000, &arbiter), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_result(verdicts[i].result, BLKPR_OK);
}

/* Not every array has READ FULL STATUS. The device has said so by a path that works. */
static void off_does_without_what_the_device_does_not_tell(enum manner manner)
{
	unsigned arbiter;

	set_up(4, 2, true, false);
	set_path(4, 0, 1, manner, 0);
	off(4, 30000, &arbiter);
	for (unsigned i = 0; i < 4; i++)
		assert_result(verdicts[i].result, BLKPR_OK);
}

static void what_the_device_does_not_tell_is_no_failure_although_a_path_is_down(void **state)
{
	(void)state;
	off_does_without_what_the_device_does_not_tell(DOWN);
}

static void what_the_device_does_not_tell_is_no_failure_although_a_path_errs(void **state)
{
	(void)state;
	off_does_without_what_the_device_does_not_tell(ERRS);
}

static void what_the_device_does_not_tell_is_no_failure_although_a_path_hangs(void **state)
{
	(void)state;
	off_does_without_what_the_device_does_not_tell(HANGS);
}

static void without_threads_it_works_all_the_same(void **state)
{
	unsigned arbiter;

	(void)state;
	for (unsigned n = 0; n < 12; n++) {
		set_up(4, 3, true, true);
		world->most_threads = n + 1;
		assert_int_equal(off(4, 30000, &arbiter), 4);
	}
}

static int descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 4096; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Scouts that come back while they are dismissed, before and after. */
static void scouts_that_come_back_late_leave_nothing_behind(void **state)
{
	int before;

	(void)state;
	set_up(1, 4, true, true);
	before = descriptors();
	for (unsigned i = 0; i < 80; i++) {
		struct blkpr_block_disk block;
		struct blkpr_report report;

		for (unsigned p = 0; p < 4; p++)
			set_path(1, 0, p, p == 3 && i % 3 == 0 ? ERRS : ANSWERS, (i * 7919 + p * 4729) % 12000);
		assert_result(blkpr_disk_open(&block, &devices[0], blkpr_clock_ms() + 30000), BLKPR_OK);
		block.disk.deadline = blkpr_clock_ms() + 40; /* so that the others are asked soon */
		if (block.disk.ops->read(&block.disk, &report) == BLKPR_OK)
			assert_int_equal(report.nkeys, 5);
		blkpr_report_clear(&report);
		if (i % 4 == 0)
			block.disk.ops->silent(&block.disk);
		blkpr_disk_close(&block);
		devices[0].learned->silent = 0;
		devices[0].learned->path = i * 7 % 4;
	}
	while (descriptors() != before) /* the last ones are on their way back */
		sched_yield();
}

static void expect_good_monitor(void)
{
	struct blkpr_fence fence = fence_for(18000);

	blkpr_fence_monitor(&fence, targets, 64, verdicts);
	for (unsigned i = 0; i < 64; i++)
		assert_result(verdicts[i].result, BLKPR_OK);
}

static void monitor_goes_past_a_path_that_hangs(void **state)
{
	(void)state;
	set_up(64, 4, true, true);
	set_path(64, 0, 0, HANGS, 0);
	expect_good_monitor();
	for (unsigned i = 0; i < 64; i++) /* nor is it registered */
		world->targets[i].nexus[0] = 0;
	expect_good_monitor();
}

static struct blkpr_hold hold_for(int64_t ms)
{
	return (struct blkpr_hold){ .type = TYPE, .evict = true, .parallel = 64, .deadline = blkpr_clock_ms() + ms };
}

static void start_and_stop_go_past_a_path_that_hangs(void **state)
{
	(void)state;
	for (unsigned hung = 0; hung < 3; hung += 2) {
		struct blkpr_hold hold = hold_for(18000);
		unsigned arbiter;

		set_up(4, 3, true, true);
		set_path(4, 0, hung, HANGS, 0);
		blkpr_hold_take(&hold, targets, 4, verdicts, &arbiter);
		hold = hold_for(18000);
		blkpr_hold_watch(&hold, targets, 4, verdicts);
		hold = hold_for(18000);
		blkpr_hold_run(&hold, blkpr_hold_leave_disk, targets, 4, verdicts);
		for (unsigned i = 0; i < 4; i++) {
			assert_result(verdicts[i].result, BLKPR_OK);
			assert_false(registered(&world->targets[i], OWN));
			assert_int_equal(world->targets[i].type, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_that_errs_keeps_nobody_waiting),
		cmocka_unit_test(what_the_device_does_not_tell_is_no_failure_although_a_path_is_down),
		cmocka_unit_test(what_the_device_does_not_tell_is_no_failure_although_a_path_errs),
		cmocka_unit_test(what_the_device_does_not_tell_is_no_failure_although_a_path_hangs),
		cmocka_unit_test(without_threads_it_works_all_the_same),
		cmocka_unit_test(scouts_that_come_back_late_leave_nothing_behind),
		cmocka_unit_test(disks_are_fenced_by_their_other_path_when_the_first_disk_is_dead),
		cmocka_unit_test(monitor_goes_past_a_path_that_hangs),
		cmocka_unit_test(start_and_stop_go_past_a_path_that_hangs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
