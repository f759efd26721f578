/*
 * The script for zsh.
 */
#include "cmd/complete.h"

#include <stdio.h>

#include "cmd/table.h"

static const char zsh_begin[] =
    "#compdef deploy\n"
    "# zsh completion for deploy(1), made by 'deploy completion zsh'.\n"
    "\n"
    "# Complete $1 (releases, previews, sites, hosts) of what the line names.\n"
    "_deploy_ask()\n"
    "{\n"
    "	local -a args found\n"
    "	local i word about\n"
    "\n"
    "	for ((i = 2; i < _deploy_at; i++)); do\n"
    "		word=${(Q)_deploy_line[i]}\n"
    "		case $word in\n"
    "		(-c|--config|-s|--site|--root)\n"
    "			((++i < _deploy_at)) || break\n"
    "			about=${(Q)_deploy_line[i]}\n"
    "			args+=($word \"${about/#\\~\\//$HOME/}\")\n"
    "			;;\n"
    "		(--config=*|--site=*|--root=*)\n"
    "			args+=(${word%%=*} \"${${word#*=}/#\\~\\//$HOME/}\")\n"
    "			;;\n"
    "		(-c*|-s*)\n"
    "			args+=($word)\n"
    "			;;\n"
    "		esac\n"
    "	done\n"
    "	while IFS=$'\\t' read -r word about; do\n"
    "		found+=(\"${word//:/\\\\:}:$about\")\n"
    "	done < <(${(Q)~_deploy_line[1]} completion $1 $args 2>/dev/null)\n"
    "	_describe -V -t $1 ${1%s} found\n"
    "}\n"
    "\n"
    "_deploy_releases_or_files()\n"
    "{\n"
    "	local ret=1\n"
    "\n"
    "	_deploy_ask releases && ret=0\n"
    "	_files && ret=0\n"
    "	return ret\n"
    "}\n"
    "\n";

static const char zsh_middle[] =
    "	_arguments -C -s -S $common \\\n"
    "	    '(- *)'{-V,--version}'[show the version]' \\\n"
    "	    '(-):command: _deploy_commands' \\\n"
    "	    '(-)*::argument:->argument' && ret=0\n"
    "	[[ $state = argument ]] || return ret\n"
    "	case $line[1] in\n";

static const char zsh_end[] =
    "	esac\n"
    "	return ret\n"
    "}\n"
    "\n"
    "# Autoloaded, this file is the function; sourced, it defines it.\n"
    "if [[ $funcstack[1] = _deploy ]]; then\n"
    "	_deploy \"$@\"\n"
    "else\n"
    "	compdef _deploy deploy\n"
    "fi\n";

/* An option as _arguments wants it: '(-n --dry-run)'{-n,--dry-run}'[...]'. */
static void
print_zsh_option(const struct opt *op)
{
	bool many =
	    op->kind == OPT_KIND_TEXTS || op->kind == OPT_KIND_PATTERNS;
	const char *value = op->arg != NULL ? "=" : "";

	if (op->letter != '\0')
		printf("'(-%c --%s)'{-%c%s,--%s%s}'", op->letter, op->name,
		    op->letter, op->arg != NULL ? "+" : "", op->name, value);
	else
		printf("'%s--%s%s", many ? "*" : "", op->name, value);
	printf("[");
	complete_quote(op->help, "[]:\\");
	printf("]");
	if (op->arg != NULL)
		printf(":%s:%s", op->arg, complete_find(op->arg)->zsh);
	printf("'");
}

static void
print_zsh_command(const struct cmd *cmd)
{
	size_t len;
	const char *word = complete_first_word(cmd->args, &len);

	printf("\t(");
	complete_names(cmd, "|");
	printf(")\n\t\t_arguments -s -S $common");
	for (const enum opt_id *id = cmd->opts; *id != OPT_END; id++) {
		printf(" \\\n\t\t    ");
		print_zsh_option(opt_find(*id));
	}
	for (unsigned int i = 1; i <= cmd->max_args; i++)
		printf(" \\\n\t\t    '%u:%.*s:%s'", i, (int)len, word,
		    complete_operand(cmd, i - 1)->zsh);
	printf(" && ret=0\n\t\t;;\n");
}

void
complete_zsh(void)
{
	fputs(zsh_begin, stdout);
	printf("_deploy_commands()\n{\n\tlocal -a commands=(\n");
	for (const struct cmd *const *c = cmd_table; *c != NULL; c++) {
		printf("\t\t'%s:", (*c)->name);
		complete_quote((*c)->summary, "");
		printf("'\n");
	}
	printf(
	    "\t)\n\n\t_describe -t commands command commands\n}\n\n"
	    "_deploy()\n{\n\tlocal curcontext=$curcontext state line ret=1\n"
	    "\tlocal _deploy_at=$CURRENT\n"
	    "\tlocal -a _deploy_line=(\"${words[@]}\")\n"
	    "\ttypeset -A opt_args\n"
	    "\tlocal -a common=(\n");
	for (const enum opt_id *id = cmd_common_opts; *id != OPT_END; id++) {
		printf("\t\t");
		print_zsh_option(opt_find(*id));
		printf("\n");
	}
	printf("\t)\n\n");
	fputs(zsh_middle, stdout);
	for (const struct cmd *const *c = cmd_table; *c != NULL; c++)
		print_zsh_command(*c);
	fputs(zsh_end, stdout);
}
