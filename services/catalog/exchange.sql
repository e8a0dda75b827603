-- name: exchange_skills :many catalog.v1.SkillEntry
select id, name, description, version, category, trigger_patterns, asset_path, dependencies,
       author, tags, created_at, updated_at
  from skill
 order by id;

-- name: exchange_assets :many mal.v1.Pair
select asset_path as key, content as value
  from skill
 where content is not null
 order by id;

-- name: exchange_commands :many catalog.v1.Command
select id, name, description, author, tags, category, shell, script_template, parameters,
       requires_confirmation, created_at, updated_at
  from command
 order by id;

-- name: exchange_subagents :many catalog.v1.Subagent
select id, name, description, author, tags, system_prompt, model, tools_allowed, max_turns,
       input_schema, output_format, created_at, updated_at
  from subagent
 order by id;

-- name: exchange_mcps :many catalog.v1.Mcp
select id, name, description, author, tags, transport, endpoint_url, command, args, env_vars,
       headers, health_check_url, status, tools_exposed, created_at, updated_at
  from mcp
 order by id;

-- name: exchange_known :many
select collection, id
  from (select 'skills' as collection, id::text from skill where id = any ($1::text[])
        union all
        select 'commands', id from command where id = any ($2::text[])
        union all
        select 'subagents', id from subagent where id = any ($3::text[])
        union all
        select 'mcps', id from mcp where id = any ($4::text[])) as known;

-- name: exchange_taken_paths :many
select asset_path as path, id
  from skill
 where asset_path = any ($1::text[]);
