// SPDX-License-Identifier: GPL-2.0-only
/* key - which bytes are the same key, and which are invalid */
#include "harness.h"

#include <arpa/inet.h>

#include "client.h"
#include "memory.h"

FIXTURE(key) {
	int fd;
};

FIXTURE_SETUP(key)
{
	objects_wipe();
	self->fd = client_open(O_RDWR);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(key)
{
	close(self->fd);
	objects_wipe();
}

static __u32 make(struct __test_metadata *_metadata, int fd, __u32 type,
		  __u8 prefix4, __u8 prefix6)
{
	struct weir_limiter_config config = limiter_config(type);
	__u32 handle;

	config.prefix4 = prefix4;
	config.prefix6 = prefix6;
	ASSERT_EQ(0, limiter_create(fd, OURS "key", &config, &handle));
	return handle;
}

/* Charge one token. Return: how many were charged before, or an errno. */
static int spent(int fd, __u32 handle, const void *key, __u16 length)
{
	struct weir_op op;
	int ret = key_run(fd, &op, WEIR_OP_CHECK, handle, 1, key, length);

	return ret ?: 9 - (int)op.remaining;
}

static __u64 keys(int fd, __u32 handle)
{
	struct weir_limiter_stats stats;

	return stats_get(fd, handle, &stats) ? ~0ULL : stats.keys;
}

TEST_F(key, length_by_type)
{
	static const struct { __u32 type; int good[2]; } rows[] = {
		{ WEIR_KEY_NONE, { 0, 0 } },
		{ WEIR_KEY_U64, { 8, 8 } },
		{ WEIR_KEY_IP, { 4, 16 } },
	};
	char bytes[256] = { 1 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		__u32 handle = make(_metadata, self->fd, rows[i].type, 0, 0);

		for (int length = 0; length <= 255; length++) {
			bool good = length == rows[i].good[0] ||
				    length == rows[i].good[1];
			int ret = spent(self->fd, handle, bytes, length);

			EXPECT_EQ(good ? 0 : -EINVAL, ret) {
				TH_LOG("type %u length %d", rows[i].type,
				       length);
			}
		}
		ASSERT_EQ(0, object_delete(self->fd, handle));
	}
}

TEST_F(key, text_of_every_length)
{
	__u32 handle = make(_metadata, self->fd, WEIR_KEY_TEXT, 0, 0);
	struct weir_op op;
	char bytes[300];

	memset(bytes, 'k', sizeof(bytes));
	for (int round = 0; round < 2; round++)
		for (int length = 1; length <= WEIR_KEY_MAX; length++)
			ASSERT_EQ(round, spent(self->fd, handle, bytes, length));
	EXPECT_EQ(WEIR_KEY_MAX, keys(self->fd, handle));
	EXPECT_EQ(-EINVAL, spent(self->fd, handle, bytes, 0));
	EXPECT_EQ(-EINVAL, spent(self->fd, handle, bytes, 256));
	EXPECT_EQ(-EINVAL, key_run(self->fd, &op, WEIR_OP_CHECK, handle, 1,
				   bytes, 0xffff));
	EXPECT_EQ(WEIR_KEY_MAX, keys(self->fd, handle));
}

/* The same bytes are the same key in the op and behind the pointer. */
TEST_F(key, where_the_key_stands)
{
	__u32 handle = make(_metadata, self->fd, WEIR_KEY_TEXT, 0, 0);
	char bytes[40];

	memset(bytes, 'p', sizeof(bytes));
	for (int length = 1; length <= 40; length++) {
		struct weir_op op = op_make(WEIR_OP_CHECK, handle, 1);

		op.flags = WEIR_OP_PTR;
		op.key_len = length;
		op.ptr = address(bytes);
		ASSERT_EQ(0, op_run(self->fd, &op));
		EXPECT_EQ(9, op.remaining);
		op = op_make(WEIR_OP_CHECK, handle, 1);
		op.key_len = length;
		memcpy(op.key, bytes, sizeof(op.key));
		if (length < 32)
			memset(op.key + length, 0, 32 - length);
		EXPECT_EQ(length <= 32 ? 0 : -EINVAL, op_run(self->fd, &op)) {
			TH_LOG("length %d", length);
		}
		if (length <= 32)
			EXPECT_EQ(8, op.remaining);
	}
	EXPECT_EQ(40, keys(self->fd, handle));
}

TEST_F(key, pointer_to_bad_memory)
{
	__u32 handle = make(_metadata, self->fd, WEIR_KEY_TEXT, 0, 0);
	static const __u16 opcodes[] = {
		WEIR_OP_CHECK, WEIR_OP_PEEK, WEIR_OP_REFUND, WEIR_OP_STRIKE,
		WEIR_OP_FORGIVE, WEIR_OP_BAN, WEIR_OP_LIFT, WEIR_OP_FORGET,
	};
	struct pane pane = pane_make();

	memset(pane.start, 'b', PANE_PAGES * pane.page);
	pane_protect(&pane, PROT_NONE);
	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++) {
		for (int length = 33; length <= 255; length += 37) {
			struct weir_op op = op_make(opcodes[i], handle,
						    opcodes[i] < WEIR_OP_FORGIVE);

			op.arg = opcodes[i] == WEIR_OP_BAN ? SECOND : 0;
			op_key(&op, pane_before(&pane, length - 1), length);
			EXPECT_EQ(-EFAULT, op_run(self->fd, &op));
		}
	}
	EXPECT_EQ(0, keys(self->fd, handle));
	EXPECT_EQ(0, spent(self->fd, handle, pane_before(&pane, 255), 255));
	pane_free(&pane);
}

