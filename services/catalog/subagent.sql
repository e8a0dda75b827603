-- name: subagent_get :one catalog.v1.Subagent
select id, name, description, author, tags, system_prompt, model, tools_allowed, max_turns,
       input_schema, output_format, created_at, updated_at
  from subagent
 where id = $1;

-- name: subagent_lock :one catalog.v1.Subagent
select id, name, description, author, tags, system_prompt, model, tools_allowed, max_turns,
       input_schema, output_format, created_at, updated_at
  from subagent
 where id = $1
   for update;

-- name: subagent_list :many catalog.v1.Subagent
select id, name, description, author, tags, model, tools_allowed, max_turns, input_schema,
       output_format, created_at, updated_at
  from subagent
 where ($1::text[] = '{}' or tags && $1)
 order by updated_at desc, id
 limit $2 offset $3;

-- name: subagent_page :many catalog.v1.Subagent
select id, name, description
  from subagent
 where id > $1
 order by id
 limit $2;

-- name: subagent_count :one catalog.v1.ListSubagentsResponse
select count(*)::int as total
  from subagent
 where ($1::text[] = '{}' or tags && $1);

-- name: subagent_insert :one catalog.v1.Subagent
insert into subagent (id, name, description, author, tags, system_prompt, model, tools_allowed,
                      max_turns, input_schema, output_format, created_at, updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11,
        coalesce($12::timestamptz, now()), coalesce($13::timestamptz, now()))
returning id, name, description, author, tags, system_prompt, model, tools_allowed, max_turns,
          input_schema, output_format, created_at, updated_at;

-- name: subagent_update :one catalog.v1.Subagent
update subagent
   set name = $2, description = $3, tags = $4, system_prompt = $5, model = $6,
       tools_allowed = $7, max_turns = $8, input_schema = $9::jsonb, output_format = $10,
       updated_at = greatest(clock_timestamp(), updated_at + interval '1 millisecond')
 where id = $1
returning id, name, description, author, tags, system_prompt, model, tools_allowed, max_turns,
          input_schema, output_format, created_at, updated_at;

-- name: subagent_delete :exec
delete from subagent where id = $1;
