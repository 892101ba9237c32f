// SPDX-License-Identifier: LGPL-2.1-or-later
/* Keys: making them, and formatting them safely. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "weir.h"

static char shown[WEIR_KEY_FORMAT_MAX];

static const char *show(const struct weir_key *key)
{
	return weir_key_format(key, shown, sizeof(shown)) < 0 ? "?" : shown;
}

/* Format @text of @length bytes. */
static const char *show_text(const char *text, size_t length)
{
	struct weir_key key;

	if (weir_key_text(&key, text, length) < 0)
		return "?";
	return show(&key);
}

#define SHOWS(text, want)						\
	ok(!strcmp(show_text(text, sizeof(text) - 1), want),		\
	   "text is shown as %s", want)

static void test_text(void)
{
	SHOWS("bob", "bob");
	SHOWS("DOMAIN\\user", "DOMAIN\\user");
	SHOWS("J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x98\x80",
	      "J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x98\x80");
	SHOWS("\x1b[31m", "\\x1b[31m");
	SHOWS("a\nb\r\tc", "a\\x0ab\\x0d\\x09c");
	SHOWS("a\0b", "a\\x00b");
	SHOWS("\x7f", "\\x7f");
	/* text that looks like an escape */
	SHOWS("\\x1b", "\\x5cx1b");
	SHOWS("\\x1", "\\x1");
	SHOWS("\\x\x1b", "\\x\\x1b");
	SHOWS("\\\x1b", "\\\\x1b");
	/* C1 controls, direction, no width */
	SHOWS("\xc2\x9b" "31m", "\\xc2\\x9b31m");
	SHOWS("a\xe2\x80\xae" "b", "a\\xe2\\x80\\xaeb");
	SHOWS("a\xe2\x80\x8b" "b", "a\\xe2\\x80\\x8bb");
	SHOWS("\xef\xbb\xbf" "b", "\\xef\\xbb\\xbf" "b");
	/*
	 * not UTF-8: a stray byte, a truncated character, an overlong form, a surrogate, a number
	 * too high
	 */
	SHOWS("\x80", "\\x80");
	SHOWS("\xff\xfe", "\\xff\\xfe");
	SHOWS("\xe2\x82", "\\xe2\\x82");
	SHOWS("\xc0\xaf", "\\xc0\\xaf");
	SHOWS("\xe0\x80\xaf", "\\xe0\\x80\\xaf");
	SHOWS("\xed\xa0\x80", "\\xed\\xa0\\x80");
	SHOWS("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
	SHOWS("\xe2\x82" "a", "\\xe2\\x82" "a");
}

static void test_text_room(void)
{
	char worst[WEIR_KEY_MAX], tight[9];
	struct weir_key key;

	memset(worst, 0xff, sizeof(worst));
	ok(!weir_key_text(&key, worst, sizeof(worst)), "255 bytes are a key");
	ok(weir_key_format(&key, shown, sizeof(shown)) == 4 * WEIR_KEY_MAX,
	   "the longest form of a key fits");
	ok(weir_key_text(&key, worst, 256) == -1 && errno == EINVAL,
	   "a key of 256 bytes is refused");
	ok(weir_key_text(&key, worst, 0) == -1 && errno == EINVAL,
	   "a text key of 0 bytes is refused");
	ok(weir_text_format("\x01\x02", 2, tight, 8) == -1 &&
	   errno == EMSGSIZE, "eight bytes are too few for two escapes");
	ok(weir_text_format("\x01\x02", 2, tight, 9) == 8, "nine bytes are enough for two escapes");
	ok(weir_text_format("", 0, tight, 1) == 0 && !*tight,
	   "an empty text takes one byte");
	ok(weir_text_format("", 0, tight, 0) == -1, "an empty text does not fit in 0 bytes");
}

/* The formatted text must identify the key: undo the formatting and compare with the key. */
static size_t undo(const char *from, char *to)
{
	size_t length = 0;

	while (*from) {
		char hex[3] = { 0 };

		if (from[0] == '\\' && from[1] == 'x' && from[2] && from[3] &&
		    strspn(from + 2, "0123456789abcdefABCDEF") >= 2) {
			memcpy(hex, from + 2, 2);
			to[length++] = (char)strtoul(hex, NULL, 16);
			from += 4;
		} else {
			to[length++] = *from++;
		}
	}
	return length;
}

static void test_text_inverse(void)
{
	static const char alphabet[] = "\\x1bA\x1b\xc3\xa4\xff z";
	char text[12], back[64];
	int trial, bad = 0;

	srand(1);
	for (trial = 0; trial < 200000; trial++) {
		size_t length = 1 + (size_t)rand() % sizeof(text), i;

		for (i = 0; i < length; i++)
			text[i] = alphabet[(size_t)rand() %
					   (sizeof(alphabet) - 1)];
		if (undo(show_text(text, length), back) != length ||
		    memcmp(back, text, length))
			bad++;
	}
	ok(!bad, "200000 texts have different printed forms");
}

static void test_ip(void)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr other = { .sa_family = AF_UNIX };
	struct weir_key key, same;

	ok(!weir_key_ip(&key, "192.0.2.7") && key.type == WEIR_KEY_IP &&
	   key.len == 4, "IPv4 is 4 bytes");
	ok(!strcmp(show(&key), "192.0.2.7"), "IPv4 is printed");
	inet_pton(AF_INET, "192.0.2.7", &in.sin_addr);
	ok(!weir_key_sockaddr(&same, (struct sockaddr *)&in, sizeof(in)) &&
	   same.len == 4 && !memcmp(same.bytes, key.bytes, 4),
	   "a sockaddr_in is the same key");
	ok(!weir_key_ip(&key, "2001:DB8:0:0::7") && key.len == 16,
	   "IPv6 is 16 bytes");
	ok(!strcmp(show(&key), "2001:db8::7"), "IPv6 is printed");
	inet_pton(AF_INET6, "2001:db8::7", &in6.sin6_addr);
	ok(!weir_key_sockaddr(&same, (struct sockaddr *)&in6, sizeof(in6)) &&
	   same.len == 16 && !memcmp(same.bytes, key.bytes, 16),
	   "a sockaddr_in6 is the same key");
	ok(weir_key_sockaddr(&same, &other, sizeof(other)) == -1 &&
	   errno == EAFNOSUPPORT, "another family is refused");
	ok(weir_key_sockaddr(&same, (struct sockaddr *)&in6, 16) == -1 &&
	   errno == EINVAL, "half a sockaddr_in6 is refused");
	ok(weir_key_ip(&key, "192.0.2") == -1 && errno == EINVAL,
	   "192.0.2 is not an address");
	ok(weir_key_ip(&key, "192.0.2.7 ") == -1, "an address with a blank is refused");
	ok(weir_key_ip(&key, "0300.0.2.7") == -1, "an octal address is refused");
	ok(weir_key_ip(&key, "192.0.2.0/24") == -1, "a network is refused");
	ok(weir_key_ip(&key, "fe80::1%") == -1, "an empty zone is refused");
	ok(weir_key_ip(&key, "192.0.2.7%lo") == -1, "a zone with IPv4 is refused");
	ok(weir_key_ip(&key, "1111:2222:3333:4444:5555:6666:123.123.123.1234%lo") == -1,
	   "an address that is too long with a zone is refused");
	ok(!weir_key_ip(&key, "fe80::1%lo") && key.len == 16 &&
	   key.bytes[0] == 0xfe && key.bytes[15] == 1, "a zone is not part of the key");
	ok(weir_key_ip(&key, "localhost") == -1, "a host name is refused");
	ok(weir_key_ip(&key, "") == -1, "an empty text is refused");
}

