#include "site/webhook.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "base/path.h"

#define VARIABLE "DEPLOY_HOOK_SECRET_"

/* What all hooks are; the variable with the secret is the argument. */
static const char common[] =
    "# Written by `deploy init --hooks`, as the next time it is called, for\n"
    "#   webhook -template -hooks hooks.yml\n"
    "# A site whose secret is not in the environment has no hook.\n"
    "{{ define \"common\" }}  http-methods: [POST]\n"
    "  incoming-payload-content-type: application/json\n"
    "  include-command-output-in-response: true\n"
    "  include-command-output-in-response-on-error: true\n"
    "  trigger-rule-mismatch-http-response-code: 403\n"
    "  trigger-signature-soft-failures: true\n"
    "  pass-environment-to-command:\n"
    "  - {source: header, name: X-GitHub-Event, envname: HOOK_EVENT}\n"
    "  - {source: header, name: X-Gitea-Event, envname: HOOK_EVENT}\n"
    "  - {source: header, name: X-Gitlab-Event, envname: HOOK_EVENT}\n"
    "  - {source: payload, name: ref, envname: HOOK_REF}\n"
    "  - {source: payload, name: after, envname: HOOK_AFTER}\n"
    "  - {source: payload, name: user_username, envname: HOOK_USER}\n"
    "  # No environment holds every message: it may be long, or have a NUL.\n"
    "  pass-file-to-command:\n"
    "  - {source: payload, name: head_commit.message, envname: HOOK_MESSAGE_FILE}\n"
    "  trigger-rule:\n"
    "    or:\n"
    "    - match: {type: payload-hmac-sha256, secret: {{ getenv . | printf \"%q\" }}, parameter: {source: header, name: X-Hub-Signature-256}}\n"
    "    - match: {type: payload-hmac-sha256, secret: {{ getenv . | printf \"%q\" }}, parameter: {source: header, name: X-Gitea-Signature}}\n"
    "    - match: {type: value, value: {{ getenv . | printf \"%q\" }}, parameter: {source: header, name: X-Gitlab-Token}}\n"
    "{{ end -}}\n";

char *
webhook_variable(const struct site_config *s)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, VARIABLE);
	for (const char *c = s->name; *c != '\0'; c++)
		buf_addc(&b, isalnum((unsigned char)*c) ? *c : '_');
	return buf_detach(&b);
}

/* A word of YAML that no template touches. */
static void
add_word(struct buf *out, const char *text)
{
	buf_addc(out, '"');
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			buf_addc(out, '\\');
		/* "{{" begins an action. */
		if (*c == '{')
			buf_adds(out, "\\x7b");
		else if ((unsigned char)*c < ' ')
			buf_addf(out, "\\x%02x", (unsigned int)*c);
		else
			buf_addc(out, *c);
	}
	buf_addc(out, '"');
}

static void
add_argument(struct buf *out, const char *text)
{
	buf_adds(out, "  - {source: string, name: ");
	add_word(out, text);
	buf_adds(out, "}\n");
}

static void
add_patterns(struct buf *out, const char *kind, const struct strvec *patterns)
{
	for (size_t i = 0; i < patterns->n; i++) {
		add_argument(out, kind);
		add_argument(out, patterns->v[i]);
	}
}

/* One of the two hooks of a site. */
static void
add_hook(struct buf *out, const struct config *c, const struct site_config *s,
    const char *script, const char *action)
{
	char *name = strcmp(action, "full") == 0 ?
	    xasprintf("full/%s", s->name) :
	    xstrdup(s->name);
	char *variable = webhook_variable(s);
	char *config = xasprintf("%s/%s", c->dir, path_base(c->path));

	buf_adds(out, "- id: ");
	add_word(out, name);
	buf_adds(out, "\n  execute-command: ");
	add_word(out, script);
	if (strcmp(action, "full") == 0)
		buf_adds(out, "\n  success-http-response-code: 429");
	buf_adds(out, "\n  pass-arguments-to-command:\n");
	add_argument(out, action);
	add_argument(out, config);
	add_argument(out, s->name);
	add_patterns(out, "branch", &s->push.branches);
	add_patterns(out, "tag", &s->push.tags);
	buf_addf(out, "{{ template \"common\" \"%s\" }}", variable);
	free(config);
	free(variable);
	free(name);
}

/* May each site have a variable of its own? */
static int
check_variables(const struct config *c, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < c->n; i++)
		for (size_t j = 0; r == 0 && j < i; j++) {
			char *a = webhook_variable(&c->sites[i]);
			char *b = webhook_variable(&c->sites[j]);

			if (strcmp(a, b) == 0)
				r = err_set(e, ERR_USAGE,
				    "the secrets of '%s' and '%s' would both be in %s;; give one of the sites another name",
				    c->sites[j].name, c->sites[i].name, a);
			free(a);
			free(b);
		}
	return r;
}

int
webhook_hooks(const struct config *c, const char *script, struct buf *out,
    struct err *e)
{
	if (check_variables(c, e) != 0)
		return -1;
	buf_adds(out, common);
	for (size_t i = 0; i < c->n; i++) {
		char *variable = webhook_variable(&c->sites[i]);

		buf_addf(out, "{{ if getenv \"%s\" -}}\n", variable);
		add_hook(out, c, &c->sites[i], script, "enqueue");
		add_hook(out, c, &c->sites[i], script, "full");
		buf_adds(out, "{{ end -}}\n");
		free(variable);
	}
	return 0;
}

/* Has the text a line that begins with `start`? */
static bool
has_line(const struct buf *text, const char *start)
{
	const char *p = text->len > 0 ? text->data : NULL;

	while (p != NULL && strncmp(p, start, strlen(start)) != 0) {
		p = strchr(p, '\n');
		p = p != NULL ? p + 1 : NULL;
	}
	return p != NULL;
}

int
webhook_secrets(const struct config *c, struct buf *text, struct err *e)
{
	char secret[HASH_HEX + 1], *variable, *line;
	uint8_t chance[HASH_LEN];
	int n = 0;

	if (text->len > 0 && text->data[text->len - 1] != '\n')
		buf_addc(text, '\n');
	for (size_t i = 0; i < c->n; i++) {
		variable = webhook_variable(&c->sites[i]);
		line = xasprintf("%s=", variable);
		free(variable);
		if (!has_line(text, line)) {
			if (getrandom(chance, sizeof(chance), 0) !=
			    (ssize_t)sizeof(chance)) {
				free(line);
				return err_sys(e, "there is no chance");
			}
			hash_hex(chance, secret);
			buf_addf(text, "%s%s\n", line, secret);
			n++;
		}
		free(line);
	}
	return n;
}
