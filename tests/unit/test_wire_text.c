/* SPDX-License-Identifier: Apache-2.0 */
/* Replies and errors as Markdown. */
#include "arena_fixture.h"
#include "suite.h"
#include "wire/codec.h"
#include "wire/text.h"
#include "wire_test.h"

#include <check.h>

static const char *kept(struct strbuf *buf)
{
    char *text = strbuf_take(buf);

    arena_defer(&arena, free, text);
    return text;
}

static ProtobufCMessage *decode(const struct message_rule *rule, const char *text)
{
    ProtobufCMessage *message = NULL;
    struct json json;

    ck_assert_msg(json_parse(&arena, text, strlen(text), NULL, &json, &err) == ST_OK, "%s in %s",
                  err.message, text);
    ck_assert_msg(wire_from_json(&arena, rule, &json, json.nodes, &message, &err) == ST_OK,
                  "%s: %s", err.n_fields ? err.fields[0].field : "",
                  err.n_fields ? err.fields[0].message : "");
    return message;
}

/* The text of a reply given as JSON. */
static const char *text_of(const struct rpc *rpc, const char *request, const char *reply)
{
    struct strbuf buf = STRBUF_INIT;

    wire_text(&buf, rpc, decode(rpc->request, request), decode(rpc->response, reply));
    return kept(&buf);
}

#define PAGE(total, count, more)                                                                   \
    "\"total\":" total ",\"count\":" count ",\"offset\":0,\"has_more\":" more

START_TEST(a_list_shows_name_facts_and_description)
{
    ck_assert_str_eq(
        text_of(&test_list_work_items_rpc, "{}",
                "{\"items\":["
                "{\"id\":\"MAL-1\",\"title\":\"Ship it\",\"description\":\"All of it.\","
                "\"type\":\"story\",\"status\":\"in_progress\",\"priority\":\"high\","
                "\"story_points\":1,\"assignee\":\"ana\",\"sprint_id\":\"sprint-7\"},"
                "{\"id\":\"MAL-2\",\"type\":\"bug\",\"status\":\"todo\",\"story_points\":0}],"
                "\"next_offset\":2," PAGE("53", "2", "true") "}"),
        "## Work items\n"
        "Showing 2 of 53 (offset 0)\n"
        "\n"
        "### Ship it\n"
        "`MAL-1` · story · in_progress · high · 1 point · @ana · sprint-7\n"
        "All of it.\n"
        "\n"
        "### MAL-2\n"
        "`MAL-2` · bug · todo · 0 points\n"
        "\n"
        "More: call again with offset 2.");
}
END_TEST

START_TEST(an_empty_list_says_what_to_try)
{
    ck_assert_str_eq(text_of(&test_list_work_items_rpc, "{}", "{" PAGE("0", "0", "false") "}"),
                     "## Work items\n"
                     "Showing 0 of 0 (offset 0)\n"
                     "\n"
                     "Nothing found. Try: fewer filters or other words.");
}
END_TEST

START_TEST(a_search_names_the_query_and_shows_the_fragment)
{
    ck_assert_str_eq(
        text_of(
            &test_search_skills_rpc, "{\"query\":\"cloud run\"}",
            "{\"items\":[{\"collection\":\"skills\",\"id\":\"gcp\",\"name\":\"GCP\","
            "\"description\":\"d\",\"category\":\"devops\",\"snippet\":\"to **cloud run**\"},"
            "{\"collection\":\"mcps\",\"id\":\"x\",\"name\":\"X\",\"description\":\"Y\"}]," PAGE(
                "2", "2", "false") "}"),
        "## Skills matching \"cloud run\"\n"
        "Showing 2 of 2 (offset 0)\n"
        "\n"
        "### GCP\n"
        "`gcp` · skills · devops\n"
        "to **cloud run**\n"
        "\n"
        "### X\n"
        "`x` · mcps\n"
        "Y");
    ck_assert_str_eq(
        text_of(&test_search_interactions_rpc, "{\"query\":\"q\"}",
                "{\"items\":[{\"interaction\":{\"id\":\"i1\",\"title\":\"On cats\","
                "\"source\":\"api\",\"user_id\":\"ana\",\"created_at\":"
                "\"2026-03-02T09:30:00.120Z\",\"message_count\":12},\"snippet\":\"**q**\"}]," PAGE(
                    "1", "1", "false") "}"),
        "## Interactions matching \"q\"\n"
        "Showing 1 of 1 (offset 0)\n"
        "\n"
        "### On cats\n"
        "`i1` · api · @ana · 2026-03-02 · 12 messages\n"
        "**q**");
}
END_TEST

