/*
 * host.sh, the sh verbs, as it is sent to a host without deploy.  The source
 * is made from it at build time.
 */
#ifndef HOST_SCRIPT_H
#define HOST_SCRIPT_H

/*
 * Its lines, with their newlines; ended by NULL.  A line "#: VERB..." begins a
 * part for these verbs only, "#:" one for all.
 */
extern const char *const host_script[];

#endif
