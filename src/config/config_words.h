/*
 * What there is to say of each key of config_table.h besides its type: what it
 * is about, its kind, and what holds without it.  The defaults themselves are
 * in config.h; a test holds both against deploy.yml(5).
 */
#ifndef CONFIG_WORDS_H
#define CONFIG_WORDS_H

/* What a string is. */
enum config_kind {
	KIND_ANY,
	KIND_PATH,			/* of this machine */
	KIND_DURATION,
	KIND_PERCENT,
	KIND_SIZE,
	KIND_URL,			/* which may have a password in it */
};

struct config_words {
	const char *key;		/* such as "sites.check.tries" */
	enum config_kind kind;
	const char *otherwise;		/* its default, in words; NULL: nothing is
					 * done, or its mapping is needed */
	const char *about;
};

/* Of a key without indices, such as "sites.hosts.port"; never NULL. */
const struct config_words *config_words(const char *key);

#endif
