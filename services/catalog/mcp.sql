-- name: mcp_get :one catalog.v1.Mcp
select id, name, description, author, tags, transport, endpoint_url, command, args, env_vars,
       headers, health_check_url, status, tools_exposed, created_at, updated_at
  from mcp
 where id = $1;

-- name: mcp_lock :one catalog.v1.Mcp
select id, name, description, author, tags, transport, endpoint_url, command, args, env_vars,
       headers, health_check_url, status, tools_exposed, created_at, updated_at
  from mcp
 where id = $1
   for update;

-- name: mcp_list :many catalog.v1.Mcp
select id, name, description, author, tags, transport, endpoint_url, command, args, env_vars,
       headers, health_check_url, status, tools_exposed, created_at, updated_at
  from mcp
 where ($1::text is null or status = $1)
   and ($2::text[] = '{}' or tags && $2)
 order by updated_at desc, id
 limit $3 offset $4;

-- name: mcp_count :one catalog.v1.ListMcpsResponse
select count(*)::int as total
  from mcp
 where ($1::text is null or status = $1)
   and ($2::text[] = '{}' or tags && $2);

-- name: mcp_all :many catalog.v1.Mcp
select id, name, description, author, tags, transport, endpoint_url, command, args, env_vars,
       headers, health_check_url, status, tools_exposed, created_at, updated_at
  from mcp
 where $1::text is null or id = $1
 order by id;

-- name: mcp_insert :one catalog.v1.Mcp
insert into mcp (id, name, description, author, tags, transport, endpoint_url, command, args,
                 env_vars, headers, health_check_url, status, tools_exposed, created_at,
                 updated_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb, $11::jsonb, $12,
        $13, $14, coalesce($15::timestamptz, now()), coalesce($16::timestamptz, now()))
returning id, name, description, author, tags, transport, endpoint_url, command, args, env_vars,
          headers, health_check_url, status, tools_exposed, created_at, updated_at;

-- name: mcp_update :one catalog.v1.Mcp
update mcp
   set name = $2, description = $3, tags = $4, transport = $5, endpoint_url = $6, command = $7,
       args = $8, env_vars = $9::jsonb, headers = $10::jsonb, health_check_url = $11,
       status = $12, tools_exposed = $13,
       updated_at = greatest(clock_timestamp(), updated_at + interval '1 millisecond')
 where id = $1
returning id, name, description, author, tags, transport, endpoint_url, command, args, env_vars,
          headers, health_check_url, status, tools_exposed, created_at, updated_at;

-- name: mcp_delete :exec
delete from mcp where id = $1;

-- name: mcp_secrets :many catalog.v1.Mcp
select id, transport, env_vars, headers, status
  from mcp
 where env_vars <> '{}' or headers <> '{}'
 order by id
   for update;

-- name: mcp_reseal :exec
update mcp set env_vars = $2::jsonb, headers = $3::jsonb where id = $1;

-- name: mcp_status :exec
update mcp set status = $2 where id = $1 and status <> 'inactive';
