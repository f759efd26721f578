#include "cmd/complete.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cmd/table.h"

#define GUARDS "build freeze order"

#define FILES(placeholder) \
	{ \
		placeholder, NULL, "files", " -F", "_files" \
	}
/* Words that the site, or the program for us, has to be asked for. */
#define ASKED(placeholder, what, order) \
	{ \
		placeholder, NULL, what, \
		    " -f" order " -a '(__deploy_ask " what ")'", \
		    " _deploy_ask " what \
	}
#define EITHER(placeholder) \
	{ \
		placeholder, NULL, "releases-or-files", \
		    " -F -k -a '(__deploy_ask releases)'", \
		    " _deploy_releases_or_files" \
	}
#define WORDS(placeholder, list) \
	{ \
		placeholder, list, "words", " -f -a '" list "'", "(" list ")" \
	}

static const struct complete_kind kinds[] = {
	FILES("FILE"),
	FILES("SOURCE"),
	FILES("PATH"),
	{ "DIR", NULL, "directories", " -f -a '(__fish_complete_directories)'",
	    "_files -/" },
	ASKED("SITE", "sites", ""),
	ASKED("HOST", "hosts", ""),
	ASKED("RELEASE", "releases", " -k"),
	ASKED("NAME", "previews", ""),
	EITHER("A"),
	EITHER("B"),
	/* Of jobs: a number, which nobody completes, or a site. */
	ASKED("JOB", "sites", ""),
	{ "COMMAND", NULL, "words", " -f", " _deploy_commands" },
	WORDS("SHELL", "bash fish zsh"),
	WORDS("SEQ", "auto"),
	/* The first operand of jobs. */
	WORDS("ACTION", "list log priority remove retry show stop workers"),
	/* Several of them, with commas between. */
	{ "GUARDS", GUARDS, "several", " -f -a '(__deploy_list " GUARDS ")'",
	    "_sequence compadd - " GUARDS },
	{ NULL, NULL, "nothing", " -f", " " },
};

const char *
complete_first_word(const char *placeholder, size_t *len)
{
	const char *word = placeholder + (*placeholder == '[');

	*len = 0;
	while (isupper((unsigned char)word[*len]))
		++*len;
	return word;
}

const struct complete_kind *
complete_find(const char *placeholder)
{
	size_t len, i = 0;
	const char *word = complete_first_word(placeholder, &len);

	while (kinds[i].placeholder != NULL &&
	    (strlen(kinds[i].placeholder) != len ||
		memcmp(kinds[i].placeholder, word, len) != 0))
		i++;
	return &kinds[i];
}

const struct complete_kind *
complete_operand(const struct cmd *cmd, unsigned int i)
{
	const char *word = cmd->args;

	while (i-- > 0) {
		word += strcspn(word, " ");
		word += strspn(word, " ");
	}
	return complete_find(word);
}

bool
complete_is_command(const struct complete_kind *kind)
{
	return kind->placeholder != NULL &&
	    strcmp(kind->placeholder, "COMMAND") == 0;
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
