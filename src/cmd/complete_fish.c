/*
 * The script for fish.
 */
#include "cmd/complete.h"

#include <stdio.h>

#include "cmd/table.h"

static const char fish_begin[] =
    "\n"
    "# The command on the line and its operands so far.\n"
    "function __deploy_operands\n"
    "    set -l words (commandline -opc)\n"
    "    set -l command\n"
    "    set -e words[1]\n"
    "    while set -q words[1]\n"
    "        switch $words[1]\n"
    "            case --\n"
    "                # Before the command it ends nothing of the command's.\n"
    "                if test -n \"$command\"\n"
    "                    set -e words[1]\n"
    "                    set -q words[1]; and printf '%s\\n' $words\n"
    "                    return\n"
    "                end\n"
    "            case $__deploy_valued\n"
    "                set -e words[1]\n"
    "            case -\n"
    "                printf '-\\n'\n"
    "            case '-*'\n"
    "            case '*'\n"
    "                set command $words[1]\n"
    "                printf '%s\\n' $words[1]\n"
    "        end\n"
    "        set -e words[1]\n"
    "    end\n"
    "end\n"
    "\n"
    "function __deploy_before_command\n"
    "    not count (__deploy_operands) >/dev/null\n"
    "end\n"
    "\n"
    "# Is the command one of $argv?\n"
    "function __deploy_in\n"
    "    set -l operands (__deploy_operands)\n"
    "    contains -- \"$operands[1]\" $argv\n"
    "end\n"
    "\n"
    "# Is it one of $argv[2..], and the operand $argv[1] next?\n"
    "function __deploy_operand_of\n"
    "    set -l operands (__deploy_operands)\n"
    "    contains -- \"$operands[1]\" $argv[2..-1]\n"
    "    and test (count $operands) -eq $argv[1]\n"
    "end\n"
    "\n"
    "# The releases, previews, sites or hosts ($argv) of what the line names.\n"
    "function __deploy_ask\n"
    "    set -l words (string replace -r '^(--[a-z]+=)?~/' \"\\$1$HOME/\" -- (commandline -opc))\n"
    "    set -l program $words[1]\n"
    "    set -l site\n"
    "    set -e words[1]\n"
    "    while set -q words[1]\n"
    "        switch $words[1]\n"
    "            case -c --config -s --site --root\n"
    "                set -q words[2]; and set -a site $words[1..2]\n"
    "                set -e words[1]\n"
    "            case '-c*' '-s*' '--config=*' '--site=*' '--root=*'\n"
    "                set -a site $words[1]\n"
    "        end\n"
    "        set -e words[1]\n"
    "    end\n"
    "    command $program completion $argv $site 2>/dev/null\n"
    "end\n"
    "\n"
    "# Those of $argv that may follow the list so far.\n"
    "function __deploy_list\n"
    "    set -l given (string replace -r '^--[a-z]+=' '' -- (commandline -ct))\n"
    "    set given (string replace -r '[^,]*$' '' -- $given)\n"
    "    for word in $argv\n"
    "        string match -q -- \"*,$word,*\" \",$given\"; or printf '%s\\n' $given$word\n"
    "    end\n"
    "end\n"
    "\n"
    "complete -c deploy -e\n"
    "complete -c deploy -f\n";

/* An option of `cmd`; with NULL, of all. */
static void
print_fish_option(const struct cmd *cmd, const struct opt *op)
{
	printf("complete -c deploy");
	if (cmd != NULL) {
		printf(" -n '__deploy_in ");
		complete_names(cmd, " ");
		printf("'");
	}
	if (op->letter != '\0')
		printf(" -s %c", op->letter);
	printf(" -l %s", op->name);
	if (op->arg != NULL)
		printf(" -r%s", complete_find(op->arg)->fish);
	printf(" -d '");
	complete_quote(op->help, "'\\");
	printf("'\n");
}

/* All commands, as words where `condition` holds. */
static void
print_fish_commands(const char *condition)
{
	for (const struct cmd *const *c = cmd_table; *c != NULL; c++) {
		printf("complete -c deploy -n '%s' -a %s -d '", condition,
		    (*c)->name);
		complete_quote((*c)->summary, "'\\");
		printf("'\n");
	}
}

static void
print_fish_operands(const struct cmd *cmd)
{
	char condition[64];

	if (complete_is_command(complete_find(cmd->args))) {
		snprintf(condition, sizeof(condition),
		    "__deploy_operand_of %u %s", cmd->max_args, cmd->name);
		print_fish_commands(condition);
		return;
	}
	for (unsigned int i = 1; i <= cmd->max_args; i++) {
		printf("complete -c deploy -n '__deploy_operand_of %u ", i);
		complete_names(cmd, " ");
		printf("'%s\n", complete_operand(cmd, i - 1)->fish);
	}
}

void
complete_fish(void)
{
	printf(
	    "# fish completion for deploy(1), made by 'deploy completion fish'.\n\nset -g __deploy_valued");
	for (int id = OPT_END + 1; id < OPT_COUNT; id++) {
		const struct opt *op = opt_find((enum opt_id)id);

		if (op->arg != NULL && op->letter != '\0')
			printf(" -%c", op->letter);
		if (op->arg != NULL)
			printf(" --%s", op->name);
	}
	printf("\n");
	fputs(fish_begin, stdout);
	for (const enum opt_id *id = cmd_common_opts; *id != OPT_END; id++)
		print_fish_option(NULL, opt_find(*id));
	printf(
	    "complete -c deploy -n __deploy_before_command -s V -l version -d 'show the version'\n");
	print_fish_commands("__deploy_before_command");
	for (const struct cmd *const *c = cmd_table; *c != NULL; c++) {
		for (const enum opt_id *id = (*c)->opts; *id != OPT_END; id++)
			print_fish_option(*c, opt_find(*id));
		print_fish_operands(*c);
	}
}
