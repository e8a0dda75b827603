/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing with libsodium, and cursors with a check sum. */
#include "mcp/seal.h"

#include "base/utf8.h"

#include <sodium.h>
#include <string.h>

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

enum {
    NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_SIZE = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    TEXT_MAX = 32768, /* a secret of 4,000 characters of four bytes */
    SUM_SIZE = 4,
};

_Static_assert(MCP_SEAL_KEY_SIZE == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");

static void put_base64(struct strbuf *buf, const unsigned char *data, size_t len)
{
    size_t size = sodium_base64_encoded_len(len, VARIANT);

    strbuf_reserve(buf, size);
    (void)sodium_bin2base64(buf->data + buf->len, size, data, len, VARIANT);
    buf->len += size - 1;
}

static unsigned char *get_base64(struct arena *arena, const char *text, size_t *ret_len)
{
    size_t len = strnlen(text, TEXT_MAX + 1);
    unsigned char *out;

    if (len > TEXT_MAX)
        return NULL;
    out = arena_alloc(arena, len + 1);
    if (sodium_base642bin(out, len, text, len, NULL, ret_len, NULL, VARIANT) != 0)
        return NULL;
    return out;
}

void mcp_seal(struct strbuf *buf, const unsigned char key[MCP_SEAL_KEY_SIZE], const void *data,
              size_t len)
{
    struct strbuf box = STRBUF_INIT;
    unsigned char *nonce;
    unsigned long long sealed_len;

    strbuf_reserve(&box, NONCE_SIZE + len + TAG_SIZE);
    nonce = (unsigned char *)box.data;
    randombytes_buf(nonce, NONCE_SIZE);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + NONCE_SIZE, &sealed_len, data, len,
                                                     NULL, 0, NULL, nonce, key);
    put_base64(buf, nonce, NONCE_SIZE + (size_t)sealed_len);
    strbuf_done(&box);
}

bool mcp_unseal(struct arena *arena, const unsigned char key[MCP_SEAL_KEY_SIZE], const char *text,
                const void **ret_data, size_t *ret_len)
{
    size_t len = 0;
    unsigned char *box = get_base64(arena, text, &len), *out;
    unsigned long long out_len;

    if (box == NULL || len < NONCE_SIZE + TAG_SIZE)
        return false;
    out = arena_alloc(arena, len);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(out, &out_len, NULL, box + NONCE_SIZE,
                                                   len - NONCE_SIZE, NULL, 0, box, key) != 0)
        return false;
    *ret_data = out;
    *ret_len = (size_t)out_len;
    return true;
}

/* Not a secret: it only tells a mangled cursor from a real one. */
static void check_sum(unsigned char out[SUM_SIZE], const void *data, size_t len)
{
    unsigned char hash[crypto_generichash_BYTES];

    (void)crypto_generichash(hash, sizeof(hash), data, len, NULL, 0);
    memcpy(out, hash, SUM_SIZE);
}

void mcp_cursor_put(struct strbuf *buf, char kind, const char *after)
{
    struct strbuf plain = STRBUF_INIT;
    unsigned char sum[SUM_SIZE];

    strbuf_char(&plain, kind);
    strbuf_str(&plain, after);
    check_sum(sum, plain.data, plain.len);
    strbuf_add(&plain, sum, sizeof(sum));
    put_base64(buf, (const unsigned char *)plain.data, plain.len);
    strbuf_done(&plain);
}

const char *mcp_cursor_get(struct arena *arena, char kind, const char *text)
{
    unsigned char sum[SUM_SIZE], *data;
    size_t len = 0;

    if (*text == '\0')
        return "";
    data = get_base64(arena, text, &len);
    if (data == NULL || len < 1 + SUM_SIZE || data[0] != (unsigned char)kind)
        return NULL;
    len -= SUM_SIZE;
    check_sum(sum, data, len);
    if (memcmp(sum, data + len, SUM_SIZE) != 0)
        return NULL;
    data[len] = '\0';
    return utf8_valid((char *)data, len) ? (const char *)data + 1 : NULL;
}
