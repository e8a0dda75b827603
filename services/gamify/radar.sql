-- Files of credited commits by area, and successful calls of the tools that
-- belong to one.
-- name: radar_counts :one gamify.v1.Radar
with used as (
  select u.tool_name, u.calls
    from member m
    join tool_use u
      on u.user_key = any (array(select jsonb_array_elements_text(m.metadata -> 'key_names')
                                  where jsonb_typeof(m.metadata -> 'key_names') = 'array')
                           || m.id::text)
      or lower(u.user_key) = lower(m.name)
   where m.id = $1
), calls as (
  select coalesce(sum(calls) filter (where tool_name = any ($2)), 0)::int as devops,
         coalesce(sum(calls) filter (where tool_name = any ($3)), 0)::int as data,
         coalesce(sum(calls) filter (where tool_name = any ($4)), 0)::int as documentation
    from used
)
select coalesce(t.frontend, 0) as frontend, coalesce(t.backend, 0) as backend,
       coalesce(t.devops, 0) + c.devops as devops, coalesce(t.data, 0) + c.data as data,
       coalesce(t.documentation, 0) + c.documentation as documentation
  from calls c
  left join tally t on t.user_id = $1;