START_TEST(lists_of_unknown_things_and_of_rpcs_without_title_are_shown)
{
    ck_assert_str_eq(text_of(&test_list_things_rpc, "{}",
                             "{\"items\":[{\"status\":\"todo\",\"count\":2,\"points\":1.5}]," PAGE(
                                 "1", "1", "false") "}"),
                     "## Things\n"
                     "Showing 1 of 1 (offset 0)\n"
                     "\n"
                     "status: todo · count: 2 · points: 1.5");
    ck_assert_str_eq(
        text_of(&test_list_decisions_rpc, "{}",
                "{\"items\":[{\"id\":\"7\",\"text\":\"Use it.\",\"user_id\":\"ana\"}]," PAGE(
                    "1", "1", "false") "}"),
        "## Decisions\n"
        "Showing 1 of 1 (offset 0)\n"
        "\n"
        "### 7\n"
        "`7` · @ana\n"
        "Use it.");
}
END_TEST

START_TEST(digests_are_listed_with_their_bodies)
{
    const struct rpc rpc = {.name = "ListDigests",
                            .request = wire_rule(&test__list_things_request__descriptor),
                            .response = wire_rule(&test__list_digests_response__descriptor)};

    ck_assert_str_eq(text_of(&rpc, "{}",
                             "{\"items\":[{\"kind\":\"daily\",\"period\":\"2026-03-02\",\"body\":"
                             "\"2 items done.\"}],\"total\":1}"),
                     "## Digests\n"
                     "Showing 1 of 1 (offset 0)\n"
                     "\n"
                     "daily · 2026-03-02\n"
                     "2 items done.");
}
END_TEST

START_TEST(only_a_reply_with_a_total_is_a_list)
{
    const struct rpc rpc = {.name = "GetContext",
                            .request = wire_rule(&test__list_things_request__descriptor),
                            .response = wire_rule(&test__get_context_response__descriptor)};

    ck_assert_str_eq(
        text_of(&rpc, "{}",
                "{\"items\":[{\"id\":\"A-1\",\"title\":\"a\",\"status\":\"todo\"}],"
                "\"decisions\":[{\"id\":\"7\",\"text\":\"Use it.\",\"user_id\":\"ana\"}]}"),
        "## Context\n"
        "\n"
        "### todo (1)\n"
        "- `A-1` a — todo\n"
        "\n"
        "### decisions\n"
        "- `7` Use it. — @ana");
}
END_TEST

START_TEST(a_detail_has_a_line_per_field_and_the_document)
{
    ck_assert_str_eq(
        text_of(&test_get_skill_rpc, "{\"id\":\"a\"}",
                "{\"skill\":{\"id\":\"a\",\"name\":\"A B\",\"description\":\"two\\nlines\","
                "\"version\":\"1.0.0\",\"tags\":[\"x\",\"y\"],\"has_content\":true},"
                "\"content\":\"# Doc\\n\\n```sh\\nls\\n```\\n\"}"),
        "## Skill: A B\n"
        "**id**: a\n"
        "**name**: A B\n"
        "**version**: 1.0.0\n"
        "**dependencies**: (none)\n"
        "**tags**: x, y\n"
        "**has_content**: yes\n"
        "\n"
        "### description\n"
        "```\n"
        "two\n"
        "lines\n"
        "```\n"
        "\n"
        "### content\n"
        "# Doc\n"
        "\n"
        "```sh\n"
        "ls\n"
        "```");
}
END_TEST

START_TEST(scripts_are_fenced_in_their_language_beyond_their_backticks)
{
    ck_assert_str_eq(
        text_of(&test_get_command_rpc, "{\"id\":\"a\"}",
                "{\"command\":{\"id\":\"a\",\"name\":\"A\",\"category\":\"git\",\"shell\":"
                "\"bash\",\"script_template\":\"echo ````\",\"parameters\":[{\"name\":\"p\","
                "\"type\":\"enum\",\"description\":\"a|b\",\"required\":true,\"enum_values\":"
                "[\"x\",\"y\"]},{\"name\":\"q\",\"type\":\"string\",\"default\":\"7\"}]},"
                "\"rendered_script\":\"export P=1\"}"),
        "## Command: A\n"
        "**id**: a\n"
        "**name**: A\n"
        "**category**: git\n"
        "**shell**: bash\n"
        "**requires_confirmation**: no\n"
        "\n"
        "### script_template\n"
        "`````bash\n"
        "echo ````\n"
        "`````\n"
        "\n"
        "### parameters\n"
        "- p — enum · required · x, y · a|b\n"
        "- q — string · default 7\n"
        "\n"
        "### rendered_script\n"
        "```bash\n"
        "export P=1\n"
        "```");
}
END_TEST

