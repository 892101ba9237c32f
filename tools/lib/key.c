// SPDX-License-Identifier: LGPL-2.1-or-later
/* Keys: making them from numbers, addresses and text, and formatting them. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static int invalid(void)
{
	errno = EINVAL;
	return -1;
}

static void key_set(struct weir_key *key, enum weir_key_type type,
		    const void *bytes, size_t length)
{
	key->type = (uint16_t)type;
	key->len = (uint16_t)length;
	memcpy(key->bytes, bytes, length);
}

WEIR_API void weir_key_none(struct weir_key *key)
{
	key->type = WEIR_KEY_NONE;
	key->len = 0;
}

WEIR_API void weir_key_u64(struct weir_key *key, uint64_t number)
{
	key_set(key, WEIR_KEY_U64, &number, sizeof(number));
}

/* The zone of a link-local address, "%eth0", is not part of the address. */
static int ipv6_parse(struct in6_addr *to, const char *text)
{
	size_t length = strcspn(text, "%");
	char address[INET6_ADDRSTRLEN];

	if (length >= sizeof(address) || (text[length] && !text[length + 1]))
		return 0;
	memcpy(address, text, length);
	address[length] = '\0';
	return inet_pton(AF_INET6, address, to);
}

WEIR_API int weir_key_ip(struct weir_key *key, const char *text)
{
	struct in6_addr ipv6;
	struct in_addr ipv4;

	if (inet_pton(AF_INET, text, &ipv4) == 1) {
		key_set(key, WEIR_KEY_IP, &ipv4, sizeof(ipv4));
		return 0;
	}
	if (ipv6_parse(&ipv6, text) == 1) {
		key_set(key, WEIR_KEY_IP, &ipv6, sizeof(ipv6));
		return 0;
	}
	return invalid();
}

WEIR_API int weir_key_sockaddr(struct weir_key *key,
			       const struct sockaddr *address, socklen_t length)
{
	if (length < sizeof(address->sa_family))
		return invalid();
	/* copy, because the sockaddr may be unaligned */
	if (address->sa_family == AF_INET) {
		struct sockaddr_in in;

		if (length < sizeof(in))
			return invalid();
		memcpy(&in, address, sizeof(in));
		key_set(key, WEIR_KEY_IP, &in.sin_addr, sizeof(in.sin_addr));
		return 0;
	}
	if (address->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		if (length < sizeof(in6))
			return invalid();
		memcpy(&in6, address, sizeof(in6));
		key_set(key, WEIR_KEY_IP, &in6.sin6_addr,
			sizeof(in6.sin6_addr));
		return 0;
	}
	errno = EAFNOSUPPORT;
	return -1;
}

WEIR_API int weir_key_text(struct weir_key *key, const void *text,
			   size_t length)
{
	if (length < 1 || length > WEIR_KEY_MAX)
		return invalid();
	key_set(key, WEIR_KEY_TEXT, text, length);
	return 0;
}

WEIR_API int weir_key_parse(struct weir_key *key, enum weir_key_type type,
			    const char *text)
{
	uint64_t number;

	switch (type) {
	case WEIR_KEY_NONE:
		if (*text)
			return invalid();
		weir_key_none(key);
		return 0;
	case WEIR_KEY_U64:
		if (weir_parse_u64(text, &number) < 0)
			return -1;
		weir_key_u64(key, number);
		return 0;
	case WEIR_KEY_IP:
		return weir_key_ip(key, text);
	case WEIR_KEY_TEXT:
		return weir_key_text(key, text, strlen(text));
	}
	return invalid();
}

static int copy_out(const char *text, char *buffer, size_t size)
{
	size_t length = strlen(text);

	if (length >= size) {
		errno = EMSGSIZE;
		return -1;
	}
	memcpy(buffer, text, length + 1);
	return (int)length;
}

WEIR_API int weir_key_format(const struct weir_key *key, char *buffer,
			     size_t size)
{
	char text[INET6_ADDRSTRLEN];
	uint64_t number;

	if (key->type == WEIR_KEY_U64 && key->len == sizeof(number)) {
		memcpy(&number, key->bytes, sizeof(number));
		snprintf(text, sizeof(text), "%llu",
			 (unsigned long long)number);
		return copy_out(text, buffer, size);
	}
	if (key->type == WEIR_KEY_IP && (key->len == 4 || key->len == 16)) {
		inet_ntop(key->len == 4 ? AF_INET : AF_INET6, key->bytes,
			  text, sizeof(text));
		return copy_out(text, buffer, size);
	}
	/* TEXT, and any key type added later */
	return weir_text_format(key->bytes, key->len, buffer, size);
}

int weir__op_key(struct weir_op *op, int key_type, const struct weir_key *key)
{
	int type = key ? key->type : WEIR_KEY_NONE;

	if ((key_type >= 0 && type != key_type) || (key && key->len > WEIR_KEY_MAX))
		return invalid();
	if (!key)
		return 0;
	op->key_len = key->len;
	if (key->len <= sizeof(op->key)) {
		memcpy(op->key, key->bytes, key->len);
	} else {
		op->flags = WEIR_OP_PTR;
		op->ptr = (uintptr_t)key->bytes;
	}
	return 0;
}
