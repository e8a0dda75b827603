-- name: names_wanted :many
select t.mcp_id, t.name as tool, p.prefix_mode, p.prefix
  from policy p join server s on s.id = p.mcp_id join tool t on t.mcp_id = s.id
 where p.expose and not s.removed and t.offered is not null
   and (s.tools_exposed = '{}' or t.name = any (s.tools_exposed))
 order by t.mcp_id, t.position, t.name
 limit 20000;

-- name: names_given :many
select name, mcp_id, tool from shown_name order by name;

-- name: names_give :many
insert into shown_name as n (name, mcp_id, tool)
select * from unnest($1::text[], $2::text[], $3::text[])
    on conflict (name) do update set current = true, given_at = now() where not n.current
returning mcp_id;

-- name: names_retire :many
update shown_name set current = false
 where current and name not in (select unnest($1::text[]))
returning mcp_id;

-- Of names that are not listed any more the newest of each server stay.
-- name: names_trim :exec
delete from shown_name
 where name in (select name
                  from (select name, row_number() over (partition by mcp_id order by given_at desc, name) as nth
                          from shown_name where not current) old
                 where nth > 1000);

-- name: names_of :many mcp_health.v1.ToolName
select tool, max(name) filter (where current) as name,
       coalesce((array_agg(name order by given_at desc, name) filter (where not current))[1:16], '{}') as aliases
  from shown_name
 where mcp_id = $1
 group by tool
having bool_or(current)
 order by tool;

-- name: names_servers :many
select distinct mcp_id from shown_name order by mcp_id;
