#include "cmd/complete.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cmd/table.h"

const char *
complete_first_word(const char *placeholder, size_t *len)
{
	const char *word = placeholder + (*placeholder == '[');

	*len = 0;
	while (isupper((unsigned char)word[*len]))
		++*len;
	return word;
}

enum complete_kind
complete_kind(const char *placeholder)
{
	static const struct {
		const char *word;
		enum complete_kind kind;
	} known[] = {
		{ "FILE", KIND_FILES },
		{ "SOURCE", KIND_FILES },
		{ "DIR", KIND_DIRECTORIES },
		{ "SITE", KIND_SITES },
		{ "HOST", KIND_HOSTS },
		{ "RELEASE", KIND_RELEASES },
		{ "A", KIND_RELEASES_OR_FILES },
		{ "COMMAND", KIND_COMMANDS },
		{ "SHELL", KIND_SHELLS },
		{ "PATH", KIND_FILES },
		{ "ACTION", KIND_ACTIONS },
		{ "GUARDS", KIND_GUARDS },
	};
	size_t len;
	const char *word = complete_first_word(placeholder, &len);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].word) == len &&
		    strncmp(known[i].word, word, len) == 0)
			return known[i].kind;
	return KIND_NOTHING;
}

void
complete_quote(const char *s, const char *special)
{
	for (; *s != '\0'; s++) {
		if (strchr(special, *s) != NULL)
			putchar('\\');
		if (*s == '\'' && strchr(special, *s) == NULL)
			fputs("'\\''", stdout);
		else
			putchar(*s);
	}
}

void
complete_names(const struct cmd *cmd, const char *separator)
{
	printf("%s%s%s", cmd->name, cmd->alias != NULL ? separator : "",
	    cmd->alias != NULL ? cmd->alias : "");
}

void
complete_commands(void)
{
	for (const struct cmd *const *c = cmd_table; *c != NULL; c++)
		printf("%s%s", c == cmd_table ? "" : " ", (*c)->name);
}
