// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Making untrusted text safe to print.
 *
 * A key may be the text that an attacker entered as a user name. Printed unchanged, it could move
 * the cursor, recolour the screen or look like another key. Bytes that would not be displayed as
 * themselves are therefore written as \xHH.
 */

#include <errno.h>
#include <string.h>

#include "internal.h"

/* Characters that are valid but invisible, or change the direction of the text around them. */
static const struct {
	uint32_t first, last;
} unseen[] = {
	{ 0x0000, 0x001f },	/* C0 controls */
	{ 0x007f, 0x009f },	/* DEL, C1 controls */
	{ 0x00ad, 0x00ad },	/* soft hyphen */
	{ 0x034f, 0x034f },	/* grapheme joiner */
	{ 0x061c, 0x061c },	/* Arabic letter mark */
	{ 0x115f, 0x1160 },	/* Hangul fillers */
	{ 0x17b4, 0x17b5 },	/* Khmer inherent vowels */
	{ 0x180b, 0x180f },	/* Mongolian selectors */
	{ 0x200b, 0x200f },	/* zero width, direction marks */
	{ 0x2028, 0x202e },	/* separators, direction */
	{ 0x2060, 0x206f },	/* word joiner, direction, and the like */
	{ 0x3164, 0x3164 },	/* Hangul filler */
	{ 0xfe00, 0xfe0f },	/* variation selectors */
	{ 0xfeff, 0xfeff },	/* byte order mark */
	{ 0xffa0, 0xffa0 },	/* Hangul filler */
	{ 0xfff0, 0xfffb },	/* specials */
	{ 0xfffe, 0xffff },	/* no characters */
	{ 0x1d173, 0x1d17a },	/* musical controls */
	{ 0xe0000, 0x10ffff },	/* tags, private planes */
};

static int is_unseen(uint32_t character)
{
	size_t i;

	for (i = 0; i < sizeof(unseen) / sizeof(unseen[0]); i++)
		if (character >= unseen[i].first && character <= unseen[i].last)
			return 1;
	return 0;
}

/* Length of the UTF-8 character at @text, 0 if there is none (RFC 3629). */
static size_t utf8_decode(const unsigned char *text, size_t length,
			  uint32_t *character)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = text[0];
	size_t size, i;

	if (first < 0x80) {
		*character = first;
		return 1;
	}
	if (first >= 0xc2 && first <= 0xdf)
		size = 2;
	else if ((first & 0xf0) == 0xe0)
		size = 3;
	else if (first >= 0xf0 && first <= 0xf4)
		size = 4;
	else
		return 0;
	if (size > length)
		return 0;
	*character = first & (0xff >> (size + 1));
	for (i = 1; i < size; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*character = *character << 6 | (text[i] & 0x3f);
	}
	if (*character < least[size] || *character > 0x10ffff ||
	    (*character >= 0xd800 && *character <= 0xdfff))
		return 0;
	return size;
}

static int is_hex(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	       (c >= 'A' && c <= 'F');
}

/*
 * A backslash is printed unchanged (DOMAIN\user is a common key), unless it would look like an
 * escape.
 */
static int looks_escaped(const unsigned char *text, size_t length)
{
	return length >= 4 && text[0] == '\\' && text[1] == 'x' &&
	       is_hex(text[2]) && is_hex(text[3]);
}

WEIR_API int weir_text_format(const void *text, size_t length, char *buffer,
			      size_t size)
{
	static const char hex[] = "0123456789abcdef";
	const unsigned char *from = text;
	const unsigned char *end = from + length;
	size_t used = 0;

	while (from < end) {
		size_t left = (size_t)(end - from);
		uint32_t character;
		size_t bytes = utf8_decode(from, left, &character);
		int plain = bytes && !is_unseen(character) &&
			    !looks_escaped(from, left);

		if (!bytes)
			bytes = 1;
		if (used + (plain ? bytes : 4 * bytes) >= size)
			goto full;
		for (; bytes; bytes--, from++) {
			if (plain) {
				buffer[used++] = (char)*from;
				continue;
			}
			buffer[used++] = '\\';
			buffer[used++] = 'x';
			buffer[used++] = hex[*from >> 4];
			buffer[used++] = hex[*from & 15];
		}
	}
	if (used >= size)
		goto full;
	buffer[used] = '\0';
	return (int)used;
full:
	errno = EMSGSIZE;
	return -1;
}
