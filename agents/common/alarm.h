/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The deadline outside the fleet: what may block before disks are worked on, and after. */
#pragma once

#include <stdint.h>

/* What is put before the words on stderr; "fence_blkpr: " unless set. */
extern const char *alarm_prefix;

/*
 * What alarm_before_work() tells if it comes to that, and what to do about it: "corosync was asked;
 * does it answer?". Static text.
 */
extern const char *volatile alarm_doing;

/*
 * From here on, nothing touches a disk; after MS milliseconds the process says so on stderr and
 * exits with 1.
 */
void alarm_before_work(int64_t ms);

/*
 * From here on, the fleet keeps DEADLINE (blkpr_clock_ms()); a little later, in case telling the
 * verdicts blocks, the process exits with 1 without a word.
 */
void alarm_during_work(int64_t deadline);

void alarm_off(void);

/*
 * Until when somebody may be asked who is worth a part of the time that is left until DEADLINE, not
 * all of it.
 */
int64_t alarm_asking_by(int64_t deadline);
