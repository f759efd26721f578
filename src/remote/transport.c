#include "remote/transport.h"

#include "base/alloc.h"
#include "remote/transport_local.h"
#include "remote/transport_ssh.h"

int
transport_open(struct transport *t, const struct host_config *h,
    int64_t silence, struct err *e)
{
	switch (h->transport) {
	case HOST_LOCAL:
		return transport_local_open(t, silence, e);
	case HOST_SSH:
	case HOST_RSYNC: /* for files only; see rsync.h */
		return transport_ssh_open(t, h, silence, e);
	}
	BUG("a transport that nobody opens");
}

void
transport_close(struct transport *t)
{
	if (t->ops != NULL)
		t->ops->close(t->self);
	*t = (struct transport)TRANSPORT_INIT;
}

const char *
transport_address(const struct transport *t)
{
	return t->ops != NULL ? t->ops->address(t->self) : NULL;
}

void
transport_login(const struct transport *t, const char **host_key,
    const char **key)
{
	*host_key = *key = NULL;
	if (t->ops != NULL)
		t->ops->login(t->self, host_key, key);
}

/* What was started, or NULL. */
static int
take(struct transport *t, void *proc, struct transport_proc *p)
{
	*p = (struct transport_proc)TRANSPORT_PROC_INIT;
	if (proc == NULL)
		return -1;
	p->ops = t->ops;
	p->proc = proc;
	return 0;
}

bool
transport_starts_at_once(const struct transport *t)
{
	return t->ops->starts_at_once != NULL &&
	    t->ops->starts_at_once(t->self);
}

int
transport_start(struct transport *t, const char *command,
    struct transport_proc *p, struct err *e)
{
	return take(t, t->ops->start(t->self, command, e), p);
}

int
transport_serve(struct transport *t, const char *root,
    struct transport_proc *p, struct err *e)
{
	return take(t, t->ops->serve(t->self, root, e), p);
}

void
transport_proc_close(struct transport_proc *p)
{
	if (p->ops != NULL)
		p->ops->close_proc(p->proc);
	*p = (struct transport_proc)TRANSPORT_PROC_INIT;
}
