/* What people type who come from other tools.  Pure. */
#ifndef HABIT_H
#define HABIT_H

/* The command that has another name there, such as "rollback" for "undo"; or
 * NULL. */
const char *habit_command(const char *word);

/* The same for the actions of `deploy jobs`. */
const char *habit_job_action(const char *word);

/*
 * The same for the long options, without the dashes: the first of `allowed`
 * (NULL-terminated) that the word stands for elsewhere, or NULL.
 */
const char *habit_option(const char *word, const char *const *allowed);

#endif
