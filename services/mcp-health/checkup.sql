-- Servers that may be contacted; $1 names one of them.
-- name: checkup_targets :many mcp_health.v1.Server :replan
select s.id, name, description, transport, endpoint_url, command, args, env_vars, headers,
       tools_exposed, revision, st.status
  from server s left join mcp_state st on st.mcp_id = s.id
 where not s.removed and not s.inactive and ($1::text is null or s.id = $1)
 order by s.id
 limit 2000;

-- name: checkup_rows :many mcp_health.v1.ServerHealth :replan
select s.id, s.name, s.transport, coalesce(split_part(s.endpoint_url, '?', 1), s.command) as endpoint,
       case when s.inactive then 'inactive' else coalesce(st.status, 'active') end as status,
       false as checked, st.tools_count,
       case when st.status = 'error' and not s.inactive then st.last_error end as error,
       coalesce(st.since, now()) as since
  from server s left join mcp_state st on st.mcp_id = s.id
 where not s.removed and ($1::text is null or s.id = $1)
 order by s.id
 limit 2000;

-- name: checkup_known :many
select id from server where id = any ($1);
