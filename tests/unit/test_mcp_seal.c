/* SPDX-License-Identifier: Apache-2.0 */
/* Texts that travel through clients: headers, sealed state, cursors, keys. */
#include "mcp/apikey.h"
#include "mcp/header.h"
#include "mcp/reference.h"
#include "mcp/seal.h"
#include "mcp/secret.h"
#include "suite.h"

#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct arena arena;
static unsigned char key[MCP_SEAL_KEY_SIZE];

static void setup(void)
{
    ck_assert_int_ge(sodium_init(), 0);
    arena_init(&arena);
    memset(key, 7, sizeof(key));
}

static void teardown(void)
{
    arena_done(&arena);
}

static const struct {
    const char *sent, *meant;
} headers[] = {
    {"eu-north-1", "eu-north-1"},
    {"  padded\t", "padded"},
    {"", ""},
    {"a b", "a b"},
    {"=?base64?WsO8cmljaA==?=", "Z\xc3\xbcrich"},
    {"=?base64?IDcg?=", " 7 "},
    {"=?base64?YQli?=", "a\tb"},
    {"=?base64?PT9iYXNlNjQ/cmF3Pz0=?=", "=?base64?raw?="},
    {"=?base64?"
     "?=",
     ""},
    /* No sentinel: taken as it stands. */
    {"=?BASE64?IDcg?=", "=?BASE64?IDcg?="},
    {"=?base64?IDcg", "=?base64?IDcg"},
    /* Broken inside. */
    {"=?base64?***?=", NULL},
    {"=?base64?IDc?=", NULL},
    {"=?base64?/w==?=", NULL},
};

START_TEST(header_values_are_decoded_exactly)
{
    const char *value = mcp_header_decode(&arena, headers[_i].sent);

    if (headers[_i].meant == NULL)
        ck_assert_ptr_null(value);
    else
        ck_assert_str_eq(value, headers[_i].meant);
}
END_TEST

START_TEST(sealed_state_opens_with_its_key_only)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    const void *data;
    size_t len;

    mcp_seal(&text, key, "secret", 6);
    ck_assert(mcp_unseal(&arena, key, text.data, &data, &len));
    ck_assert_uint_eq(len, 6);
    ck_assert_mem_eq(data, "secret", 6);
    key[0] ^= 1;
    ck_assert(!mcp_unseal(&arena, key, text.data, &data, &len));
}
END_TEST

START_TEST(changed_state_does_not_open)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;
    const void *data;
    size_t len;

    mcp_seal(&text, key, "secret", 6);
    for (size_t i = 0; i < text.len; i++) {
        char was = text.data[i];

        text.data[i] = was == 'A' ? 'B' : 'A';
        ck_assert(!mcp_unseal(&arena, key, text.data, &data, &len));
        text.data[i] = was;
    }
    ck_assert(!mcp_unseal(&arena, key, "", &data, &len));
    ck_assert(!mcp_unseal(&arena, key, "AAAA", &data, &len));
}
END_TEST

START_TEST(a_cursor_comes_back_as_it_was)
{
    CLEANUP(strbuf_done) struct strbuf text = STRBUF_INIT;

    mcp_cursor_put(&text, 't', "mal_get_skill");
    ck_assert_str_eq(mcp_cursor_get(&arena, 't', text.data), "mal_get_skill");
    ck_assert_ptr_null(mcp_cursor_get(&arena, 'r', text.data));
    text.data[3] ^= 1;
    ck_assert_ptr_null(mcp_cursor_get(&arena, 't', text.data));
}
END_TEST

START_TEST(the_empty_cursor_is_the_beginning_and_rubbish_is_none)
{
    ck_assert_str_eq(mcp_cursor_get(&arena, 't', ""), "");
    ck_assert_ptr_null(mcp_cursor_get(&arena, 't', "xx"));
    ck_assert_ptr_null(mcp_cursor_get(&arena, 't', "!"));
}
END_TEST