START_TEST(a_run_is_headed_by_the_name_of_its_command)
{
    struct strbuf buf = STRBUF_INIT;
    ProtobufCMessage *reply = decode(test_execute_command_rpc.response, "{\"command_id\":\"a\"}");
    const char *text;

    ((Test__ExecuteCommandResponse *)(void *)reply)->name = "Count | Lines";
    wire_text(&buf, &test_execute_command_rpc,
              decode(test_execute_command_rpc.request, "{\"id\":\"a\"}"), reply);
    text = kept(&buf);
    ck_assert_str_eq(text, "## Command: Count | Lines — rendered\n"
                           "**command_id**: a\n"
                           "**executed**: no\n"
                           "**timed_out**: no");
}
END_TEST

START_TEST(a_run_says_how_it_ended)
{
    ck_assert_str_eq(text_of(&test_execute_command_rpc, "{\"id\":\"a\"}",
                             "{\"command_id\":\"a\",\"shell\":\"python\",\"rendered_script\":"
                             "\"print(1)\",\"executed\":true,\"exit_code\":0,\"stdout\":\"1\\n\","
                             "\"stderr\":\"\"}"),
                     "## Command: a — exit 0\n"
                     "**command_id**: a\n"
                     "**shell**: python\n"
                     "**executed**: yes\n"
                     "**exit_code**: 0\n"
                     "**timed_out**: no\n"
                     "\n"
                     "### rendered_script\n"
                     "```python\n"
                     "print(1)\n"
                     "```\n"
                     "\n"
                     "### stdout\n"
                     "```\n"
                     "1\n"
                     "```");
    ck_assert_ptr_nonnull(strstr(text_of(&test_execute_command_rpc, "{\"id\":\"a\"}",
                                         "{\"command_id\":\"a\",\"executed\":false}"),
                                 "## Command: a — rendered\n"));
    ck_assert_ptr_nonnull(
        strstr(text_of(&test_execute_command_rpc, "{\"id\":\"a\"}",
                       "{\"command_id\":\"a\",\"executed\":true,\"timed_out\":true}"),
               "## Command: a — timed out\n"));
    ck_assert_ptr_nonnull(strstr(text_of(&test_execute_command_rpc, "{\"id\":\"a\"}",
                                         "{\"command_id\":\"a\",\"executed\":true,\"signal\":9}"),
                                 "## Command: a — signal 9\n"));
}
END_TEST

START_TEST(a_document_is_shown_on_its_own_or_missed)
{
    ck_assert_str_eq(text_of(&test_get_skill_content_rpc, "{\"id\":\"a\"}",
                             "{\"id\":\"a\",\"name\":\"A\",\"has_content\":true,"
                             "\"content\":\"# T\\n\\nx\\n\"}"),
                     "## A — SKILL.md\n\n# T\n\nx");
    ck_assert_str_eq(text_of(&test_get_skill_content_rpc, "{\"id\":\"a\"}",
                             "{\"id\":\"a\",\"name\":\"A\",\"has_content\":false}"),
                     "No document is stored for `a`.");
}
END_TEST

