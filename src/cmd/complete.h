/*
 * What the scripts of all shells are made of: one module for each shell, and
 * what they have in common.
 */
#ifndef CMD_COMPLETE_H
#define CMD_COMPLETE_H

#include <stdbool.h>
#include <stddef.h>

#include "cmd/cmd.h"

/* How each shell completes an operand, or the value of an option. */
struct complete_kind {
	const char *placeholder;	/* its first word in help */
	const char *words;		/* what it may be; NULL: they change */
	const char *bash;		/* for _deploy_reply */
	const char *fish;		/* options of complete */
	const char *zsh;		/* an action of _arguments */
};

/* The kind that a placeholder of the help means. */
const struct complete_kind *complete_find(const char *placeholder);

/* The kind of the operand `i` of a command, from 0 on. */
const struct complete_kind *complete_operand(const struct cmd *cmd,
    unsigned int i);

/* Are these the names of our commands? */
bool complete_is_command(const struct complete_kind *kind);

/* The first word of a placeholder, such as A of "[A [B]]". */
const char *complete_first_word(const char *placeholder, size_t *len);

/* Print `s` for inside '...', with a backslash before each of `special`. */
void complete_quote(const char *s, const char *special);

/* Print "NAME" or "NAME<separator>ALIAS". */
void complete_names(const struct cmd *cmd, const char *separator);

/* Print the names of all commands, with spaces between. */
void complete_commands(void);

/* Print the whole script. */
void complete_bash(void);
void complete_zsh(void);
void complete_fish(void);

#endif