START_TEST(keys_are_random_and_hash_under_their_pepper)
{
    char one[APIKEY_SECRET_SIZE], two[APIKEY_SECRET_SIZE], prefix[APIKEY_PREFIX_SIZE];
    unsigned char pepper[APIKEY_PEPPER_SIZE], other[APIKEY_PEPPER_SIZE];
    unsigned char a[APIKEY_HASH_SIZE], b[APIKEY_HASH_SIZE];

    apikey_make(one);
    apikey_make(two);
    ck_assert_str_ne(one, two);
    ck_assert_uint_eq(strlen(one), APIKEY_SECRET_SIZE - 1);
    ck_assert(strncmp(one, "mal_", 4) == 0);
    apikey_prefix(one, prefix);
    ck_assert_uint_eq(strlen(prefix), 10);
    apikey_pepper("pepper", pepper);
    apikey_pepper("salt", other);
    apikey_hash(pepper, one, strlen(one), a);
    apikey_hash(pepper, one, strlen(one), b);
    ck_assert(apikey_equal(a, b));
    apikey_hash(other, one, strlen(one), b);
    ck_assert(!apikey_equal(a, b));
    apikey_hash(pepper, two, strlen(two), b);
    ck_assert(!apikey_equal(a, b));
}
END_TEST

#define KEY_A "a:0000000000000000000000000000000000000000000000000000000000000001"
#define KEY_B "b:0000000000000000000000000000000000000000000000000000000000000002"
#define KEY_A_AGAIN "a:0000000000000000000000000000000000000000000000000000000000000003"

static struct secret_keys secret_keys(const char *text)
{
    struct secret_keys keys;
    struct error err = {0};

    ck_assert_int_eq(secret_keys_read(text, &keys, &err), ST_OK);
    return keys;
}

START_TEST(a_secret_opens_with_the_key_it_names)
{
    struct secret_keys a = secret_keys(KEY_A), b = secret_keys(KEY_B),
                       both = secret_keys(KEY_B "," KEY_A), other = secret_keys(KEY_A_AGAIN);
    char *large = arena_alloc(&arena, 16001);
    const char *sealed = secret_seal(&arena, &a, "hunter2");

    ck_assert(strncmp(sealed, "sealed:a:", 9) == 0);
    ck_assert(secret_is_sealed(sealed) && !secret_is_sealed("hunter2"));
    ck_assert_str_eq(secret_open(&arena, &a, sealed), "hunter2");
    ck_assert_str_eq(secret_open(&arena, &both, sealed), "hunter2");
    ck_assert_ptr_null(secret_open(&arena, &b, sealed));
    ck_assert_ptr_null(secret_open(&arena, &other, sealed));
    ck_assert_ptr_null(secret_open(&arena, &a, "hunter2"));
    ck_assert(secret_is_current(&a, sealed) && !secret_is_current(&both, sealed));
    memset(large, 'x', 16000);
    ck_assert_str_eq(secret_open(&arena, &a, secret_seal(&arena, &a, large)), large);
}
END_TEST

START_TEST(without_keys_nothing_is_sealed_or_opened)
{
    struct secret_keys none = secret_keys(""), a = secret_keys(KEY_A);

    ck_assert_ptr_null(secret_seal(&arena, &none, "x"));
    ck_assert_ptr_null(secret_open(&arena, &none, secret_seal(&arena, &a, "x")));
}
END_TEST

static const char *const bad_keys[] = {
    "a",         "a:",       ":00",
    "a:00",      KEY_A "00", KEY_A "," KEY_A_AGAIN,
    "a b" KEY_A, "," KEY_A,  "a:000000000000000000000000000000000000000000000000000000000000000g",
};

START_TEST(a_list_of_keys_that_cannot_be_used_is_refused)
{
    struct secret_keys keys;
    struct error err = {0};

    ck_assert_int_eq(secret_keys_read(bad_keys[_i], &keys, &err), ST_INVALID_ARGUMENT);
    ck_assert(strstr(err.message, "MAL_SECRET_KEYS") != NULL);
    ck_assert(strstr(err.message, "00") == NULL);
}
END_TEST

