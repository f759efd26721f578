/*
 * The script for bash.
 */
#include "cmd/complete.h"

#include <stdio.h>

#include "cmd/table.h"

/*
 * In the script `words` is the line up to the cursor, without what readline
 * makes of = : and @, and `cur` its last word.  What is asked for is not given
 * to compgen -W, which would expand it.
 */
static const char bash_begin[] =
    "# bash completion for deploy(1), made by 'deploy completion bash'.\n"
    "\n"
    "# The word $1 as the shell would pass it, nearly.\n"
    "_deploy_plain()\n"
    "{\n"
    "	local word=${1//[\\\"\\'\\\\]/}\n"
    "\n"
    "	printf '%s' \"${word/#\\~\\//$HOME/}\"\n"
    "}\n"
    "\n"
    "# Quote $word as the line has it so far, so that it is a word and no more.\n"
    "_deploy_quote()\n"
    "{\n"
    "	case $cur in\n"
    "	\\\"*) word=${word//[\\\"\\$\\`\\\\]/\\\\&} ;;\n"
    "	\\'*) word=${word//\\'/\\'\\\\\\'\\'} ;;\n"
    "	*) printf -v word %q \"$word\" ;;\n"
    "	esac\n"
    "}\n"
    "\n"
    "# Add the words of kind $1 (releases, previews, sites, hosts) of what the line names.\n"
    "_deploy_ask()\n"
    "{\n"
    "	local i word args=() plain=''\n"
    "\n"
    "	plain=$(_deploy_plain \"$cur\")\n"
    "	for ((i = 1; i < ${#words[@]} - 2; i++)); do\n"
    "		case ${words[i]} in\n"
    "		-c | --config | -s | --site | --root)\n"
    "			args+=(\"${words[i]}\" \\\n"
    "			    \"$(_deploy_plain \"${words[i + 1]}\")\")\n"
    "			((i++))\n"
    "			;;\n"
    "		-c* | -s*)\n"
    "			args+=(\"$(_deploy_plain \"${words[i]}\")\")\n"
    "			;;\n"
    "		esac\n"
    "	done\n"
    "	while IFS=$'\\t' read -r word _; do\n"
    "		[[ $word = \"$plain\"* ]] || continue\n"
    "		_deploy_quote\n"
    "		COMPREPLY+=(\"$word\")\n"
    "	done < <(\"$program\" completion \"$1\" \"${args[@]}\" 2>/dev/null)\n"
    "}\n"
    "\n"
    "# Complete a word of kind $1.\n"
    "_deploy_reply()\n"
    "{\n"
    "	case $1 in\n"
    "	files)\n"
    "		compopt -o filenames 2>/dev/null\n"
    "		mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "		;;\n"
    "	directories)\n"
    "		compopt -o filenames 2>/dev/null\n"
    "		mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
    "		;;\n"
    "	releases | previews | sites | hosts)\n"
    "		_deploy_ask \"$1\"\n"
    "		;;\n"
    "	releases-or-files)\n"
    "		_deploy_reply files\n"
    "		_deploy_ask releases\n"
    "		;;\n"
    "	several)\n"
    "		local given=${cur%\"${cur##*,}\"} word\n"
    "		for word in $2; do\n"
    "			[[ ,$given == *,$word,* || $word != \"${cur##*,}\"* ]] ||\n"
    "			    COMPREPLY+=(\"$given$word\")\n"
    "		done\n"
    "		;;\n"
    "	words)\n"
    "		mapfile -t COMPREPLY < <(compgen -W \"$2\" -- \"$cur\")\n"
    "		;;\n"
    "	esac\n"
    "}\n";