/* A text key can have any bytes, and zeros at any place. */
TEST_F(key, bytes_of_text)
{
	__u32 handle = make(_metadata, self->fd, WEIR_KEY_TEXT, 0, 0);

	EXPECT_EQ(0, spent(self->fd, handle, "a", 1));
	EXPECT_EQ(0, spent(self->fd, handle, "a\0", 2));
	EXPECT_EQ(0, spent(self->fd, handle, "a\0\0", 3));
	EXPECT_EQ(0, spent(self->fd, handle, "\0a", 2));
	EXPECT_EQ(0, spent(self->fd, handle, "\0", 1));
	EXPECT_EQ(1, spent(self->fd, handle, "a", 1));
	for (int c = 0; c < 256; c++) {
		const char byte[2] = { 'x', c };

		EXPECT_EQ(0, spent(self->fd, handle, byte, 2));
	}
	EXPECT_EQ(5 + 256, keys(self->fd, handle));
}

/* Two keys that differ in a single bit are different, at each place of a long and a short key. */
TEST_F(key, one_bit_makes_another_key)
{
	__u32 handle = make(_metadata, self->fd, WEIR_KEY_TEXT, 0, 0);
	static const int lengths[] = { 8, 16, 17, 64, 255 };
	__u8 bytes[255];
	__u64 sum = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		memset(bytes, 0x55, sizeof(bytes));
		EXPECT_EQ(0, spent(self->fd, handle, bytes, lengths[i]));
		for (int bit = 0; bit < lengths[i] * 8; bit++) {
			bytes[bit / 8] ^= 1 << bit % 8;
			ASSERT_EQ(0, spent(self->fd, handle, bytes,
					   lengths[i]));
			bytes[bit / 8] ^= 1 << bit % 8;
		}
		EXPECT_EQ(1, spent(self->fd, handle, bytes, lengths[i]));
		sum += 1 + lengths[i] * 8;
	}
	EXPECT_EQ(sum, keys(self->fd, handle));
}

static int spent_ip(int fd, __u32 handle, const char *text)
{
	__u8 bytes[16];

	if (inet_pton(AF_INET, text, bytes) == 1)
		return spent(fd, handle, bytes, 4);
	if (inet_pton(AF_INET6, text, bytes) == 1)
		return spent(fd, handle, bytes, 16);
	return -EPROTO;
}

TEST_F(key, addresses_by_default)
{
	__u32 handle = make(_metadata, self->fd, WEIR_KEY_IP, 0, 0);

	EXPECT_EQ(0, spent_ip(self->fd, handle, "192.0.2.1"));
	EXPECT_EQ(0, spent_ip(self->fd, handle, "192.0.2.0"));
	EXPECT_EQ(1, spent_ip(self->fd, handle, "192.0.2.1"));
	EXPECT_EQ(2, spent_ip(self->fd, handle, "::ffff:192.0.2.1"));
	EXPECT_EQ(0, spent_ip(self->fd, handle, "::fffe:192.0.2.1"));
	/* /64: the bits of the host make no difference */
	EXPECT_EQ(0, spent_ip(self->fd, handle, "2001:db8::1"));
	EXPECT_EQ(1, spent_ip(self->fd, handle, "2001:db8::ffff:ffff:ffff:ffff"));
	EXPECT_EQ(0, spent_ip(self->fd, handle, "2001:db8:0:1::1"));
	EXPECT_EQ(5, keys(self->fd, handle));
}

