-- name: listing_put :exec
insert into listing (mcp_id, protocol_version, server_info, capabilities, instructions, resources,
                     resource_templates, prompts, listed_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, now())
    on conflict (mcp_id) do update
   set protocol_version = excluded.protocol_version, server_info = excluded.server_info,
       capabilities = excluded.capabilities, instructions = excluded.instructions,
       resources = excluded.resources, resource_templates = excluded.resource_templates,
       prompts = excluded.prompts, listed_at = excluded.listed_at;

-- name: listing_get :one mcp_health.v1.Definitions
select mcp_id as id, protocol_version, server_info, capabilities, instructions, resources,
       resource_templates, prompts, listed_at
  from listing
 where mcp_id = $1;

-- name: listing_seen :one
select mcp_id from listing where mcp_id = $1;
