/*
 * libssh, loaded with the first connection or key (library.h).  With Kerberos,
 * which it wants, to be linked with it costs as much as everything else that a
 * small command does.
 */
#ifndef LIBSSH_DOOR_H
#define LIBSSH_DOOR_H

#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <libssh/server.h>

#include "base/library.h"

#define LIBSSH_FUNCTIONS(DO) \
	DO(ssh_channel_free) DO(ssh_channel_new) \
	DO(ssh_channel_open_forward) DO(ssh_channel_open_session) \
	DO(ssh_channel_is_open) \
	DO(ssh_channel_request_exec) DO(ssh_channel_send_eof) \
	DO(ssh_channel_window_size) DO(ssh_channel_write) \
	DO(ssh_clean_pubkey_hash) DO(ssh_connect) DO(ssh_disconnect) \
	DO(ssh_event_add_fd) DO(ssh_event_add_session) DO(ssh_event_dopoll) \
	DO(ssh_event_free) DO(ssh_event_new) DO(ssh_event_remove_fd) \
	DO(ssh_event_remove_session) DO(ssh_free) DO(ssh_get_error) \
	DO(ssh_get_fd) DO(ssh_get_fingerprint_hash) DO(ssh_get_poll_flags) \
	DO(ssh_get_publickey_hash) DO(ssh_get_server_publickey) \
	DO(ssh_get_serverbanner) DO(ssh_init) DO(ssh_is_connected) \
	DO(ssh_key_cmp) DO(ssh_key_dup) DO(ssh_key_free) DO(ssh_key_type) \
	DO(ssh_key_type_from_name) DO(ssh_key_type_to_char) \
	DO(ssh_known_hosts_parse_line) DO(ssh_knownhosts_entry_free) \
	DO(ssh_new) DO(ssh_options_set) DO(ssh_pki_copy_cert_to_privkey) \
	DO(ssh_pki_export_privkey_base64) DO(ssh_pki_export_pubkey_base64) \
	DO(ssh_pki_import_cert_base64) DO(ssh_pki_import_cert_file) \
	DO(ssh_pki_import_privkey_base64) DO(ssh_pki_import_pubkey_base64) \
	DO(ssh_pki_import_pubkey_file) DO(ssh_remove_channel_callbacks) \
	DO(ssh_send_keepalive) DO(ssh_service_request) \
	DO(ssh_session_is_known_server) DO(ssh_set_agent_socket) \
	DO(ssh_set_blocking) DO(ssh_set_channel_callbacks) \
	DO(ssh_set_counters) DO(ssh_string_free_char) DO(ssh_userauth_agent) \
	DO(ssh_userauth_list) DO(ssh_userauth_publickey)

/* Its functions, by their names; null until they are loaded. */
extern struct libssh {
	LIBSSH_FUNCTIONS(LIBRARY_MEMBER)
} ls;

/*
 * 0, or -1 with ERR_FAILED when it is not installed; as library_load().  What
 * this folder offers to others calls it before anything else.
 */
int libssh_load(struct err *e) MUST_USE;

#endif
