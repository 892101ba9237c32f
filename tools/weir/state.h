/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file format of weir save and weir restore: a head, then sections. The last section marks the
 * end and has a CRC-32 of everything before it. Numbers have the byte order of the machine; a file
 * with the other byte order is refused.
 *
 * The section of an object comes first, then its rules, keys (in any number of sections) or
 * values.
 */
#ifndef WEIR_STATE_H
#define WEIR_STATE_H

#include <weir.h>

#define STATE_MAGIC	"weirsave"
#define STATE_VERSION	1
#define STATE_ORDER	0x01020304U

struct state_head {
	char		magic[8];
	uint32_t	order;
	uint32_t	version;
};

enum state_type {
	STATE_LIMITER	= 1,	/* struct state_object, struct weir_limiter_config */
	/* struct state_object, then names and values, or a struct weir_histogram */
	STATE_COUNTER	= 2,
	STATE_RULES	= 3,	/* struct weir_rule, any number */
	STATE_KEYS	= 4,	/* struct weir_entry_info records */
	STATE_END	= 5,	/* struct state_end */
	STATE_GATE	= 6,	/* struct state_object, struct weir_gate_config */
	STATE_BREAKER	= 7,	/* struct state_object, struct weir_breaker_config */
	STATE_ROSTER	= 8,	/* struct state_object, struct weir_roster_config */
};

/* Whether a section begins an object. The sections up to the next such section belong to it. */
static inline int state_is_object(uint32_t type)
{
	return type == STATE_LIMITER || type == STATE_COUNTER || type == STATE_GATE ||
	       type == STATE_BREAKER || type == STATE_ROSTER;
}

/**
 * struct state_section - the header of a section
 * @type: enum state_type
 * @reserved: 0
 * @length: bytes that follow, a multiple of 8
 * @time: time of the data, ns since 1970
 */
struct state_section {
	uint32_t	type;
	uint32_t	reserved;
	uint64_t	length;
	uint64_t	time;
};

/* Members for objects of all kinds. */
struct state_object {
	char		name[WEIR_NAME_SIZE];
	uint32_t	type;
	uint32_t	mode;
	uint32_t	uid;
	uint32_t	gid;
	uint32_t	nfields;
	uint32_t	reserved;
};

struct state_end {
	uint32_t	crc;
	uint32_t	reserved;
};

#endif /* WEIR_STATE_H */