static const char bash_end[] =
    "\n"
    "# Sets words and cur: the line up to the cursor.  readline has cut it at = : and\n"
    "# @, too; only \"--option=value\" becomes two words.\n"
    "_deploy_words()\n"
    "{\n"
    "	local line=${COMP_LINE:0:COMP_POINT} all=() i word ended=''\n"
    "\n"
    "	for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "		word=${COMP_WORDS[i]}\n"
    "		if ((i == 0)); then\n"
    "			line=${line#*\"$word\"}\n"
    "			all=(\"$word\")\n"
    "			continue\n"
    "		fi\n"
    "		if [[ $line == [[:blank:]]* ]]; then\n"
    "			line=${line#\"${line%%[![:blank:]]*}\"}\n"
    "			all+=('')\n"
    "		fi\n"
    "		((i < COMP_CWORD)) || word=$line\n"
    "		all[${#all[@]} - 1]+=$word\n"
    "		line=${line#\"$word\"}\n"
    "	done\n"
    "	for word in \"${all[@]}\"; do\n"
    "		[[ $word != -- ]] || ended=1\n"
    "		if [[ -z $ended && $word == --*=* ]]; then\n"
    "			words+=(\"${word%%=*}\" \"${word#*=}\")\n"
    "		else\n"
    "			words+=(\"$word\")\n"
    "		fi\n"
    "	done\n"
    "	cur=${words[${#words[@]} - 1]}\n"
    "}\n"
    "\n"
    "# Sets COMPREPLY to what may stand in the place of cur; $1 is the program.\n"
    "_deploy_offer()\n"
    "{\n"
    "	local program n=${#words[@]} command='' operands=0 ended='' i\n"
    "	local options kind list='' most=0\n"
    "\n"
    "	program=$(_deploy_plain \"$1\")\n"
    "	for ((i = 1; i < n - 1; i++)); do\n"
    "		if [[ -z $ended && ${words[i]} == -- ]]; then\n"
    "			ended=1\n"
    "		elif [[ -z $ended && ${words[i]} == -?* ]]; then\n"
    "			_deploy_value \"${words[i]}\" && ((++i))\n"
    "		elif [[ -z $command ]]; then\n"
    "			command=${words[i]}\n"
    "			ended=''\n"
    "		else\n"
    "			((++operands))\n"
    "		fi\n"
    "	done\n"
    "	if ((i == n)); then\n"
    "		_deploy_value \"${words[n - 2]}\"\n"
    "		_deploy_reply \"$kind\" \"$list\"\n"
    "		return\n"
    "	fi\n"
    "	_deploy_command \"$command\"\n"
    "	if [[ -z $ended && $cur == -* ]]; then\n"
    "		_deploy_reply words \"$options\"\n"
    "	elif ((operands < most)); then\n"
    "		_deploy_reply \"$kind\" \"$list\"\n"
    "	fi\n"
    "}\n"
    "\n"
    "# Does the whole line up to the cursor: what readline replaces is only the end\n"
    "# of the last word, $2.\n"
    "_deploy()\n"
    "{\n"
    "	local words=() cur keep i\n"
    "\n"
    "	_deploy_words\n"
    "	COMPREPLY=()\n"
    "	_deploy_offer \"$1\"\n"
    "	keep=${cur%\"$2\"}\n"
    "	for i in \"${!COMPREPLY[@]}\"; do\n"
    "		COMPREPLY[i]=${COMPREPLY[i]#\"$keep\"}\n"
    "	done\n"
    "}\n"
    "\n"
    "complete -o nosort -F _deploy deploy 2>/dev/null ||\n"
    "    complete -F _deploy deploy\n";

/* Print "-c | --config", as a pattern of case. */
static void
print_pattern(const struct opt *op)
{
	if (op->letter != '\0')
		printf("-%c | ", op->letter);
	printf("--%s", op->name);
}

/* A function that knows which options have a value, and of what kind. */
static void
print_bash_values(void)
{
	printf("\n# Has the option $1 a value?  Sets kind and list.\n"
	       "_deploy_value()\n{\n\tcase $1 in\n");
	for (int id = OPT_END + 1; id < OPT_COUNT; id++) {
		const struct opt *op = opt_find((enum opt_id)id);
		const struct complete_kind *kind;

		if (op->arg == NULL)
			continue;
		printf("\t");
		print_pattern(op);
		kind = complete_find(op->arg);
		printf(") kind=%s", kind->bash);
		if (kind->words != NULL)
			printf(" list='%s'", kind->words);
		printf(" ;;\n");
	}
	printf("\t*) return 1 ;;\n\tesac\n}\n");
}

/* Options, as words for the script's variable. */
static void
print_bash_options(const enum opt_id *list)
{
	for (const enum opt_id *id = list; *id != OPT_END; id++)
		printf("%s--%s", id == list ? "" : " ", opt_find(*id)->name);
}

/* Operands that are of another kind than the first. */
static void
print_bash_others(const struct cmd *cmd)
{
	const struct complete_kind *first = complete_operand(cmd, 0), *kind;

	for (unsigned int i = 1; i < cmd->max_args; i++) {
		kind = complete_operand(cmd, i);
		if (kind != first)
			printf("\t\t((operands != %u)) || kind=%s\n", i,
			    kind->bash);
	}
}

static void
print_bash_command(const struct cmd *cmd)
{
	const struct complete_kind *kind = complete_find(cmd->args);

	printf("\t");
	complete_names(cmd, " | ");
	printf(")\n");
	if (*cmd->opts != OPT_END) {
		printf("\t\toptions+=' ");
		print_bash_options(cmd->opts);
		printf("'\n");
	}
	if (cmd->max_args > 0)
		printf("\t\tkind=%s most=%u\n", kind->bash, cmd->max_args);
	print_bash_others(cmd);
	if (kind->words != NULL)
		printf("\t\tlist='%s'\n", kind->words);
	if (complete_is_command(kind)) {
		printf("\t\tlist='");
		complete_commands();
		printf("'\n");
	}
	printf("\t\t;;\n");
}

void
complete_bash(void)
{
	fputs(bash_begin, stdout);
	print_bash_values();
	printf(
	    "\n# What the command $1 takes.  Sets options, kind, list, most.\n_deploy_command()\n{\n\toptions='");
	print_bash_options(cmd_common_opts);
	printf("'\n\tcase $1 in\n\t'')\n\t\toptions+=' --version'\n"
	       "\t\tkind=words most=1\n\t\tlist='");
	complete_commands();
	printf("'\n\t\t;;\n");
	for (const struct cmd *const *c = cmd_table; *c != NULL; c++)
		print_bash_command(*c);
	printf("\tesac\n}\n");
	fputs(bash_end, stdout);
}
