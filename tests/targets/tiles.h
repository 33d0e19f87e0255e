/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tiles: AMX's registers, which a process asks the kernel for and has room for
 * from its first use on. Where machine or kernel has none nothing is done, and
 * none has changed.
 */
#ifndef HT_TESTS_TARGETS_TILES_H
#define HT_TESTS_TARGETS_TILES_H

#include <cpuid.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* <asm/prctl.h>; the component of XSAVE that holds them. */
#define TILES_ASK	0x1023
#define TILES_COMPONENT 18
#define TILES_IN_EDX	(1u << 24)
#define TILE_ROWS	16
#define TILE_ROW	64 /* bytes */

static struct {
	uint8_t palette, start_row, unused[14];
	uint16_t bytes[16];
	uint8_t rows[16];
} tiles_config = {.palette = 1, .bytes = {TILE_ROW}, .rows = {TILE_ROWS}};
static uint8_t tiles_given[TILE_ROWS * TILE_ROW];
static bool tiles_are, tiles_in_use;

static void tiles_init(void)
{
	uint32_t a, b, c, d;

	tiles_are = __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
		    d & TILES_IN_EDX &&
		    syscall(SYS_arch_prctl, TILES_ASK, TILES_COMPONENT) == 0;
}

static void tiles_fill(uint64_t seed)
{
	for (size_t i = 0; i < sizeof(tiles_given); i++)
		tiles_given[i] = (uint8_t)(seed * 31 + i * 7 + 1);
	__asm__ volatile("ldtilecfg %0\n"
			 "tileloadd (%1,%2,1), %%tmm0"
			 :
			 : "m"(tiles_config), "r"(tiles_given),
			   "r"((uint64_t)TILE_ROW)
			 : "memory");
}

/* Filled for every other wait; for those between the room is there, and they
 * are as they were at first. */
static void tiles_change(uint64_t seed)
{
	if (!tiles_are)
		return;
	tiles_in_use = seed % 2;
	if (tiles_in_use)
		tiles_fill(seed);
	else
		__asm__ volatile("tilerelease");
}

static bool tiles_are_same(void)
{
	uint8_t found[sizeof(tiles_given)];

	if (!tiles_in_use)
		return true;
	__asm__ volatile("tilestored %%tmm0, (%0,%1,1)"
			 :
			 : "r"(found), "r"((uint64_t)TILE_ROW)
			 : "memory");
	return memcmp(found, tiles_given, sizeof(found)) == 0;
}

#endif
