// SPDX-License-Identifier: GPL-2.0-only
/* weir - the command line of the Weir kernel module */

#include <fcntl.h>

#include "cli.h"

/*
 * If a standard descriptor is closed, /dev/weir could get its number, and output would be written
 * to the device. So open a placeholder in its place.
 */
static void keep_standard_files(void)
{
	int fd;

	for (fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			(void)!open("/dev/null", fd ? O_RDONLY : O_WRONLY);
}

int main(int argc, char **argv)
{
	keep_standard_files();
	output_begin();
	return output_end(args_run(argc - 1, argv + 1));
}