START_TEST(writes_begin_with_a_sentence_and_end_with_notes)
{
    ck_assert_str_eq(text_of(&test_register_skill_rpc, "{\"id\":\"x\"}",
                             "{\"skill\":{\"id\":\"x\",\"name\":\"X\"},"
                             "\"warnings\":[\"no front matter\",\"unknown y\"]}"),
                     "Registered skill `x`.\n"
                     "\n"
                     "## Skill: X\n"
                     "**id**: x\n"
                     "**name**: X\n"
                     "**dependencies**: (none)\n"
                     "**tags**: (none)\n"
                     "**has_content**: no\n"
                     "\n"
                     "Note: no front matter\n"
                     "Note: unknown y");
    ck_assert_ptr_eq(strstr(text_of(&test_create_work_item_rpc, "{\"id\":\"x\"}",
                                    "{\"work_item\":{\"id\":\"MAL-7\",\"title\":\"T\"}}"),
                            "Nothing"),
                     NULL);
    ck_assert_int_eq(strncmp(text_of(&test_create_work_item_rpc, "{\"id\":\"x\"}",
                                     "{\"work_item\":{\"id\":\"MAL-7\",\"title\":\"T\"}}"),
                             "Created work item `MAL-7`.\n\n## Work item: T\n", 40),
                     0);
    ck_assert_int_eq(strncmp(text_of(&test_update_skill_rpc, "{\"id\":\"x\"}",
                                     "{\"skill\":{\"id\":\"x\",\"name\":\"X\"},"
                                     "\"changed\":[\"description\",\"tags\"]}"),
                             "Updated skill `x`: description, tags.\n\n## Skill: X\n", 51),
                     0);
    ck_assert_int_eq(strncmp(text_of(&test_update_skill_rpc, "{\"id\":\"x\"}",
                                     "{\"skill\":{\"id\":\"x\",\"name\":\"X\"}}"),
                             "Nothing to change in skill `x`.\n\n## Skill: X\n", 45),
                     0);
    ck_assert_str_eq(
        text_of(&test_delete_mcp_rpc, "{\"id\":\"x\"}", "{\"id\":\"x\",\"deleted\":true}"),
        "Deleted MCP server `x`.");
}
END_TEST

