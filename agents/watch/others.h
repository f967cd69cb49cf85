/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks besides the arbiter, in a worker's process: they alarm, and decide nothing. */
#pragma once

/* Answers each order that comes by LINE with a byte, when all have been read. */
void watch_others_serve(int line);