/* "::" and 0.0.0.0 are different keys. An IPv6 address is an IPv4 address only if it is mapped. */
TEST_F(key, address_families)
{
	__u32 handle = make(_metadata, self->fd, WEIR_KEY_IP, 32, 128);

	EXPECT_EQ(0, spent_ip(self->fd, handle, "0.0.0.0"));
	EXPECT_EQ(0, spent_ip(self->fd, handle, "::"));
	EXPECT_EQ(0, spent_ip(self->fd, handle, "::192.0.2.1"));
	EXPECT_EQ(0, spent_ip(self->fd, handle, "192.0.2.1"));
	EXPECT_EQ(0, spent_ip(self->fd, handle, "c000:0201::"));
	EXPECT_EQ(1, spent_ip(self->fd, handle, "::ffff:0.0.0.0"));
	EXPECT_EQ(5, keys(self->fd, handle));
}

/*
 * Flip one bit of an address under each prefix: within the prefix it makes another key, behind it
 * does not.
 */
TEST_F(key, every_prefix)
{
	for (int bits = 1; bits <= 128; bits++) {
		const int size = bits <= 32 ? 4 : 16;
		__u8 bytes[16] = { 0x20, 0x01, 0x0d, 0xb8 };
		__u32 handle;

		handle = make(_metadata, self->fd, WEIR_KEY_IP,
			      bits <= 32 ? bits : 32, bits);
		for (int v6 = bits > 32; v6 < 2; v6++) {
			const int length = v6 ? 16 : size;
			int same = 0;

			ASSERT_EQ(same++, spent(self->fd, handle, bytes, length));
			bytes[(bits - 1) / 8] ^= 0x80 >> (bits - 1) % 8;
			EXPECT_EQ(0, spent(self->fd, handle, bytes, length)) {
				TH_LOG("/%d, its last bit", bits);
			}
			bytes[(bits - 1) / 8] ^= 0x80 >> (bits - 1) % 8;
			if (bits == length * 8)
				continue;
			bytes[bits / 8] ^= 0x80 >> bits % 8;
			EXPECT_EQ(same++, spent(self->fd, handle, bytes,
						length)) {
				TH_LOG("/%d, the bit behind", bits);
			}
			bytes[bits / 8] ^= 0x80 >> bits % 8;
			bytes[length - 1] ^= 1;
			EXPECT_EQ(same++, spent(self->fd, handle, bytes,
						length)) {
				TH_LOG("/%d, the last bit", bits);
			}
			bytes[length - 1] ^= 1;
		}
		ASSERT_EQ(0, object_delete(self->fd, handle));
	}
}

/* Events and dumps have the key cut to its prefix, as it is stored. */
TEST_F(key, shown_as_it_is_kept)
{
	__u32 handle = make(_metadata, self->fd, WEIR_KEY_IP, 24, 0);
	__u64 room[64];
	struct weir_entry_info *info = (void *)room;
	struct weir_dump dump = { .size = sizeof(dump), .handle = handle,
				  .buffer = address(room),
				  .length = sizeof(room) };
	const __u8 wanted[8] = { 192, 0, 2, 0 };

	EXPECT_EQ(0, spent_ip(self->fd, handle, "::ffff:192.0.2.77"));
	while (dump.cursor != WEIR_NEVER && !dump.count) {
		dump.length = sizeof(room);
		memset(room, POISON, sizeof(room));
		ASSERT_EQ(0, call(self->fd, WEIR_IOC_DUMP, &dump));
	}
	ASSERT_EQ(1, dump.count);
	EXPECT_EQ(sizeof(*info) + 8, dump.length);
	EXPECT_EQ(sizeof(*info) + 8, info->size);
	EXPECT_EQ(4, info->key_len);
	EXPECT_EQ(0, memcmp(wanted, info->key, sizeof(wanted)));
}

TEST_HARNESS_MAIN
