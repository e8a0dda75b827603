/* SPDX-License-Identifier: Apache-2.0 */
/* Commands and subagents: what is refused, and scripts that keep values out of
 * their code. */
#include "catalog_fixture.h"

#include <sys/stat.h>
#include <unistd.h>

static const char greet[] =
    "{'id':'greet','name':'Greet','description':'Greets.','author':'ana','category':'git',"
    "'shell':'bash','script_template':'echo \\\"{{who}}\\\" \\\"{{times}}\\\"',"
    "'parameters':[{'name':'who','type':'string','description':'Whom.','required':true},"
    "{'name':'times','type':'number','description':'How often.','default':'2'}]}";

START_TEST(a_registered_command_comes_back_as_given)
{
    OK(f, "RegisterCommand", greet);
    HAS(f, "'warnings':[]");
    OK(f, "GetCommand", "{'id':'greet'}");
    HAS(f, "'script_template':'echo \\\"{{who}}\\\" \\\"{{times}}\\\"'");
    HAS(f, "{'name':'times','type':'number','description':'How often.','required':false,"
           "'default':'2','enum_values':[]}");
    HAS(f, "'requires_confirmation':false");
    HAS_NOT(f, "rendered_script");
    OK(f, "ListCommands", "{'category':'git'}");
    HAS(f, "'total':1,");
    HAS_NOT(f, "script_template");
    OK(f, "ListCommands", "{'category':'gi'}");
    HAS(f, "'total':0,");
    FAILS(f, "RegisterCommand", greet, ST_ALREADY_EXISTS);
    MENTIONS(f, "mal_get_command");
    FAILS(f, "GetCommand", "{'id':'none'}", ST_NOT_FOUND);
    MENTIONS(f, "mal_list_commands");
    ck_assert_int_eq(events(f, "catalog.command.registered"), 1);
}
END_TEST

static void refuse(const char *script, const char *parameters, const char *field)
{
    char request[2000];

    (void)snprintf(request, sizeof(request),
                   "{'id':'c','name':'C','description':'d','author':'ana','category':'git',"
                   "'shell':'bash','script_template':'%s','parameters':%s}",
                   script, parameters);
    FAILS(f, "RegisterCommand", request, ST_INVALID_ARGUMENT);
    MENTIONS(f, field);
}

START_TEST(what_does_not_fit_together_is_refused)
{
    refuse("echo {{who}}", "[]", "who");
    refuse("x", "[{'name':'a','type':'enum','description':'d'}]", "parameters[0].enum_values");
    refuse("x", "[{'name':'a','type':'string','description':'d','enum_values':['b']}]",
           "parameters[0].enum_values");
    refuse("x", "[{'name':'a','type':'number','description':'d','default':'1x'}]",
           "parameters[0].default");
    refuse("x", "[{'name':'a','type':'boolean','description':'d','default':'yes'}]",
           "parameters[0].default");
    refuse("x", "[{'name':'a','type':'enum','description':'d','enum_values':['b'],'default':'c'}]",
           "parameters[0].default");
    refuse("x", "[{'name':'a','type':'string','description':'d','required':true,'default':'c'}]",
           "parameters[0].default");
    refuse("x",
           "[{'name':'a','type':'string','description':'d'},"
           "{'name':'a','type':'string','description':'d'}]",
           "parameters[1].name");
    refuse("x", "[{'name':'A','type':'string','description':'d'}]", "parameters[0].name");
}
END_TEST

START_TEST(other_braces_are_no_placeholders_and_unused_names_are_warnings)
{
    OK(f, "RegisterCommand",
       "{'id':'c','name':'C','description':'d','author':'ana','category':'git','shell':'bash',"
       "'script_template':'{{ x }} {{X}} {{}} {{{a}}}',"
       "'parameters':[{'name':'a','type':'string','description':'d'},"
       "{'name':'b','type':'string','description':'d'}]}");
    ck_assert_ptr_nonnull(strstr(f->reply, "never uses the parameter 'b'"));
    ck_assert_ptr_null(strstr(f->reply, "parameter 'a'"));
    OK(f, "GetCommand", "{'id':'c','params':{'a':'v'}}");
    HAS(f, "{{ x }} {{X}} {{}} {${MAL_P_A}}");
}
END_TEST

