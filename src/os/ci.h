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

#include "base/err.h"

/* Begin a group of log lines, called `title`; end it. */
void ci_group(const char *title);
void ci_group_end(void);

/*
 * An annotation on the run: `error` or `warning`.  Returns false where there
 * is no such thing: the message has to be told as ever.
 */
bool ci_annotate(const char *kind, const char *text);

/* Outputs of the step, for later ones: lines "key=value".  0 or -1. */
int ci_output(const char *lines, struct err *e) MUST_USE;

/* Append Markdown to the summary of the step.  0 or -1. */
int ci_summary(const char *text, struct err *e) MUST_USE;

#endif
