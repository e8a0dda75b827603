-- One copy of the service publishes at a time: names of tools depend on each other, and
-- giving one looks at the row of its server.
-- name: publish_lock :exec
select pg_advisory_xact_lock(hashtextextended('mcp_health.publish', 0));

-- What gateways and runners are to hear of. Locked, so that a change that comes
-- meanwhile makes the row dirty again after this.
-- name: publish_servers :many mcp_health.v1.Server
select s.id, name, description, transport, endpoint_url, command, args, env_vars, headers,
       case when inactive then 'inactive' else coalesce(st.status, 'active') end as status,
       case when inactive then 'switched off by the operator'
            when st.status = 'error' then st.last_error end as reason,
       st.protocol_version, tools_exposed, revision
  from server s left join mcp_state st on st.mcp_id = s.id
 where dirty and not removed
 order by s.id
 limit 100
   for update of s;

-- name: publish_removed :many
select id from server where dirty and removed order by id limit 100 for update;

-- name: publish_virtuals :many mcp_health.v1.Virtual
select id, name, description, tools, created_at, updated_at
  from virtual_server where dirty and not removed order by id limit 100 for update;

-- name: publish_virtuals_removed :many
select id from virtual_server where dirty and removed order by id limit 100 for update;

-- name: publish_done :exec
update server set dirty = false where id = $1;

-- A registration that is gone takes its state, tools and listing along.
-- name: publish_forget :exec
delete from server where id = $1 and removed;

-- name: publish_virtual_done :exec
update virtual_server set dirty = false where id = $1;

-- name: publish_virtual_forget :exec
delete from virtual_server where id = $1 and removed;
