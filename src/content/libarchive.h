/*
 * libarchive, loaded when an archive or a pack is read or written, and the only
 * door to it, for the reason that library.h gives: linked, it and the libraries
 * that it wants (libxml2, ICU) would take half of what the start of every
 * command costs (measured: 2.3 ms of CPU of 5.0).
 *
 *	if (libarchive_load(&e) != 0)
 *		return -1;
 *	a = la.archive_read_new();
 */
#ifndef LIBARCHIVE_H
#define LIBARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "base/library.h"

#define LIBARCHIVE_FUNCTIONS(DO) \
	DO(archive_copy_error) DO(archive_entry_clear) \
	DO(archive_entry_filetype) DO(archive_entry_free) \
	DO(archive_entry_hardlink) DO(archive_entry_is_encrypted) \
	DO(archive_entry_new) DO(archive_entry_pathname) \
	DO(archive_entry_perm) DO(archive_entry_set_filetype) \
	DO(archive_entry_set_gid) DO(archive_entry_set_hardlink) \
	DO(archive_entry_set_mtime) DO(archive_entry_set_pathname) \
	DO(archive_entry_set_perm) DO(archive_entry_set_size) \
	DO(archive_entry_set_symlink) DO(archive_entry_set_uid) \
	DO(archive_entry_size) DO(archive_entry_size_is_set) \
	DO(archive_entry_sparse_next) DO(archive_entry_sparse_reset) \
	DO(archive_entry_symlink) DO(archive_error_string) \
	DO(archive_filter_bytes) DO(archive_filter_count) \
	DO(archive_filter_name) DO(archive_format) DO(archive_read_data) \
	DO(archive_read_data_block) DO(archive_read_data_skip) \
	DO(archive_read_free) DO(archive_read_header_position) \
	DO(archive_read_new) DO(archive_read_next_header) \
	DO(archive_read_open) DO(archive_read_open_fd) \
	DO(archive_read_support_filter_bzip2) \
	DO(archive_read_support_filter_compress) \
	DO(archive_read_support_filter_gzip) \
	DO(archive_read_support_filter_lz4) \
	DO(archive_read_support_filter_lzip) \
	DO(archive_read_support_filter_lzma) \
	DO(archive_read_support_filter_lzop) \
	DO(archive_read_support_filter_xz) \
	DO(archive_read_support_filter_zstd) \
	DO(archive_read_support_format_7zip) \
	DO(archive_read_support_format_cpio) \
	DO(archive_read_support_format_raw) \
	DO(archive_read_support_format_tar) \
	DO(archive_read_support_format_zip_seekable) DO(archive_set_error) \
	DO(archive_write_add_filter_gzip) DO(archive_write_add_filter_zstd) \
	DO(archive_write_close) DO(archive_write_data) \
	DO(archive_write_free) DO(archive_write_header) \
	DO(archive_write_new) DO(archive_write_open) \
	DO(archive_write_set_bytes_per_block) \
	DO(archive_write_set_filter_option) \
	DO(archive_write_set_format_gnutar)

/* Its functions, by their names; null until they are loaded. */
extern struct libarchive {
	LIBARCHIVE_FUNCTIONS(LIBRARY_MEMBER)
} la;

/*
 * Load it, from any thread; before a jail is entered (os/jail.h), where nothing
 * can be.  0, or -1 with ERR_FAILED when it is not installed.
 */
int libarchive_load(struct err *e) MUST_USE;

#endif
