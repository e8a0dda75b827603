-- name: server_exists :one
select id from server where id = $1 and not removed;

-- name: server_lock :exec
select id from server where id = $1 and not removed for update;

-- What gateways and runners know of it is to be written anew.
-- name: server_dirty :exec
update server set dirty = true where id = $1;

-- How it is reached changed too: connections to it begin anew.
-- name: server_changed :exec
update server set dirty = true, revision = revision + 1 where id = $1;

-- name: server_notify :exec
select pg_notify('mal_mcp_health_publish', '');

-- A registration; nothing changes when it is the stored one. A server that comes
-- back after its deletion begins anew.
-- name: server_put :exec
insert into server as s (id, name, description, transport, endpoint_url, command, args, env_vars,
                         headers, health_check_url, inactive, tools_exposed)
values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9::jsonb, $10, $11, $12)
    on conflict (id) do update
   set name = excluded.name, description = excluded.description, transport = excluded.transport,
       endpoint_url = excluded.endpoint_url, command = excluded.command, args = excluded.args,
       env_vars = excluded.env_vars, headers = excluded.headers,
       health_check_url = excluded.health_check_url, inactive = excluded.inactive,
       tools_exposed = excluded.tools_exposed, removed = false, dirty = true,
       revision = s.revision + 1
 where (s.name, s.description, s.transport, s.endpoint_url, s.command, s.args, s.env_vars,
        s.headers, s.health_check_url, s.inactive, s.tools_exposed, s.removed)
       is distinct from
       (excluded.name, excluded.description, excluded.transport, excluded.endpoint_url,
        excluded.command, excluded.args, excluded.env_vars, excluded.headers,
        excluded.health_check_url, excluded.inactive, excluded.tools_exposed, false);

-- It is probed at once; its state is kept only while it is reached as before.
-- name: server_state_init :exec
insert into mcp_state (mcp_id) values ($1)
    on conflict (mcp_id) do update set next_check_at = now();

-- name: server_remove :exec
update server set removed = true, dirty = true, revision = revision + 1
 where id = $1 and not removed;

-- name: server_remove_others :exec
update server set removed = true, dirty = true, revision = revision + 1
 where id <> all ($1) and not removed;

-- name: server_policy_drop :exec
delete from policy p using server s where s.id = p.mcp_id and s.removed;
