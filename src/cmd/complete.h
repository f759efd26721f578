/*
 * What the scripts of all shells are made of: one module for each shell, and
 * what they have in common.
 */
#ifndef CMD_COMPLETE_H
#define CMD_COMPLETE_H

#include <stddef.h>

#include "cmd/cmd.h"

/* What may stand for an operand or for the value of an option. */
enum complete_kind {
	KIND_NOTHING,
	KIND_FILES,
	KIND_DIRECTORIES,
	KIND_SITES,
	KIND_HOSTS,
	KIND_RELEASES,
	KIND_RELEASES_OR_FILES,
	KIND_COMMANDS,
	KIND_SHELLS,
	KIND_ACTIONS,
	KIND_GUARDS		/* several, with commas between them */
};

/* What the first operand of jobs may be. */
#define COMPLETE_ACTIONS "list log priority remove retry show stop"

/* What --override knows. */
#define COMPLETE_GUARDS "build freeze order"

/* The kind that a placeholder of the help means. */
enum complete_kind complete_kind(const char *placeholder);

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
