/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the messages of wire_test.proto, in the form the generator writes. */
#include "wire_test_rules.h"

#include "wire_test.pb-c.h"

static const char *const colour_names[] = {NULL, "red", "dark-blue", "light_green"};
static const struct enum_rule colour_rule = {&test__colour__descriptor, colour_names};

static const struct field_rule part_fields[] = {
    {.name = "name", .flags = RULE_REQUIRED, .pattern = "^[a-z][a-z0-9_]{0,9}$"},
    {.name = "weight",
     .flags = RULE_HAS_MIN | RULE_HAS_MAX,
     .min = 0.5,
     .max = 2.5,
     .fallback = "1.5"},
    {.name = "words", .max_items = 2, .min_len = 1, .max_len = 5},
    {.name = "size", .flags = RULE_PRESENCE},
};
const struct message_rule test_part_rule = {&test__part__descriptor, part_fields, -1, -1};

static const struct field_rule everything_fields[] = {
    {.name = "id", .flags = RULE_REQUIRED, .format = FORMAT_SLUG},
    {.name = "name", .flags = RULE_REQUIRED | RULE_LINE, .min_len = 2, .max_len = 8},
    {.name = "note", .max_bytes = 10},
    {.name = "version", .format = FORMAT_SEMVER},
    {.name = "day", .format = FORMAT_DATE},
    {.name = "at", .format = FORMAT_TIMESTAMP},
    {.name = "url", .format = FORMAT_URL},
    {.name = "email", .format = FORMAT_EMAIL},
    {.name = "item", .format = FORMAT_ITEM_ID},
    {.name = "file", .format = FORMAT_ASSET_PATH},
    {.name = "code", .pattern = "^[A-Z]{2,3}$"},
    {.name = "colour", .fallback = "\"dark-blue\"", .enumeration = &colour_rule},
    {.name = "limit", .flags = RULE_HAS_MIN | RULE_HAS_MAX, .min = 1, .max = 100, .fallback = "20"},
    {.name = "offset", .flags = RULE_HAS_MIN},
    {.name = "points", .flags = RULE_PRESENCE | RULE_HAS_MIN | RULE_HAS_MAX, .max = 50},
    {.name = "ratio", .flags = RULE_HAS_MAX, .max = 1},
    {.name = "flag", .fallback = "false"},
    {.name = "deep", .flags = RULE_PRESENCE, .fallback = "true"},
    {.name = "content", .flags = RULE_PRESENCE},
    {.name = "tags", .flags = RULE_LINE | RULE_TAGS, .max_items = 4, .min_len = 1, .max_len = 6},
    {.name = "ids", .flags = RULE_UNIQUE, .min_items = 2, .max_items = 50},
    {.name = "numbers", .flags = RULE_HAS_MIN | RULE_HAS_MAX, .min = -5, .max = 5},
    {.name = "colours", .enumeration = &colour_rule},
    {.name = "parts", .flags = RULE_UNIQUE, .max_items = 3, .message = &test_part_rule},
    {.name = "main_part", .message = &test_part_rule},
    {.name = "params",
     .flags = RULE_MAP | RULE_SCALARS,
     .max_items = 3,
     .max_len = 6,
     .key_pattern = "^[a-z]+$"},
    {.name = "metadata", .flags = RULE_JSON},
    {.name = "anything", .flags = RULE_JSON | RULE_ANY, .max_bytes = 100},
    {.name = "blocks", .flags = RULE_JSON},
    {.name = "text", .flags = RULE_INTERNAL},
    {.name = "big"},
    {.name = "natural"},
    {.name = "labels", .flags = RULE_MAP | RULE_LINE, .min_len = 1},
};
const struct message_rule test_everything_rule = {&test__everything__descriptor, everything_fields,
                                                  -1, 29};

static const struct field_rule change_fields[] = {
    {.name = "id", .flags = RULE_REQUIRED, .format = FORMAT_SLUG},
    {.name = "name", .flags = RULE_LINE, .min_len = 1, .max_len = 20},
    {.name = "goal", .flags = RULE_NULLABLE, .max_len = 20},
    {.name = "points",
     .flags = RULE_NULLABLE | RULE_PRESENCE | RULE_HAS_MIN | RULE_HAS_MAX,
     .max = 50},
    {.name = "tags", .flags = RULE_TAGS, .max_items = 3},
    {.name = "params", .flags = RULE_MAP},
    {.name = "metadata", .flags = RULE_JSON},
    {.name = "part", .message = &test_part_rule},
    {.name = "unset", .flags = RULE_INTERNAL},
};
const struct message_rule test_change_rule = {&test__change__descriptor, change_fields, 8, -1};

__attribute__((constructor)) static void register_rules(void)
{
    static const struct message_rule *const rules[] = {&test_everything_rule, &test_change_rule,
                                                       &test_part_rule};

    wire_register_rules(rules, 3);
}
