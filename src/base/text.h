/*
 * Text for people: what is safe to show on a terminal and has no password, and
 * sizes in words.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TEXT_COUNT_LEN = 64,
	TEXT_LINE_MAX = 5120,	/* bytes of a sentence or line, with the NUL:
				 * the longest path (4 KB) fits */
	TEXT_SIZE_LEN = 32,
};

/* A number of bytes as "512 B" or "1.4 MB" (of 1000 kB). */
void text_size(int64_t bytes, char out[TEXT_SIZE_LEN]);

/*
 * "1 file", "3 files": so many of what one is called so, and several so; in
 * memory of the block that the call stands in.
 */
#define TEXT_COUNT(n, one, many) \
	text_count((char[TEXT_COUNT_LEN]){ 0 }, (int64_t)(n), (one), (many))
const char *text_count(char out[TEXT_COUNT_LEN], int64_t n, const char *one,
    const char *many);

/* What goes with one of them, or with several. */
#define TEXT_PLURAL(n, one, many) ((n) == 1 ? (one) : (many))

/*
 * Copy `in` to out[0..size) so that it cannot disturb a terminal, a log or a
 * line: every byte of a control character (those of ASCII with tab and line
 * break, DEL, U+0080 to U+009F, of which terminals take U+009B for ESC [, and
 * the separators U+2028 and U+2029) and every byte that is no UTF-8, as a bare
 * 0x9b, becomes \xNN.  Of a URL, the password is "***", or the user of http(s)
 * who has none, a token.  What does not fit ends in "...".  Returns the length.
 */
size_t text_clean(char *out, size_t size, const char *in);

/* The same of a formatted text, up to TEXT_LINE_MAX; the caller frees it. */
char *text_cleanf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *text_vcleanf(const char *fmt, va_list ap)
    __attribute__((format(printf, 1, 0)));

#endif
