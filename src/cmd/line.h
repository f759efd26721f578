/* The command line, for the commands that messages name. */
#ifndef CMD_LINE_H
#define CMD_LINE_H

#include "cmd/cmd.h"

/*
 * Remember how the command was called: argv[-before] to argv[-1] are the
 * options before its name, argv[0].
 */
void line_remember(struct run *run, int before, int argc, char *const *argv);

#endif
