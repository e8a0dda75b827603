-- name: virtual_list :many mcp_health.v1.Virtual
select id, name, description, tools, created_at, updated_at
  from virtual_server
 where not removed
 order by id
 limit $1 offset $2;

-- name: virtual_count :one mcp_health.v1.ListVirtualServersResponse
select count(*)::int as total from virtual_server where not removed;

-- name: virtual_others :one
select count(*) from virtual_server where not removed and id <> $1;

-- name: virtual_get :one mcp_health.v1.Virtual
select id, name, description, tools, created_at, updated_at
  from virtual_server
 where id = $1 and not removed;

-- name: virtual_put :one
insert into virtual_server as v (id, name, description, tools) values ($1, $2, $3, $4::jsonb)
    on conflict (id) do update
   set name = excluded.name, description = excluded.description, tools = excluded.tools,
       created_at = case when v.removed then now() else v.created_at end,
       updated_at = greatest(clock_timestamp(), v.updated_at + interval '1 millisecond'),
       removed = false, dirty = true
returning created_at = updated_at or xmax = 0 as created;

-- name: virtual_delete :exec
update virtual_server set removed = true, dirty = true where id = $1 and not removed;

-- Size of what a list of the tools takes, so far as they are known.
-- name: virtual_tool :one
select coalesce(offered, approved) as definition from tool where mcp_id = $1 and name = $2;
