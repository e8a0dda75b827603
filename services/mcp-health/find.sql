-- name: find_own_put :exec
insert into own_tool as o (name, title, description)
select * from unnest($1::text[], $2::text[], $3::text[])
    on conflict (name) do update set title = excluded.title, description = excluded.description
 where (o.title, o.description) is distinct from (excluded.title, excluded.description);

-- name: find_own_drop :exec
delete from own_tool where name <> all ($1::text[]);

-- $5: only what /mcp offers, which are those with a name there and the hub's own.
-- name: find_tools :many mcp_health.v1.ToolHit :replan
select hit.*
  from mcp_health.query($1) q,
       lateral (
         select t.mcp_id as server, t.name, ts_rank(t.search, q)::float8 as rank,
                coalesce(n.name, '') as shown
           from tool t join server s on s.id = t.mcp_id
                left join shown_name n on n.mcp_id = t.mcp_id and n.tool = t.name and n.current
          where t.search @@ q and t.offered is not null and not s.removed and not s.inactive
            and (s.tools_exposed = '{}' or t.name = any (s.tools_exposed))
            and ($2::text[] = '{}' or t.mcp_id = any ($2))
            and (not $5::bool or n.name is not null)
         union all
         select '', o.name, ts_rank(o.search, q)::float8, o.name
           from own_tool o
          where $5::bool and o.search @@ q) hit
 order by hit.rank desc, hit.server, hit.name
 limit $3 offset $4;

-- By what the virtual server shows; only what it words anew is indexed on the way.
-- name: find_virtual :many mcp_health.v1.ToolHit :replan
select coalesce(c.server, '') as server, c.tool as name, ts_rank(d.search, q)::float8 as rank,
       coalesce(c.name, c.tool) as shown
  from mcp_health.query($1) q, virtual_server v,
       lateral (select nullif(x.server, '') as server, x.tool, nullif(x.name, '') as name,
                       nullif(x.title, '') as title, nullif(x.description, '') as description
                  from jsonb_to_recordset(v.tools)
                       as x (server text, tool text, name text, title text, description text)) c
       left join tool t on t.mcp_id = c.server and t.name = c.tool
       left join own_tool o on c.server is null and o.name = c.tool,
       lateral (select case when c.name is null and c.title is null and c.description is null
                            then coalesce(t.search, o.search)
                            else mcp_health.vector(coalesce(c.name, c.tool),
                                                   coalesce(c.title, t.title, o.title),
                                                   coalesce(c.description, t.description, o.description))
                        end as search) d
 where v.id = $2 and not v.removed and d.search @@ q
 order by rank desc, server, c.tool, shown
 limit $3 offset $4;
