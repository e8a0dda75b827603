-- name: secret_list :many mcp_health.v1.Secret
select name, created_at, updated_at from secret order by name limit $1 offset $2;

-- name: secret_count :one mcp_health.v1.ListSecretsResponse
select count(*)::int as total from secret;

-- name: secret_put :one
insert into secret (name, value) values ($1, $2)
    on conflict (name) do update set value = excluded.value, updated_at = clock_timestamp()
returning name, created_at, updated_at, xmax = 0 as created;

-- name: secret_delete :exec
delete from secret where name = $1;

-- name: secret_values :many
select name, value from secret where name = any ($1);

-- name: secret_all :many
select name, value from secret order by name for update;

-- name: secret_replace :exec
update secret set value = $2 where name = $1;

-- Servers that refer to the secret are told of its new value.
-- name: secret_users :exec
update server
   set dirty = true, revision = revision + 1
 where position('${secret:' || $1 || '}' in env_vars::text || headers::text) > 0;
