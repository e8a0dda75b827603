-- name: tool_all :many
select name, position, approved, offered from tool where mcp_id = $1 order by position, name;

-- name: tool_one :one
select name, position, approved, offered from tool where mcp_id = $1 and name = $2 for update;

-- name: tool_put :exec
insert into tool (mcp_id, name, position, approved, offered, title, description)
values ($1, $2, $3, $4, $5, $6, $7)
    on conflict (mcp_id, name) do update
   set position = excluded.position, approved = excluded.approved, offered = excluded.offered,
       title = excluded.title, description = excluded.description;

-- name: tool_drop :exec
delete from tool where mcp_id = $1 and name = $2;

-- name: tool_approve :exec
update tool set approved = offered where mcp_id = $1 and name = $2;

-- name: tool_facts :one
select l.listed_at, s.inactive or coalesce(st.status, 'error') = 'error' as stale
  from server s
  left join listing l on l.mcp_id = s.id
  left join mcp_state st on st.mcp_id = s.id
 where s.id = $1 and not s.removed;

-- name: tool_exposed :one mcp_health.v1.Server
select id, tools_exposed from server where id = $1;
