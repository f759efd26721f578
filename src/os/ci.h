/*
 * What CI systems read: groups of log lines, annotations, outputs of a step
 * and its summary.  Elsewhere every function does nothing.
 *
 * GitHub Actions, and Gitea and Forgejo as far as they follow it: "Workflow
 * commands for GitHub Actions" (::group::, ::error::, GITHUB_OUTPUT,
 * GITHUB_STEP_SUMMARY).  GitLab: "Job logs" (section_start).
 */
#ifndef CI_H
#define CI_H

#include <stdbool.h>

/* Begin a group of log lines, called `title`; end it. */
void ci_group(const char *title);
void ci_group_end(void);

/*
 * An annotation on the run: `error` or `warning`.  Returns false where there
 * is no such thing: the message has to be told as ever.
 */
bool ci_annotate(const char *kind, const char *text);

/* An output of the step, for later ones; both without newlines. */
void ci_output(const char *key, const char *value);

/* Append Markdown to the summary of the step. */
void ci_summary(const char *text);

#endif
