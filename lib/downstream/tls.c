/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL, kept in one file. */
#include "downstream/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static SSL_CTX *ctx; /* for the life of the process; NULL: cannot be set up */

static void make_ctx(void)
{
    SSL_CTX *made = SSL_CTX_new(TLS_client_method());

    if (made == NULL)
        return;
    SSL_CTX_set_verify(made, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                               SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* The end of a stream without a goodbye is an end: what matters is framed. */
    SSL_CTX_set_options(made, SSL_OP_IGNORE_UNEXPECTED_EOF);
    if (SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_default_verify_paths(made) == 1)
        ctx = made;
    else
        SSL_CTX_free(made);
}

struct ssl_st *tls_new(int fd, const char *host, bool numeric)
{
    static const unsigned char alpn[] = "\x08http/1.1";
    SSL *ssl;
    bool named;

    (void)pthread_once(&once, make_ctx);
    ssl = ctx != NULL ? SSL_new(ctx) : NULL;
    if (ssl == NULL)
        return NULL;
    if (numeric)
        named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    else
        named = SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
    if (named && SSL_set_alpn_protos(ssl, alpn, sizeof(alpn) - 1) == 0 && SSL_set_fd(ssl, fd) == 1)
        return ssl;
    SSL_free(ssl);
    return NULL;
}

void tls_free(struct ssl_st *ssl)
{
    if (ssl == NULL)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(ssl); /* says goodbye, waits for nothing */
    SSL_free(ssl);
    ERR_clear_error();
}

static enum conn_io outcome(SSL *ssl, int result, short *ret_events)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *ret_events = POLLIN;
        return CONN_AGAIN;
    case SSL_ERROR_WANT_WRITE:
        *ret_events = POLLOUT;
        return CONN_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return CONN_EOF;
    default:
        ERR_clear_error();
        return CONN_BROKEN;
    }
}

enum conn_io tls_handshake(struct ssl_st *ssl, short *ret_events, const char **ret_why)
{
    enum conn_io io;
    long verdict;
    int result;

    ERR_clear_error();
    result = SSL_connect(ssl);
    if (result == 1)
        return CONN_OK;
    verdict = SSL_get_verify_result(ssl);
    io = outcome(ssl, result, ret_events);
    if (io == CONN_AGAIN)
        return io;
    *ret_why =
        verdict != X509_V_OK ? X509_verify_cert_error_string(verdict) : "the TLS handshake failed";
    return CONN_BROKEN;
}

enum conn_io tls_read(struct ssl_st *ssl, char *out, size_t size, size_t *ret_len,
                      short *ret_events)
{
    int result;

    ERR_clear_error();
    result = SSL_read_ex(ssl, out, size, ret_len);
    return result == 1 ? CONN_OK : outcome(ssl, result, ret_events);
}

enum conn_io tls_write(struct ssl_st *ssl, const char *bytes, size_t len, size_t *ret_len,
                       short *ret_events)
{
    int result;

    ERR_clear_error();
    result = SSL_write_ex(ssl, bytes, len, ret_len);
    if (result == 1)
        return CONN_OK;
    *ret_len = 0;
    return outcome(ssl, result, ret_events);
}
