/* SPDX-License-Identifier: Apache-2.0 */
/* rounds FILE STATUS [leak]: each millisecond takes twenty blocks of 200 bytes,
 * and frees them, or (leak) does not; ends with STATUS once FILE is there. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCKS 20
#define BLOCK  200

int main(int argc, char **argv)
{
	char *block[BLOCKS];

	if (argc < 3)
		return 2;
	while (access(argv[1], F_OK) != 0) {
		for (int i = 0; i < BLOCKS; i++) {
			block[i] = malloc(BLOCK);
			if (!block[i])
				return 2;
			memset(block[i], i, BLOCK);
		}
		for (int i = 0; i < BLOCKS && argc == 3; i++)
			free(block[i]);
		usleep(1000);
	}
	return atoi(argv[2]);
}
