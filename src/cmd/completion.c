/*
 * Scripts that complete the command line, made from the table of commands
 * and the catalogue of options, so that they can never lack one.  Release
 * ids and sites change: for them the scripts ask this command again.
 */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "cmd/table.h"
#include "meta.h"

/* What may stand for an operand or for the value of an option. */
enum kind {
	NOTHING,
	FILES,
	DIRECTORIES,
	SITES,
	HOSTS,
	RELEASES,
	RELEASES_OR_FILES,
	COMMANDS,
	SHELLS,
	ACTIONS
};

/* What the first operand of jobs may be. */
#define ACTION_WORDS "list log priority remove retry show"

/* The first word of a placeholder of the help, such as "[A [B]]". */
static const char *
first_word(const char *placeholder, size_t *len)
{
	const char *word = placeholder + (*placeholder == '[');

	*len = 0;
	while (isupper((unsigned char)word[*len]))
		++*len;
	return word;
}

/* The kind that a placeholder means. */
static enum kind
kind_of(const char *placeholder)
{
	static const struct {
		const char *word;
		enum kind kind;
	} known[] = {
		{ "FILE", FILES },
		{ "SOURCE", FILES },
		{ "DIR", DIRECTORIES },
		{ "SITE", SITES },
		{ "HOST", HOSTS },
		{ "RELEASE", RELEASES },
		{ "A", RELEASES_OR_FILES },
		{ "COMMAND", COMMANDS },
		{ "SHELL", SHELLS },
		{ "PATH", FILES },
		{ "ACTION", ACTIONS },
	};
	size_t len;
	const char *word = first_word(placeholder, &len);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].word) == len &&
		    strncmp(known[i].word, word, len) == 0)
			return known[i].kind;
	return NOTHING;
}

/* Print `s` for inside '...', with a backslash before each of `special`. */
static void
print_quoted(const char *s, const char *special)
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

/* Print "-c | --config", as a pattern of case. */
static void
print_pattern(const struct opt *op)
{
	if (op->letter != '\0')
		printf("-%c | ", op->letter);
	printf("--%s", op->name);
}

/* Print "NAME" or "NAME<separator>ALIAS". */
static void
print_names(const struct cmd *cmd, const char *separator)
{
	printf("%s%s%s", cmd->name, cmd->alias != NULL ? separator : "",
	    cmd->alias != NULL ? cmd->alias : "");
}

static void
print_command_names(void)
{
	for (const struct cmd *const *c = cmd_table; *c != NULL; c++)
		printf("%s%s", c == cmd_table ? "" : " ", (*c)->name);
}

/* bash ------------------------------------------------------------------ */

