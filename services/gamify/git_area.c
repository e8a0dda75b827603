/* SPDX-License-Identifier: Apache-2.0 */
/* Tells by its path what a file is about. */
#include "git.h"

#include <string.h>
#include <strings.h>

const char *const area_names[AREAS] = {"frontend", "backend", "devops", "data", "documentation"};

/* Kinds of patterns: an extension, a whole file name, the beginning of one, a
 * folder anywhere in the path. */
enum kind { EXTENSION, NAME, BEGINNING, FOLDER };

static const struct rule {
    enum area area;
    enum kind kind;
    const char *pattern;
} rules[] = {
    /* Before *.txt. */
    {AREA_DEVOPS, NAME, "CMakeLists.txt"},

    {AREA_DOCUMENTATION, EXTENSION, "md"},
    {AREA_DOCUMENTATION, EXTENSION, "rst"},
    {AREA_DOCUMENTATION, EXTENSION, "txt"},
    {AREA_DOCUMENTATION, EXTENSION, "adoc"},
    {AREA_DOCUMENTATION, FOLDER, "docs"},

    {AREA_DEVOPS, BEGINNING, "Dockerfile"},
    {AREA_DEVOPS, EXTENSION, "dockerfile"},
    {AREA_DEVOPS, BEGINNING, "compose."},
    {AREA_DEVOPS, BEGINNING, "docker-compose"},
    {AREA_DEVOPS, FOLDER, ".github"},
    {AREA_DEVOPS, FOLDER, ".gitlab"},
    {AREA_DEVOPS, FOLDER, ".circleci"},
    {AREA_DEVOPS, FOLDER, ".ci"},
    {AREA_DEVOPS, FOLDER, "ci"},
    {AREA_DEVOPS, BEGINNING, ".gitlab-ci."},
    {AREA_DEVOPS, BEGINNING, ".travis."},
    {AREA_DEVOPS, BEGINNING, "azure-pipelines"},
    {AREA_DEVOPS, BEGINNING, "cloudbuild."},
    {AREA_DEVOPS, NAME, "Jenkinsfile"},
    {AREA_DEVOPS, FOLDER, "k8s"},
    {AREA_DEVOPS, FOLDER, "kubernetes"},
    {AREA_DEVOPS, FOLDER, "helm"},
    {AREA_DEVOPS, FOLDER, "charts"},
    {AREA_DEVOPS, NAME, "Chart.yaml"},
    {AREA_DEVOPS, NAME, "kustomization.yaml"},
    {AREA_DEVOPS, EXTENSION, "tf"},
    {AREA_DEVOPS, EXTENSION, "tfvars"},
    {AREA_DEVOPS, NAME, "Makefile"},
    {AREA_DEVOPS, NAME, "GNUmakefile"},
    {AREA_DEVOPS, EXTENSION, "mk"},
    {AREA_DEVOPS, EXTENSION, "cmake"},
    {AREA_DEVOPS, NAME, "CMakePresets.json"},
    {AREA_DEVOPS, FOLDER, "cmake"},

    {AREA_DATA, EXTENSION, "sql"},
    {AREA_DATA, EXTENSION, "csv"},
    {AREA_DATA, EXTENSION, "ipynb"},
    {AREA_DATA, EXTENSION, "parquet"},
    {AREA_DATA, FOLDER, "migrations"},

    {AREA_FRONTEND, EXTENSION, "html"},
    {AREA_FRONTEND, EXTENSION, "css"},
    {AREA_FRONTEND, EXTENSION, "scss"},
    {AREA_FRONTEND, EXTENSION, "tsx"},
    {AREA_FRONTEND, EXTENSION, "jsx"},
    {AREA_FRONTEND, EXTENSION, "vue"},
    {AREA_FRONTEND, EXTENSION, "svelte"},
    {AREA_FRONTEND, FOLDER, "web"},
    {AREA_FRONTEND, FOLDER, "frontend"},
    {AREA_FRONTEND, FOLDER, "ui"},
};

static bool has_folder(const char *path, const char *folder)
{
    size_t len = strlen(folder);

    for (const char *slash; (slash = strchr(path, '/')) != NULL; path = slash + 1)
        if ((size_t)(slash - path) == len && strncasecmp(path, folder, len) == 0)
            return true;
    return false;
}

static bool fits(const struct rule *rule, const char *path, const char *name, const char *extension)
{
    switch (rule->kind) {
    case EXTENSION:
        return strcasecmp(extension, rule->pattern) == 0;
    case NAME:
        return strcasecmp(name, rule->pattern) == 0;
    case BEGINNING:
        return strncasecmp(name, rule->pattern, strlen(rule->pattern)) == 0;
    case FOLDER:
        break;
    }
    return has_folder(path, rule->pattern);
}

enum area git_area(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    const char *extension = dot && dot > name ? dot + 1 : "";

    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (fits(&rules[i], path, name, extension))
            return rules[i].area;
    return AREA_BACKEND;
}