START_TEST(all_unfit_params_are_reported_together)
{
    OK(f, "RegisterCommand",
       "{'id':'c','name':'C','description':'d','author':'ana','category':'git','shell':'bash',"
       "'script_template':'x','parameters':["
       "{'name':'one','type':'string','description':'d','required':true},"
       "{'name':'two','type':'string','description':'d','required':true},"
       "{'name':'num','type':'number','description':'d'},"
       "{'name':'kind','type':'enum','description':'d','enum_values':['x','y']}]}");
    FAILS(f, "GetCommand", "{'id':'c','params':{'num':'01','kind':'z','more':'1'}}",
          ST_INVALID_ARGUMENT);
    ck_assert_uint_eq(f->call.error.n_fields, 5);
    MENTIONS(f, "params.one");
    MENTIONS(f, "params.two");
    MENTIONS(f, "params.num");
    MENTIONS(f, "x, y");
    MENTIONS(f, "params.more");
    OK(f, "GetCommand", "{'id':'c','params':{'num':-1.5e3,'kind':'x','one':true,'two':''}}");
}
END_TEST

START_TEST(render_needs_no_confirmation_and_runs_nothing)
{
    OK(f, "RegisterCommand", greet);
    ck_assert_int_eq(
        run_json(f, "ExecuteCommand", "{\"id\":\"greet\",\"params\":{\"who\":\"it's\"}}", true),
        ST_OK);
    HAS(f, "'command_id':'greet','shell':'bash','mode':'render','requires_confirmation':false");
    ck_assert_ptr_nonnull(strstr(f->reply, "export MAL_P_WHO='it'\\\\''s'\\nexport MAL_P_TIMES='2'"
                                           "\\necho \\\"${MAL_P_WHO}\\\" \\\"${MAL_P_TIMES}\\\""));
    HAS(f, "'executed':false");
    HAS_NOT(f, "exit_code");
    FAILS(f, "ExecuteCommand", "{'id':'greet'}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "params.who");
    FAILS(f, "ExecuteCommand", "{'id':'none'}", ST_NOT_FOUND);
}
END_TEST

/* The rendered script of the reply, as a person would paste it. */
static const char *rendered(void)
{
    struct json json;

    ck_assert(json_parse(&f->arena, f->reply, strlen(f->reply), NULL, &json, &f->call.error) ==
              ST_OK);
    return json_text(&f->arena, &json, json_get(&json, json.nodes, "rendered_script"));
}

/* Runs the script by hand and gives what it wrote. */
static const char *by_hand(const char *interpreter, const char *script)
{
    static char output[4096];
    char path[] = "/tmp/mal-test-XXXXXX", command[100];
    int fd = mkstemp(path);
    FILE *pipe;
    size_t n;

    ck_assert_int_eq(write(fd, script, strlen(script)), (ssize_t)strlen(script));
    close(fd);
    (void)snprintf(command, sizeof(command), "%s %s 2>&1", interpreter, path);
    pipe = popen(command, "r"); /* NOLINT(cert-env33-c): a test's own words */
    ck_assert_ptr_nonnull(pipe);
    n = fread(output, 1, sizeof(output) - 1, pipe);
    output[n] = '\0';
    (void)pclose(pipe);
    (void)unlink(path);
    return output;
}

START_TEST(hostile_values_stay_values)
{
    static const char *const shells[][3] = {
        {"bash", "bash", "printf '%s' \\\"{{v}}\\\""},
        {"python", "python3", "import sys\\nsys.stdout.write({{v}})"},
        {"node", "node", "process.stdout.write({{v}})"},
    };
    static const char hostile[] = "x'; touch /tmp/mal-p; echo \"$(id)\\ \n`id` é";
    size_t i = (size_t)_i;
    char request[2000];
    struct stat unused;

    (void)unlink("/tmp/mal-p");
    (void)snprintf(request, sizeof(request),
                   "{\"id\":\"c%zu\",\"name\":\"C\",\"description\":\"d\",\"author\":\"ana\","
                   "\"category\":\"git\",\"shell\":\"%s\",\"script_template\":\"#!/x\\n%s\","
                   "\"parameters\":[{\"name\":\"v\",\"type\":\"string\",\"description\":\"d\"}]}",
                   i, shells[i][0], shells[i][2]);
    ck_assert_int_eq(run_json(f, "RegisterCommand", request, true), ST_OK);
    (void)snprintf(request, sizeof(request),
                   "{\"id\":\"c%zu\",\"params\":{\"v\":"
                   "\"x'; touch /tmp/mal-p; echo \\\"$(id)\\\\ \\n`id` é\"}}",
                   i);
    ck_assert_int_eq(run_json(f, "GetCommand", request, true), ST_OK);
    ck_assert_int_eq(strncmp(rendered(), "#!/x\n", 5), 0);
    ck_assert_str_eq(by_hand(shells[i][1], rendered()), hostile);
    ck_assert_int_ne(stat("/tmp/mal-p", &unused), 0);
}
END_TEST

START_TEST(a_command_can_be_mended_and_deleted)
{
    OK(f, "RegisterCommand", greet);
    OK(f, "UpdateCommand", "{'id':'greet','name':'Greet','category':'git','tags':[]}");
    HAS(f, "'changed':[]");
    ck_assert_int_eq(events(f, "catalog.command.updated"), 0);
    OK(f, "UpdateCommand", "{'id':'greet','requires_confirmation':true,'shell':'bash'}");
    HAS(f, "'changed':['requires_confirmation']");
    ck_assert_int_eq(events(f, "catalog.command.updated"), 1);
    FAILS(f, "UpdateCommand", "{'id':'greet','parameters':[]}", ST_INVALID_ARGUMENT);
    MENTIONS(f, "script_template");
    OK(f, "UpdateCommand", "{'id':'greet','script_template':'true','parameters':[]}");
    HAS(f, "'changed':['script_template','parameters']");
    FAILS(f, "DeleteCommand", "{'id':'greet'}", ST_FAILED_PRECONDITION);
    ck_assert_str_eq(f->call.error.reason, "CONFIRMATION_REQUIRED");
    OK(f, "DeleteCommand", "{'id':'greet','confirm':true}");
    FAILS(f, "DeleteCommand", "{'id':'greet','confirm':true}", ST_NOT_FOUND);
    FAILS(f, "UpdateCommand", "{'id':'greet','name':'x'}", ST_NOT_FOUND);
}
END_TEST

START_TEST(a_subagent_takes_the_defaults_and_warns_of_unknown_tools)
{
    static const char agent[] =
        "{'id':'a','name':'A','description':'d','author':'ana','system_prompt':'Be kind.',"
        "'tools_allowed':['mal_get_skill','mal_nothing','other'],'tags':['t']}";

    OK(f, "RegisterSubagent", agent);
    ck_assert_ptr_nonnull(strstr(f->reply, "'mal_nothing'"));
    ck_assert_ptr_null(strstr(f->reply, "tool 'mal_get_skill'"));
    OK(f, "GetSubagent", "{'id':'a'}");
    HAS(f, "'system_prompt':'Be kind.','model':'claude-sonnet-4-5-20250929',");
    HAS(f, "'max_turns':5,'input_schema':{},'output_format':'markdown'");
    FAILS(f, "RegisterSubagent", agent, ST_ALREADY_EXISTS);
    MENTIONS(f, "mal_get_subagent");
    FAILS(f, "GetSubagent", "{'id':'b'}", ST_NOT_FOUND);
    OK(f, "ListSubagents", "{'tags':'t'}");
    HAS(f, "'total':1,");
    HAS_NOT(f, "system_prompt");
    OK(f, "ListSubagents", "{'tags':'u'}");
    HAS(f, "'total':0,");
    FAILS(f, "ListSubagents", "{'limit':101}", ST_INVALID_ARGUMENT);
    ck_assert_int_eq(events(f, "catalog.subagent.registered"), 1);
}
END_TEST

START_TEST(a_subagent_can_be_mended_and_deleted)
{
    OK(f, "RegisterSubagent",
       "{'id':'a','name':'A','description':'d','author':'ana','system_prompt':'p',"
       "'input_schema':{'type':'object','a':[1,2]}}");
    OK(f, "UpdateSubagent", "{'id':'a','input_schema':{'a':[1,2],  'type':'object'}}");
    HAS(f, "'changed':[]");
    OK(f, "UpdateSubagent", "{'id':'a','max_turns':7,'input_schema':{},'output_format':'json'}");
    HAS(f, "'changed':['max_turns','input_schema','output_format']");
    HAS(f, "'max_turns':7,'input_schema':{},'output_format':'json'");
    FAILS(f, "UpdateSubagent", "{'id':'a','max_turns':51}", ST_INVALID_ARGUMENT);
    FAILS(f, "DeleteSubagent", "{'id':'a'}", ST_FAILED_PRECONDITION);
    OK(f, "DeleteSubagent", "{'id':'a','confirm':true}");
    FAILS(f, "UpdateSubagent", "{'id':'a','name':'x'}", ST_NOT_FOUND);
    ck_assert_int_eq(events(f, "catalog.subagent.deleted"), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("catalog_commands");
    TCase *tcase = case_new(suite, "commands", 30);

    tcase_add_test(tcase, a_registered_command_comes_back_as_given);
    tcase_add_test(tcase, what_does_not_fit_together_is_refused);
    tcase_add_test(tcase, other_braces_are_no_placeholders_and_unused_names_are_warnings);
    tcase_add_test(tcase, all_unfit_params_are_reported_together);
    tcase_add_test(tcase, render_needs_no_confirmation_and_runs_nothing);
    tcase_add_loop_test(tcase, hostile_values_stay_values, 0, 3);
    tcase_add_test(tcase, a_command_can_be_mended_and_deleted);
    tcase_add_test(tcase, a_subagent_takes_the_defaults_and_warns_of_unknown_tools);
    tcase_add_test(tcase, a_subagent_can_be_mended_and_deleted);
    return run_suite(suite);
}