/*
 * In the script `words` is the line up to the cursor and `cur` its last word.
 * What is asked for is not given to compgen -W, which would expand it.
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
    "# Add the words of kind $1 (releases, sites, hosts) of what the line names.\n"
    "_deploy_ask()\n"
    "{\n"
    "	local i word args=()\n"
    "\n"
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
    "		[[ $word = \"$cur\"* ]] || continue\n"
    "		printf -v word %q \"$word\"\n"
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
    "	releases | sites | hosts)\n"
    "		_deploy_ask \"$1\"\n"
    "		;;\n"
    "	releases-or-files)\n"
    "		_deploy_reply files\n"
    "		_deploy_ask releases\n"
    "		;;\n"
    "	words)\n"
    "		mapfile -t COMPREPLY < <(compgen -W \"$2\" -- \"$cur\")\n"
    "		;;\n"
    "	esac\n"
    "}\n";

static const char bash_end[] =
    "\n"
    "_deploy()\n"
    "{\n"
    "	local program words=() cur command='' operands=0 i n\n"
    "	local options kind list='' most=0\n"
    "\n"
    "	program=$(_deploy_plain \"$1\")\n"
    "	COMPREPLY=()\n"
    "	# \"--option=value\" comes as three words; make it two.\n"
    "	for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "		if [[ ${COMP_WORDS[i]} != '=' ]]; then\n"
    "			words+=(\"${COMP_WORDS[i]}\")\n"
    "		elif ((i == COMP_CWORD)); then\n"
    "			words+=('')\n"
    "		fi\n"
    "	done\n"
    "	n=${#words[@]}\n"
    "	cur=${words[n - 1]}\n"
    "	for ((i = 1; i < n - 1; i++)); do\n"
    "		if [[ ${words[i]} == -?* ]]; then\n"
    "			_deploy_value \"${words[i]}\" && ((++i))\n"
    "		elif [[ -z $command ]]; then\n"
    "			command=${words[i]}\n"
    "		else\n"
    "			((++operands))\n"
    "		fi\n"
    "	done\n"
    "	if ((i == n)); then\n"
    "		_deploy_value \"${words[n - 2]}\"\n"
    "		_deploy_reply \"$kind\"\n"
    "		return\n"
    "	fi\n"
    "	_deploy_command \"$command\"\n"
    "	if [[ $cur == -* ]]; then\n"
    "		_deploy_reply words \"$options\"\n"
    "	elif ((operands < most)); then\n"
    "		_deploy_reply \"$kind\" \"$list\"\n"
    "	fi\n"
    "}\n"
    "\n"
    "complete -o nosort -F _deploy deploy 2>/dev/null ||\n"
    "    complete -F _deploy deploy\n";

static const char *
bash_kind(enum kind kind)
{
	switch (kind) {
	case FILES:
		return "files";
	case DIRECTORIES:
		return "directories";
	case SITES:
		return "sites";
	case HOSTS:
		return "hosts";
	case RELEASES:
		return "releases";
	case RELEASES_OR_FILES:
		return "releases-or-files";
	case COMMANDS:
	case SHELLS:
	case ACTIONS:
		return "words";
	default:
		return "nothing";
	}
}

/* A function that knows which options have a value, and of what kind. */
static void
print_bash_values(void)
{
	printf("\n# Has the option $1 a value?  Sets kind.\n"
	       "_deploy_value()\n{\n\tcase $1 in\n");
	for (int id = OPT_END + 1; id < OPT_COUNT; id++) {
		const struct opt *op = opt_find((enum opt_id)id);

		if (op->arg == NULL)
			continue;
		printf("\t");
		print_pattern(op);
		printf(") kind=%s ;;\n", bash_kind(kind_of(op->arg)));
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

static void
print_bash_command(const struct cmd *cmd)
{
	enum kind kind = kind_of(cmd->args);

	printf("\t");
	print_names(cmd, " | ");
	printf(")\n");
	if (*cmd->opts != OPT_END) {
		printf("\t\toptions+=' ");
		print_bash_options(cmd->opts);
		printf("'\n");
	}
	if (cmd->max_args > 0)
		printf("\t\tkind=%s most=%u\n", bash_kind(kind),
		    cmd->max_args);
	if (kind == SHELLS)
		printf("\t\tlist='bash fish zsh'\n");
	if (kind == ACTIONS)
		printf("\t\tlist='" ACTION_WORDS "'\n");
	if (kind == COMMANDS) {
		printf("\t\tlist='");
		print_command_names();
		printf("'\n");
	}
	printf("\t\t;;\n");
}

static void
print_bash(void)
{
	fputs(bash_begin, stdout);
	print_bash_values();
	printf("\n# What the command $1 takes.  Sets options, kind, list, "
	       "most.\n_deploy_command()\n{\n\toptions='");
	print_bash_options(cmd_common_opts);
	printf("'\n\tcase $1 in\n\t'')\n\t\toptions+=' --version'\n"
	       "\t\tkind=words most=1\n\t\tlist='");
	print_command_names();
	printf("'\n\t\t;;\n");
	for (const struct cmd *const *c = cmd_table; *c != NULL; c++)
		print_bash_command(*c);
	printf("\tesac\n}\n");
	fputs(bash_end, stdout);
}

/* zsh ------------------------------------------------------------------- */

static const char zsh_begin[] =
    "#compdef deploy\n"
    "# zsh completion for deploy(1), made by 'deploy completion zsh'.\n"
    "\n"
    "# Complete $1 (releases, sites, hosts) of what the line names.\n"
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

static const char *
zsh_action(enum kind kind)
{
	switch (kind) {
	case FILES:
		return "_files";
	case DIRECTORIES:
		return "_files -/";
	case SITES:
		return " _deploy_ask sites";
	case HOSTS:
		return " _deploy_ask hosts";
	case RELEASES:
		return " _deploy_ask releases";
	case RELEASES_OR_FILES:
		return " _deploy_releases_or_files";
	case COMMANDS:
		return " _deploy_commands";
	case SHELLS:
		return "(bash fish zsh)";
	case ACTIONS:
		return "(" ACTION_WORDS ")";
	default:
		return " ";
	}
}

/* An option as _arguments wants it: '(-n --dry-run)'{-n,--dry-run}'[...]'. */
static void
print_zsh_option(const struct opt *op)
{
	bool many = op->id == OPT_EXCLUDE;
	const char *value = op->arg != NULL ? "=" : "";

	if (op->letter != '\0')
		printf("'(-%c --%s)'{-%c%s,--%s%s}'", op->letter, op->name,
		    op->letter, op->arg != NULL ? "+" : "", op->name, value);
	else
		printf("'%s--%s%s", many ? "*" : "", op->name, value);
	printf("[");
	print_quoted(op->help, "[]:\\");
	printf("]");
	if (op->arg != NULL)
		printf(":%s:%s", op->arg, zsh_action(kind_of(op->arg)));
	printf("'");
}

static void
print_zsh_command(const struct cmd *cmd)
{
	size_t len;
	const char *word = first_word(cmd->args, &len);

	printf("\t(");
	print_names(cmd, "|");
	printf(")\n\t\t_arguments -s -S $common");
	for (const enum opt_id *id = cmd->opts; *id != OPT_END; id++) {
		printf(" \\\n\t\t    ");
		print_zsh_option(opt_find(*id));
	}
	for (unsigned int i = 1; i <= cmd->max_args; i++)
		printf(" \\\n\t\t    '%u:%.*s:%s'", i, (int)len, word,
		    zsh_action(kind_of(cmd->args)));
	printf(" && ret=0\n\t\t;;\n");
}

static void
print_zsh(void)
{
	fputs(zsh_begin, stdout);
	printf("_deploy_commands()\n{\n\tlocal -a commands=(\n");
	for (const struct cmd *const *c = cmd_table; *c != NULL; c++) {
		printf("\t\t'%s:", (*c)->name);
		print_quoted((*c)->summary, "");
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

/* fish ------------------------------------------------------------------ */

static const char fish_begin[] =
    "\n"
    "# The command on the line and its operands so far.\n"
    "function __deploy_operands\n"
    "    set -l words (commandline -opc)\n"
    "    set -e words[1]\n"
    "    while set -q words[1]\n"
    "        switch $words[1]\n"
    "            case $__deploy_valued\n"
    "                set -e words[1]\n"
    "            case -\n"
    "                printf '-\\n'\n"
    "            case '-*'\n"
    "            case '*'\n"
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
    "# Is it one of $argv[2..], with fewer than $argv[1] operands?\n"
    "function __deploy_operand_of\n"
    "    set -l operands (__deploy_operands)\n"
    "    contains -- \"$operands[1]\" $argv[2..-1]\n"
    "    and test (count $operands) -le $argv[1]\n"
    "end\n"
    "\n"
    "# The releases, sites or hosts ($argv) of what the line names.\n"
    "function __deploy_ask\n"
    "    set -l words (string replace -r '^(--[a-z]+=)?~/' \"\\$1$HOME/\" -- "
    "(commandline -opc))\n"
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
    "complete -c deploy -e\n"
    "complete -c deploy -f\n";

static const char *
fish_words(enum kind kind)
{
	switch (kind) {
	case DIRECTORIES:
		return " -f -a '(__fish_complete_directories)'";
	case SITES:
		return " -f -a '(__deploy_ask sites)'";
	case HOSTS:
		return " -f -a '(__deploy_ask hosts)'";
	case RELEASES:
		return " -f -k -a '(__deploy_ask releases)'";
	case RELEASES_OR_FILES:
		return " -F -k -a '(__deploy_ask releases)'";
	case SHELLS:
		return " -f -a 'bash fish zsh'";
	case ACTIONS:
		return " -f -a '" ACTION_WORDS "'";
	case FILES:
		return " -F";
	default:
		return " -f";
	}
}

/* An option of `cmd`; with NULL, of all. */
static void
print_fish_option(const struct cmd *cmd, const struct opt *op)
{
	printf("complete -c deploy");
	if (cmd != NULL) {
		printf(" -n '__deploy_in ");
		print_names(cmd, " ");
		printf("'");
	}
	if (op->letter != '\0')
		printf(" -s %c", op->letter);
	printf(" -l %s", op->name);
	if (op->arg != NULL)
		printf(" -r%s", fish_words(kind_of(op->arg)));
	printf(" -d '");
	print_quoted(op->help, "'\\");
	printf("'\n");
}

/* All commands, as words where `condition` holds. */
static void
print_fish_commands(const char *condition)
{
	for (const struct cmd *const *c = cmd_table; *c != NULL; c++) {
		printf("complete -c deploy -n '%s' -a %s -d '", condition,
		    (*c)->name);
		print_quoted((*c)->summary, "'\\");
		printf("'\n");
	}
}

static void
print_fish_operands(const struct cmd *cmd)
{
	char condition[64];

	if (kind_of(cmd->args) == COMMANDS) {
		snprintf(condition, sizeof(condition),
		    "__deploy_operand_of %u %s", cmd->max_args, cmd->name);
		print_fish_commands(condition);
	} else if (cmd->max_args > 0) {
		printf("complete -c deploy -n '__deploy_operand_of %u ",
		    cmd->max_args);
		print_names(cmd, " ");
		printf("'%s\n", fish_words(kind_of(cmd->args)));
	}
}

static void
print_fish(void)
{
	printf("# fish completion for deploy(1), made by 'deploy completion "
	       "fish'.\n\nset -g __deploy_valued");
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
	printf("complete -c deploy -n __deploy_before_command -s V "
	       "-l version -d 'show the version'\n");
	print_fish_commands("__deploy_before_command");
	for (const struct cmd *const *c = cmd_table; *c != NULL; c++) {
		for (const enum opt_id *id = (*c)->opts; *id != OPT_END; id++)
			print_fish_option(*c, opt_find(*id));
		print_fish_operands(*c);
	}
}

/* What the scripts ask for ---------------------------------------------- */

/* A word, a tab, and what it is, for shells that show that. */
static void __attribute__((format(printf, 2, 3)))
print_word(const char *word, const char *fmt, ...)
{
	struct err about = ERR_INIT;
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Takes the control characters out of a message. */
	err_set(&about, ERR_OK, "%s", text);
	printf("%s\t%s\n", word, about.text);
}

static void
print_release(const struct store *s, const struct view *v, const char *id)
{
	struct meta meta = META_INIT;
	struct err ignored = ERR_INIT;
	char staged[32];

	(void)meta_read(s, id, &meta, &ignored);
	release_format_time(release_id_time(id), staged);
	print_word(id, "%s%s%s%s%s", staged,
	    strcmp(id, v->current.s) == 0	  ? ", live" :
		history_was_live(&v->history, id) ? ", was live" :
						    ", staged",
	    meta.pinned ? ", pinned" : "", meta.message != NULL ? ": " : "",
	    meta.message != NULL ? meta.message : "");
	meta_release(&meta);
}

/* Words that mean a release, then all ids, newest first. */
static int
print_releases(struct run *run, struct err *e)
{
	struct store s = STORE_INIT;
	struct view v = VIEW_INIT;
	int r = cmd_open_view(run, &s, &v, e);

	if (r == 0 && v.current.s[0] != '\0')
		print_word("current", "%s", v.current.s);
	if (r == 0 && view_previous(&v) != NULL)
		print_word("previous", "%s", view_previous(&v));
	if (r == 0 && v.ids.n > 0)
		print_word("latest", "%s", view_latest(&v));
	for (size_t i = v.ids.n; r == 0 && i-- > 0;)
		print_release(&s, &v, v.ids.v[i]);
	view_release(&v);
	store_close(&s);
	return r;
}

static int
print_sites(struct run *run, struct err *e)
{
	if (config_load(&run->config, run->opts.config, e) != 0)
		return -1;
	for (size_t i = 0; i < run->config.n; i++)
		print_word(run->config.sites[i].name, "%s",
		    run->config.sites[i].root);
	return 0;
}

static int
print_hosts(struct run *run, struct err *e)
{
	if (cmd_site(run, e) != 0)
		return -1;
	for (size_t i = 0; i < run->site->n_hosts; i++)
		print_word(run->site->hosts[i].label, "%s",
		    run->site->hosts[i].root);
	return 0;
}

static int
run_completion(struct run *run, struct err *e)
{
	const char *word = run->opts.args.n > 0 ? run->opts.args.v[0] : "";

	if (strcmp(word, "bash") == 0)
		print_bash();
	else if (strcmp(word, "zsh") == 0)
		print_zsh();
	else if (strcmp(word, "fish") == 0)
		print_fish();
	else if (strcmp(word, "releases") == 0)
		return print_releases(run, e);
	else if (strcmp(word, "sites") == 0)
		return print_sites(run, e);
	else if (strcmp(word, "hosts") == 0)
		return print_hosts(run, e);
	else if (*word == '\0')
		return err_set(e, ERR_USAGE,
		    "which shell? usage: deploy "
		    "completion bash|zsh|fish");
	else
		return err_set(e, ERR_USAGE,
		    "there is no completion for "
		    "'%s'; there is one for bash, zsh and fish",
		    word);
	return 0;
}

static const enum opt_id opts[] = { OPT_END };

const struct cmd cmd_completion = {
	.name = "completion",
	.group = "Help",
	.args = "SHELL",
	.summary = "a script that completes command lines in a shell",
	.about =
	    "SHELL is bash, zsh or fish.  With releases, sites or hosts there\n"
	    "prints what the scripts ask for: a word, a tab, what it is.\n",
	.max_args = 1,
	.opts = opts,
	.run = run_completion,
};
