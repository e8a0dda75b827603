/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over every file of the folders given, for builds without
 * libFuzzer. A folder without files is an error. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer calls it so */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    uint8_t *data;
    size_t len;

    if (!file) {
        perror(path);
        return 0;
    }
    if (fstat(fileno(file), &st) != 0 || !S_ISREG(st.st_mode)) {
        (void)fclose(file);
        return 0;
    }
    /* Exactly as long as the input, so that a sanitizer sees a byte too far. */
    data = malloc(st.st_size ? (size_t)st.st_size : 1);
    if (!data)
        abort();
    len = fread(data, 1, (size_t)st.st_size, file);
    (void)fclose(file);
    (void)LLVMFuzzerTestOneInput(data, len);
    free(data);
    return 1;
}

static int replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    char path[4096];
    int files = 0;

    if (!dir) {
        perror(folder);
        return 0;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        files += replay_file(path);
    }
    (void)closedir(dir);
    return files;
}

int main(int argc, char **argv)
{
    int files = 0;

    for (int i = 1; i < argc; i++)
        files += replay_folder(argv[i]);
    printf("%d inputs\n", files);
    return files == 0;
}
