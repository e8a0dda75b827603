/* SPDX-License-Identifier: Apache-2.0 */
/* TLS by OpenSSL over a non-blocking socket. The certificate must be valid for
 * the host; authorities are the system's (SSL_CERT_FILE, SSL_CERT_DIR). Loaded
 * with the first https server. */
#pragma once

#include "downstream/conn.h"

/* NULL when it cannot be set up. */
struct ssl_st *tls_new(int fd, const char *host, bool numeric);
void tls_free(struct ssl_st *ssl);
/* AGAIN: poll for *ret_events first. */
enum conn_io tls_handshake(struct ssl_st *ssl, short *ret_events, const char **ret_why);
enum conn_io tls_read(struct ssl_st *ssl, char *out, size_t size, size_t *ret_len,
                      short *ret_events);
enum conn_io tls_write(struct ssl_st *ssl, const char *bytes, size_t len, size_t *ret_len,
                       short *ret_events);