static const struct {
    const char *value;
    const char *text; /* NULL: refused with the status, naming the word */
    enum status status;
    const char *word;
} references[] = {
    {"plain", "plain", ST_OK, NULL},
    {"", "", ST_OK, NULL},
    {"Bearer ${env:REFERENCE_TEST}", "Bearer variable", ST_OK, NULL},
    {"${secret:TOKEN}-${env:REFERENCE_TEST}", "hunter2-variable", ST_OK, NULL},
    {"${other:X} $ ${env:} ${env:a b}", "${other:X} $ ${env:} ${env:a b}", ST_OK, NULL},
    {"${env:PATH}", NULL, ST_PERMISSION_DENIED, "PATH"},
    {"${env:MAL_SECRET_KEYS}", NULL, ST_PERMISSION_DENIED, "MAL_SECRET_KEYS"},
    {"${env:REFERENCE_UNSET}", NULL, ST_PERMISSION_DENIED, "REFERENCE_UNSET"},
    {"${secret:NONE}", NULL, ST_FAILED_PRECONDITION, "NONE"},
    {"${secret:FOREIGN}", NULL, ST_FAILED_PRECONDITION, "FOREIGN"},
    {"sealed:zzz:AAAA", NULL, ST_FAILED_PRECONDITION, "opened"},
};

START_TEST(references_are_resolved_as_far_as_the_operator_allows)
{
    struct secret_keys keys = secret_keys(KEY_A), foreign = secret_keys(KEY_B);
    const struct reference_pair secrets[] = {{"TOKEN", secret_seal(&arena, &keys, "hunter2")},
                                             {"FOREIGN", secret_seal(&arena, &foreign, "x")}};
    const struct reference_source source = {.keys = &keys,
                                            .env_allow =
                                                "A, REFERENCE_TEST,REFERENCE_UNSET,MAL_SECRET_KEYS",
                                            .secrets = secrets,
                                            .n_secrets = ARRAY_SIZE(secrets)};
    const char *text = NULL;
    struct error err = {0};

    ck_assert_int_eq(setenv("REFERENCE_TEST", "variable", 1), 0);
    ck_assert_int_eq(reference_resolve(&arena, &source, references[_i].value, &text, &err),
                     references[_i].status);
    if (references[_i].text)
        ck_assert_str_eq(text, references[_i].text);
    else
        ck_assert_ptr_nonnull(strstr(err.message, references[_i].word));
    ck_assert_ptr_null(strstr(err.message, "hunter2"));
}
END_TEST

START_TEST(a_sealed_value_may_hold_references)
{
    struct secret_keys keys = secret_keys(KEY_A);
    const struct reference_source source = {.keys = &keys, .env_allow = "REFERENCE_TEST"};
    const char *text = NULL;
    struct error err = {0};

    ck_assert_int_eq(setenv("REFERENCE_TEST", "variable", 1), 0);
    ck_assert_int_eq(reference_resolve(&arena, &source,
                                       secret_seal(&arena, &keys, "a ${env:REFERENCE_TEST} b"),
                                       &text, &err),
                     ST_OK);
    ck_assert_str_eq(text, "a variable b");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mcp_seal");
    TCase *tcase = tcase_create("seal");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, header_values_are_decoded_exactly, 0, (int)ARRAY_SIZE(headers));
    tcase_add_test(tcase, sealed_state_opens_with_its_key_only);
    tcase_add_test(tcase, changed_state_does_not_open);
    tcase_add_test(tcase, a_cursor_comes_back_as_it_was);
    tcase_add_test(tcase, the_empty_cursor_is_the_beginning_and_rubbish_is_none);
    tcase_add_test(tcase, keys_are_random_and_hash_under_their_pepper);
    tcase_add_test(tcase, a_secret_opens_with_the_key_it_names);
    tcase_add_test(tcase, without_keys_nothing_is_sealed_or_opened);
    tcase_add_loop_test(tcase, a_list_of_keys_that_cannot_be_used_is_refused, 0,
                        (int)ARRAY_SIZE(bad_keys));
    tcase_add_loop_test(tcase, references_are_resolved_as_far_as_the_operator_allows, 0,
                        (int)ARRAY_SIZE(references));
    tcase_add_test(tcase, a_sealed_value_may_hold_references);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
