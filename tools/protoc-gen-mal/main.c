/* SPDX-License-Identifier: Apache-2.0 */
/* protoc-gen-mal: turns the rpcs of mal-hub into C tables, dispatch and schemas,
 * or (parameter "docs") into the documents under api/. Run by protoc, which
 * speaks CodeGeneratorRequest on stdin and CodeGeneratorResponse on stdout. */
#include "emit.h"
#include "lint.h"

#include <errno.h>
#include <unistd.h>

/* --mal_out=docs,version=0.1.0,lock=api/proto.lock:DIR */
struct parameters {
    bool docs;
    const char *version;
    const char *lock;
};

static bool read_all(struct strbuf *in)
{
    char chunk[65536];
    ssize_t n;
    while ((n = read(STDIN_FILENO, chunk, sizeof chunk)) != 0) {
        if (n > 0)
            strbuf_add(in, chunk, (size_t)n);
        else if (errno != EINTR)
            return false;
    }
    return true;
}

/* Writes what is wrong with them into error; NULL when nothing is. */
static const char *read_parameters(struct arena *arena, const char *text, struct parameters *out)
{
    *out = (struct parameters){.version = "0"};
    char *rest = arena_strdup(arena, text ? text : ""), *item;
    while ((item = strsep(&rest, ",")) != NULL) {
        if (!*item)
            continue;
        if (strcmp(item, "docs") == 0)
            out->docs = true;
        else if (strncmp(item, "lock=", 5) == 0)
            out->lock = item + 5;
        else if (strncmp(item, "version=", 8) == 0)
            out->version = item + 8;
        else
            return arena_printf(arena,
                                "unknown parameter '%s'; known are docs, lock=FILE and "
                                "version=TEXT",
                                item);
    }
    return NULL;
}

static int write_response(struct arena *arena, const char *error, const struct outputs *outputs)
{
    Google__Protobuf__Compiler__CodeGeneratorResponse response =
        GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__INIT;
    /* We take proto3 optional, to refuse it with words of our own. */
    response.has_supported_features = true;
    response.supported_features =
        GOOGLE__PROTOBUF__COMPILER__CODE_GENERATOR_RESPONSE__FEATURE__FEATURE_PROTO3_OPTIONAL;
    response.error = error ? arena_strdup(arena, error) : NULL;
    response.n_file = error ? 0 : outputs->n;
    response.file = arena_alloc(arena, outputs->n * sizeof(void *));
    for (size_t i = 0; i < response.n_file; i++) {
        response.file[i] = arena_alloc(arena, sizeof *response.file[i]);
        google__protobuf__compiler__code_generator_response__file__init(response.file[i]);
        response.file[i]->name = arena_strdup(arena, outputs->items[i].name);
        response.file[i]->content = arena_strdup(arena, outputs->items[i].content);
    }
    size_t len = google__protobuf__compiler__code_generator_response__get_packed_size(&response);
    uint8_t *bytes = arena_alloc(arena, len);
    google__protobuf__compiler__code_generator_response__pack(&response, bytes);
    return fwrite(bytes, 1, len, stdout) == len && fflush(stdout) == 0 ? 0 : 1;
}

static const char *generate(struct arena *arena,
                            const Google__Protobuf__Compiler__CodeGeneratorRequest *request,
                            struct outputs *outputs)
{
    struct parameters parameters;
    const char *error = read_parameters(arena, request->parameter, &parameters);
    if (error)
        return error;
    struct model model;
    model_read(&model, arena, request);
    lint(&model);
    if (parameters.lock && model.n_errors == 0)
        lock_check(&model, parameters.lock);
    if (model.n_errors)
        error = arena_printf(arena, "%zu mistake%s%s", model.n_errors,
                             model.n_errors == 1 ? "" : "s", strbuf_cstr(&model.errors));
    else if (parameters.docs)
        emit_docs(&model, parameters.version, parameters.lock, outputs);
    else
        emit_packages(&model, outputs);
    strbuf_done(&model.errors);
    return error;
}

int main(void)
{
    CLEANUP(strbuf_done) struct strbuf in = STRBUF_INIT;
    CLEANUP(arena_done) struct arena arena;
    arena_init(&arena);
    if (!read_all(&in)) {
        perror("protoc-gen-mal: stdin");
        return 1;
    }
    Google__Protobuf__Compiler__CodeGeneratorRequest *request =
        google__protobuf__compiler__code_generator_request__unpack(
            NULL, in.len, (const uint8_t *)strbuf_cstr(&in));
    if (!request) {
        (void)fprintf(stderr, "protoc-gen-mal is run by protoc: protoc --plugin=protoc-gen-mal "
                              "--mal_out=DIR FILE.proto\n");
        return 1;
    }
    struct outputs outputs = {0};
    const char *error = generate(&arena, request, &outputs);
    int code = write_response(&arena, error, &outputs);
    google__protobuf__compiler__code_generator_request__free_unpacked(request, NULL);
    return code;
}