START_TEST(a_profile_says_whether_it_is_new)
{
    static const char *const replies[][2] = {
        {"\"created\":true", "Registered member `ana`.\n\n## Member: Ana\n"},
        {"\"changed\":[\"role\"]", "Updated member `ana`: role.\n\n## Member: Ana\n"},
        {"\"changed\":[]", "Nothing to change in member `ana`.\n\n## Member: Ana\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
        const char *text =
            text_of(&test_register_team_member_rpc, "{\"id\":\"x\"}",
                    arena_printf(&arena, "{\"member\":{\"id\":\"ana\",\"name\":\"Ana\"},%s}",
                                 replies[i][0]));

        ck_assert_msg(strncmp(text, replies[i][1], strlen(replies[i][1])) == 0, "%s", text);
    }
}
END_TEST

START_TEST(an_award_says_how_it_came_about)
{
    ck_assert_str_eq(
        text_of(&test_log_contribution_rpc, "{\"id\":\"x\"}",
                "{\"contribution\":{\"id\":\"1\",\"user_id\":\"ana\",\"type\":\"commit\","
                "\"base_points\":12,\"multiplier_percent\":130},\"awarded_points\":15,"
                "\"member\":{\"id\":\"ana\",\"xp\":116,\"level\":2,\"title\":\"Apprentice\"},"
                "\"level_up\":true}"),
        "Awarded 15 XP to ana (commit, 12 × 130 %): 116 XP, level 2.\n"
        "Level up: 2 (Apprentice).");
    ck_assert_str_eq(text_of(&test_log_contribution_rpc, "{\"id\":\"x\"}",
                             "{\"contribution\":{\"id\":\"1\"},\"duplicate\":true}"),
                     "Already recorded; no XP awarded.");
}
END_TEST

START_TEST(an_award_names_what_it_unlocked)
{
    Test__Achievement badge = TEST__ACHIEVEMENT__INIT, *badges[] = {&badge};
    Test__Contribution contribution = TEST__CONTRIBUTION__INIT;
    Test__LogContributionResponse reply = TEST__LOG_CONTRIBUTION_RESPONSE__INIT;
    struct strbuf buf = STRBUF_INIT;
    const char *id = "first-commit", *text;

    badge.name = "First Commit";
    badge.icon = "🏗️";
    badge.xp_reward = 10;
    reply.contribution = &contribution;
    reply.n_new_achievements = 1;
    reply.new_achievements = &id;
    reply.n_unlocked = 1;
    reply.unlocked = badges;
    wire_text(&buf, &test_log_contribution_rpc, NULL, &reply.base);
    text = kept(&buf);
    ck_assert_msg(strstr(text, "\nUnlocked: 🏗️ First Commit (+10 XP).") != NULL, "%s", text);
}
END_TEST

START_TEST(imports_and_bulk_updates_list_what_failed)
{
    ck_assert_str_eq(
        text_of(&test_import_catalog_rpc, "{\"id\":\"x\"}",
                "{\"imported\":{\"total\":12},\"skipped\":{\"total\":3},\"failed\":{\"total\":2},"
                "\"failures\":[{\"collection\":\"skills\",\"id\":\"a\",\"reason\":\"bad\\nid\"},"
                "{\"collection\":\"mcps\",\"index\":4,\"reason\":\"no id\"}],"
                "\"warnings\":[\"w\"]}"),
        "Imported 12, skipped 3, failed 2.\n"
        "\n"
        "- `a` (skills): bad id\n"
        "- mcps[4]: no id\n"
        "\n"
        "Note: w");
    ck_assert_str_eq(text_of(&test_import_catalog_rpc, "{\"id\":\"x\"}",
                             "{\"imported\":{\"total\":1},\"dry_run\":true}"),
                     "Imported 1, skipped 0, failed 0.\n"
                     "\n"
                     "Note: this was a dry run; nothing was written.");
    ck_assert_str_eq(
        text_of(&test_bulk_update_work_items_rpc, "{\"id\":\"x\"}",
                "{\"updated\":2,\"failed\":1,\"total\":3,\"changed_fields\":[\"status\"],"
                "\"results\":[{\"id\":\"MAL-1\",\"ok\":true},{\"id\":\"MAL-2\",\"ok\":true},"
                "{\"id\":\"X\",\"status\":\"NOT_FOUND\",\"message\":\"no such item\"}]}"),
        "Updated 2 of 3 work items: status.\n"
        "\n"
        "- `MAL-1` — ok\n"
        "- `MAL-2` — ok\n"
        "- `X` — NOT_FOUND: no such item");
}
END_TEST

START_TEST(a_sprint_groups_its_items_by_status)
{
    const struct rpc rpc = {.name = "GetSprint",
                            .title = "Get sprint",
                            .request = wire_rule(&test__get_sprint_request__descriptor),
                            .response = wire_rule(&test__get_sprint_response__descriptor)};

    ck_assert_str_eq(
        text_of(&rpc, "{\"id\":\"x\"}",
                "{\"sprint\":{\"id\":\"s\",\"name\":\"Sprint 7\",\"metadata\":{ \"a\": 1 }},"
                "\"items\":[{\"id\":\"A-1\",\"title\":\"a\",\"status\":\"done\"},"
                "{\"id\":\"A-2\",\"title\":\"b\",\"status\":\"todo\",\"type\":\"bug\"},"
                "{\"id\":\"A-3\",\"title\":\"c\",\"status\":\"done\"}],\"items_total\":3,"
                "\"by_status\":[{\"status\":\"done\",\"count\":2,\"points\":0}]}"),
        "## Sprint: Sprint 7\n"
        "**id**: s\n"
        "**name**: Sprint 7\n"
        "**velocity**: 0\n"
        "**metadata**: {\"a\":1}\n"
        "**items_total**: 3\n"
        "\n"
        "### todo (1)\n"
        "- `A-2` b — bug · todo\n"
        "\n"
        "### done (2)\n"
        "- `A-1` a — done\n"
        "- `A-3` c — done\n"
        "\n"
        "### by_status\n"
        "- status: done · count: 2 · points: 0");
}
END_TEST

START_TEST(messages_and_changes_have_their_own_forms)
{
    ck_assert_str_eq(
        text_of(&test_get_interaction_rpc, "{\"id\":\"x\"}",
                "{\"interaction\":{\"id\":\"i\"},\"messages\":[{\"role\":\"human\",\"content\":"
                "\"Hi\\nyou\",\"created_at\":\"2026-03-02T09:30:00.120Z\"},"
                "{\"role\":\"assistant\",\"content\":\"Yes\"}]}"),
        "## Interaction: i\n"
        "**id**: i\n"
        "**message_count**: 0\n"
        "\n"
        "### messages\n"
        "\n"
        "**human** (2026-03-02T09:30:00.120Z)\n"
        "Hi\n"
        "you\n"
        "\n"
        "**assistant**\n"
        "Yes");
    ck_assert_str_eq(text_of(&test_get_work_item_rpc, "{\"id\":\"x\"}",
                             "{\"work_item\":{\"id\":\"A-1\",\"title\":\"T\"},\"history\":[{\"at\":"
                             "\"2026-03-02T09:30:00.120Z\",\"actor\":\"ana\",\"field\":\"status\","
                             "\"old_value\":\"todo\",\"new_value\":\"done\"}]}"),
                     "## Work item: T\n"
                     "**id**: A-1\n"
                     "**title**: T\n"
                     "\n"
                     "### history\n"
                     "- 2026-03-02T09:30:00.120Z @ana: status todo → done");
}
END_TEST

START_TEST(a_finished_text_is_taken_as_it_is)
{
    Test__GetReportResponse reply = TEST__GET_REPORT_RESPONSE__INIT;
    Test__GetReportRequest request = TEST__GET_REPORT_REQUEST__INIT;
    struct strbuf buf = STRBUF_INIT;
    const char *warning = "w";

    reply.text = "## Report\n\nall fine\n\n";
    wire_text(&buf, &test_get_report_rpc, &request.base, &reply.base);
    ck_assert_str_eq(kept(&buf), "## Report\n\nall fine");
    reply.text = "";
    reply.skills = 3;
    reply.n_warnings = 1;
    reply.warnings = &warning;
    wire_text(&buf, &test_get_report_rpc, NULL, &reply.base);
    ck_assert_str_eq(kept(&buf), "## Report\n**skills**: 3\n\nNote: w");
}
END_TEST

START_TEST(an_export_is_its_json)
{
    ck_assert_str_eq(text_of(&test_export_catalog_rpc, "{\"id\":\"x\"}", "{\"version\":\"1.0.0\"}"),
                     "{\"version\":\"1.0.0\",\"skills\":[]}");
}
END_TEST

START_TEST(cells_stay_cells)
{
    struct strbuf buf = STRBUF_INIT;

    wire_text_cell(&buf, "a|b\r\nc\\|");
    ck_assert_str_eq(kept(&buf), "a\\|b  c\\\\|");
}
END_TEST

static const char *error_text(const char *tool)
{
    struct strbuf buf = STRBUF_INIT;

    wire_error_text(&buf, &err, tool, "req-1");
    return kept(&buf);
}

START_TEST(errors_say_what_and_what_to_try)
{
    error_set(&err, ST_NOT_FOUND, "Skill 'docker-x' was not found.");
    error_hint(&err, "mal_list_skills or mal_search_skills to find the id.");
    ck_assert_str_eq(error_text("mal_get_skill"),
                     "Error: Skill 'docker-x' was not found.\n"
                     "Try: mal_list_skills or mal_search_skills to find the id.");
    error_clear(&err);
    error_field(&err, &arena, "version", "must look like 1.2.3");
    error_field(&err, &arena, "id", "is required");
    ck_assert_str_eq(error_text("mal_register_skill"),
                     "Error: Validation failed in mal_register_skill:\n"
                     "- version: must look like 1.2.3\n"
                     "- id: is required\n"
                     "Try: correct these fields and call again.");
    error_clear(&err);
    error_set(&err, ST_INTERNAL, "relation \"skill\" does not exist");
    ck_assert_str_eq(error_text("mal_get_skill"),
                     "Error: The call failed inside the hub (request req-1).\n"
                     "Try: again; if it persists, give the request id to the operator.");
    error_clear(&err);
    error_set(&err, ST_FAILED_PRECONDITION, "Not now.");
    ck_assert_str_eq(error_text(NULL),
                     "Error: Not now.\nTry: do what the message says, then call again.");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire_text");
    TCase *tcase = tcase_create("text");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_list_shows_name_facts_and_description);
    tcase_add_test(tcase, an_empty_list_says_what_to_try);
    tcase_add_test(tcase, a_search_names_the_query_and_shows_the_fragment);
    tcase_add_test(tcase, lists_of_unknown_things_and_of_rpcs_without_title_are_shown);
    tcase_add_test(tcase, digests_are_listed_with_their_bodies);
    tcase_add_test(tcase, only_a_reply_with_a_total_is_a_list);
    tcase_add_test(tcase, a_detail_has_a_line_per_field_and_the_document);
    tcase_add_test(tcase, scripts_are_fenced_in_their_language_beyond_their_backticks);
    tcase_add_test(tcase, a_run_is_headed_by_the_name_of_its_command);
    tcase_add_test(tcase, a_run_says_how_it_ended);
    tcase_add_test(tcase, a_document_is_shown_on_its_own_or_missed);
    tcase_add_test(tcase, writes_begin_with_a_sentence_and_end_with_notes);
    tcase_add_test(tcase, a_profile_says_whether_it_is_new);
    tcase_add_test(tcase, an_award_says_how_it_came_about);
    tcase_add_test(tcase, an_award_names_what_it_unlocked);
    tcase_add_test(tcase, imports_and_bulk_updates_list_what_failed);
    tcase_add_test(tcase, a_sprint_groups_its_items_by_status);
    tcase_add_test(tcase, messages_and_changes_have_their_own_forms);
    tcase_add_test(tcase, a_finished_text_is_taken_as_it_is);
    tcase_add_test(tcase, an_export_is_its_json);
    tcase_add_test(tcase, cells_stay_cells);
    tcase_add_test(tcase, errors_say_what_and_what_to_try);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
