#include "base/nearest.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { WORD_LEN_MAX = 255 }; /* longer words are near to nothing */

/* Letters that people mix up without mistyping: case, and '-' for '_'. */
static unsigned char
folded(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned char)(c - 'A' + 'a');
	return (unsigned char)(c == '-' ? '_' : c);
}

/* The smaller of two numbers. */
static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * How many letters to change, insert, remove or swap with their neighbour
 * make `a` into `b`; neither is longer than WORD_LEN_MAX.
 */
static size_t
distance(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t rows[3][WORD_LEN_MAX + 1];

	for (size_t i = 0; i <= alen; i++) {
		size_t *row = rows[i % 3];
		const size_t *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		for (size_t j = 0; j <= blen; j++) {
			bool same;

			if (i == 0 || j == 0) {
				row[j] = i + j;
				continue;
			}
			same = folded(a[i - 1]) == folded(b[j - 1]);
			row[j] = smaller(up[j - 1] + !same,
			    smaller(up[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 &&
			    folded(a[i - 1]) == folded(b[j - 2]) &&
			    folded(a[i - 2]) == folded(b[j - 1]))
				row[j] = smaller(row[j], up2[j - 2] + 1);
		}
	}
	return rows[alen % 3][blen];
}

const char *
nearest_word(const char *word, const char *const *names)
{
	size_t len = strlen(word), best = len / 3 + 1;
	const char *nearest = NULL;

	if (len > WORD_LEN_MAX)
		return NULL;
	for (; *names != NULL; names++) {
		size_t nlen = strlen(*names), d;

		if (nlen > WORD_LEN_MAX)
			continue;
		d = distance(word, len, *names, nlen);
		if (d < best) {
			best = d;
			nearest = *names;
		}
	}
	return nearest;
}