static void test_others(void)
{
	struct weir_key key;

	weir_key_u64(&key, UINT64_MAX);
	ok(key.type == WEIR_KEY_U64 && key.len == 8, "u64 is 8 bytes");
	ok(!strcmp(show(&key), "18446744073709551615"), "u64 is printed");
	weir_key_none(&key);
	ok(key.len == 0 && !strcmp(show(&key), ""), "a key of type none is printed as nothing");
	ok(!weir_key_parse(&key, WEIR_KEY_NONE, ""), "an empty text is a key of type none");
	ok(weir_key_parse(&key, WEIR_KEY_NONE, "a") == -1,
	   "another text is not a key of type none");
	ok(!weir_key_parse(&key, WEIR_KEY_U64, "42") && key.len == 8,
	   "u64 is parsed");
	ok(weir_key_parse(&key, WEIR_KEY_U64, "18446744073709551616") == -1 &&
	   errno == ERANGE, "a number beyond 2^64-1 is refused");
	ok(weir_key_parse(&key, WEIR_KEY_TEXT, "") == -1 && errno == EINVAL,
	   "an empty text key is refused");
	ok(!weir_key_parse(&key, WEIR_KEY_TEXT, "-1") && key.len == 2,
	   "text is parsed");
	ok(weir_key_parse(&key, (enum weir_key_type)9, "a") == -1 &&
	   errno == EINVAL, "an unknown type is refused");
}

int main(void)
{
	test_text();
	test_text_room();
	test_text_inverse();
	test_ip();
	test_others();
	return tap_done();
}
