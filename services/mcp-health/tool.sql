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

-- name: tool_find :many mcp_health.v1.ToolHit
select t.mcp_id as server, t.name, ts_rank(t.search, q)::float8 as rank
  from mcp_health.query($1) q, tool t join server s on s.id = t.mcp_id
 where t.search @@ q and not s.removed and not s.inactive
   and (s.tools_exposed = '{}' or t.name = any (s.tools_exposed))
   and ($2::text[] = '{}' or t.mcp_id = any ($2))
 order by rank desc, t.mcp_id, t.name
 limit $3;

-- name: tool_exposed :one mcp_health.v1.Server
select id, tools_exposed from server where id = $1;
