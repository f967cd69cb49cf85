// SPDX-License-Identifier: GPL-2.0-or-later
// Build-time generator: from an agent's metadata XML to its option table, metadata output,
// help text and man page.
#include <stdio.h>
#include <string.h>

#include "metadata/man.h"
#include "metadata/model.h"
#include "metadata/table.h"

int main(int argc, char **argv)
{
	struct agent agent = { 0 };

	if (argc == 3 && !strcmp(argv[1], "table")) {
		model_read(&agent, argv[2]);
		table_write(stdout, &agent);
	} else if (argc == 4 && !strcmp(argv[1], "man")) {
		model_read(&agent, argv[2]);
		man_write(stdout, &agent, argv[3]);
	} else {
		fputs("usage: generate table FILE.xml\n"
		      "       generate man FILE.xml TEMPLATE\n",
			stderr);
		return 1;
	}
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the process ends here, and frees nothing */
	if (fflush(stdout) || ferror(stdout)) {
		perror("generate: standard output");
		return 1;
	}
	return 0;
}
